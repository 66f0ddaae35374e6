from django.apps import AppConfig
from django.utils.module_loading import autodiscover_modules


class FrameConfig(AppConfig):
    name = "todo_project"
    verbose_name = "Frame"

    PLUGIN_MODULES = ("dashboard", "diagnosis", "export", "importing", "purge", "roles")
    """An app that has one of these registers there what it adds to the frame."""

    def ready(self) -> None:
        """Import the plug-ins at once: a mistake in one stops the start instead of waiting for its first use."""
        from .config import checks  # noqa: F401  (registers the system checks)

        autodiscover_modules(*self.PLUGIN_MODULES)
