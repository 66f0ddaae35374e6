from django.apps import AppConfig
from django.utils.module_loading import autodiscover_modules


class TodoProjectConfig(AppConfig):
    name = "todo_project"
    verbose_name = "Todo project"

    PLUGIN_MODULES = ("dashboard", "diagnosis", "export", "importing", "purge", "roles")
    """Modules in which an app registers what it adds to the admin and the commands."""

    def ready(self) -> None:
        """Import the plug-in modules now, so that a mistake in one of them stops the start."""
        from .config import checks  # noqa: F401  (registers the system checks)
        from .db import user_annotations

        autodiscover_modules(*self.PLUGIN_MODULES)
        user_annotations.check_paths()
