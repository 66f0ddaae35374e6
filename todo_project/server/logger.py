"""gunicorn's log. A module of its own, because the master imports it before there is an application."""

from typing import Any

from gunicorn.glogging import Logger


class ServerLogger(Logger):
    def access(self, *args: Any) -> None:
        """Nothing: the request log has a line for each request. Otherwise gunicorn would compose one, too."""
