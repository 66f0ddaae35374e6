"""Keeps secrets out of the doctor's output."""

import re
from urllib.parse import unquote

from django.conf import settings


def redacted(error: BaseException) -> str:
    """The error's message on one line. No driver is known to repeat a secret; one that does is replaced."""
    message = " ".join(str(error).split()) or type(error).__name__
    for secret in sorted(secrets(), key=len, reverse=True):
        message = message.replace(secret, "***")
    return message


def secrets() -> set[str]:
    # urlsplit() raises on an invalid URL, which is just when a driver may quote it.
    urls = " ".join(
        [
            settings.DATABASE_URL,
            settings.DATABASE_URL_UNPOOLED,
            settings.DATABASE_REPLICA_URL,
            settings.CACHE_URL,
        ]
    )
    passwords = {*re.findall(r"://[^:/@ ]*:([^ ]*)@", urls), *re.findall(r"[?&]password=([^& ]+)", urls)}
    return {
        settings.SECRET_KEY,
        settings.METRICS_TOKEN,
        *settings.SECRET_KEY_FALLBACKS,
        *(issuer.secret for issuer in settings.TRUSTED_ISSUERS.values()),
        getattr(settings, "EMAIL_HOST_PASSWORD", ""),
        *passwords,
        *map(unquote, passwords),
    } - {""}
