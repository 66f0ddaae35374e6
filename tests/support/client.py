"""Django's test client with this project's defaults."""

import sys
from typing import Any

from django.core.signals import setting_changed
from django.test import client

from tests.support import one_owner
from todo_project.api.schema import document

HANDLER = client.ClientHandler(enforce_csrf_checks=False)
"""Shared, because each new handler loads all of the middleware, which would be a third of the tests' time."""


class Client(client.Client):
    """An exception in a view is a 500, as over the network, and not a traceback."""

    def __init__(self, **options: Any) -> None:
        super().__init__(raise_request_exception=False, **options)
        self.handler = HANDLER

    def request(self, **request: Any) -> Any:
        are_calls_counted = sys.getprofile() is not None
        if are_calls_counted or not request["PATH_INFO"].startswith("/api/"):
            return super().request(**request)
        with one_owner.checked():
            return super().request(**request)


def clear_settings_caches(*, setting: str, **_: Any) -> None:
    """Clear what is computed from the settings once per process."""
    document.cache_clear()
    if setting != "ROOT_URLCONF":  # which middleware does not read
        HANDLER._middleware_chain = None  # type: ignore[attr-defined]


setting_changed.connect(clear_settings_caches)
