"""The admin of users, roles and credentials. No page shows a secret or its hash."""

from . import credentials, roles, users  # noqa: F401  (they register themselves)
