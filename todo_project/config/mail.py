"""Converts EMAIL_URL to Django's mail settings."""

from typing import Any
from urllib.parse import unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured

BACKENDS = "django.core.mail.backends"
SMTP = {"smtp": {}, "smtp+tls": {"EMAIL_USE_TLS": True}, "smtp+ssl": {"EMAIL_USE_SSL": True}}


def configure(url: str, *, debug: bool) -> dict[str, Any]:
    """Without a URL, mail is printed in development; production discards it, to keep tokens out of logs."""
    if not url:
        return {"EMAIL_BACKEND": f"{BACKENDS}.{'console' if debug else 'dummy'}.EmailBackend"}
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ImproperlyConfigured("EMAIL_URL is not a valid URL.") from None
    if parts.scheme not in SMTP or not parts.hostname:
        raise ImproperlyConfigured(
            "EMAIL_URL must be an SMTP URL such as smtp+tls://user:password@mail.example.com:587 "
            "(or smtp+ssl://, or smtp:// without encryption)."
        )
    return {
        "EMAIL_BACKEND": f"{BACKENDS}.smtp.EmailBackend",
        "EMAIL_HOST": parts.hostname,
        "EMAIL_PORT": port or (465 if parts.scheme == "smtp+ssl" else 587),
        "EMAIL_HOST_USER": unquote(parts.username or ""),
        "EMAIL_HOST_PASSWORD": unquote(parts.password or ""),
        "EMAIL_TIMEOUT": 10,
        **SMTP[parts.scheme],
    }
