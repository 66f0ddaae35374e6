from django.apps import AppConfig


class FrameConfig(AppConfig):
    name = "todo_project"
    verbose_name = "Frame"

    def ready(self) -> None:
        from .config import checks  # noqa: F401  (registers the system checks)
