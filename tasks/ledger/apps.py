from django.apps import AppConfig
from django.utils.module_loading import autodiscover_modules


class LedgerConfig(AppConfig):
    """What all owned objects have in common. It knows no kind of object; apps declare theirs in `kinds`."""

    name = "tasks.ledger"

    def ready(self) -> None:
        autodiscover_modules("kinds")
