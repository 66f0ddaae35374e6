"""Reports errors to Sentry. Nothing imports this module unless SENTRY_DSN is set.

A report is an ERROR line of the log with its stack. Sentry's integration with Django would add the URL, the
headers and the local variables, which contain tokens and texts of users.
"""

from typing import Any

import sentry_sdk
from django.conf import settings
from sentry_sdk.integrations.atexit import AtexitIntegration
from sentry_sdk.integrations.logging import LoggingIntegration

from todo_project.api.request_log import current_request_id


def start() -> None:
    sentry_sdk.init(
        dsn=settings.SENTRY_DSN,
        release=settings.VERSION,
        default_integrations=False,
        # level=None: no other lines of the log. The callback would print a message.
        integrations=[
            LoggingIntegration(level=None),
            AtexitIntegration(callback=lambda pending, timeout: None),
        ],
        include_local_variables=False,
        before_send=replace_extra,
    )


def replace_extra(event: Any, hint: dict[str, Any]) -> Any:
    """Django adds the request to some lines, whose text is its URL with the query."""
    event.pop("extra", None)
    event.setdefault("tags", {})["request_id"] = current_request_id()
    return event
