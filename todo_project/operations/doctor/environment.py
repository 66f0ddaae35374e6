"""Checks of the settings, the cache, the mail server and static files, and Django's own checks."""

import math
import platform
import re
import uuid
import zlib
from collections import Counter
from collections.abc import Iterator
from functools import partial
from urllib.parse import urlsplit

from django import get_version
from django.conf import settings
from django.contrib.staticfiles import finders
from django.core import checks, mail
from django.core.cache import caches
from django.core.checks import CheckMessage

from todo_project.config import database
from todo_project.config.cache import cache_errors

from .redaction import redacted
from .runner import Check

LOCAL_HOSTS = {"localhost", "127.0.0.1", "[::1]", "testserver"}

MIN_ENTROPY = 128
"""Bits. Far below a random key of the minimum length, and above any repetitive one."""

HAND_WRITTEN = re.compile(
    r"change.?me|django|example|insecure|letmein|password|placeholder|qwerty|secret|testing|your.?key|\s",
    re.IGNORECASE,
)

# One style sheet each of the admin, of this project and of the API documentation.
STATIC_FILES = (
    "admin/css/base.css",
    "todo_project/pages.css",
    "drf_spectacular_sidecar/swagger-ui-dist/swagger-ui.css",
)

COVERED_IDS = {
    *("security.W004", "security.W008", "security.W012", "security.W016"),  # HTTPS
    *("security.W009", "security.W018", "security.W020", "security.W025"),  # keys, DEBUG, hosts
}
"""Django's warnings about settings that the checks below cover, by the names of this project's variables."""

NEW_KEY = "Generate one with: python -c 'import secrets; print(secrets.token_urlsafe(50))'"


def versions() -> Iterator[CheckMessage]:
    yield checks.Info(
        f"Todo API {settings.VERSION}, Django {get_version()}, Python {platform.python_version()}."
    )


def mode() -> Iterator[CheckMessage]:
    if settings.DEBUG:
        yield checks.Error(
            "DEBUG is on: error pages show tracebacks and settings, and HTTPS is not enforced.",
            hint="Remove DEBUG from the environment of a deployment.",
        )
    else:
        yield checks.Info("DEBUG is off.")


def keys() -> Iterator[CheckMessage]:
    for name, key in {
        "SECRET_KEY": settings.SECRET_KEY,
        **{f"SECRET_KEY_FALLBACKS, entry {n}": key for n, key in enumerate(settings.SECRET_KEY_FALLBACKS, 1)},
        **{
            f"The secret of {each.issuer}": each.secret
            for each in settings.TRUSTED_ISSUERS.values()
            if each.secret
        },
    }.items():
        if weakness := weakness_of(key):
            yield checks.Error(
                f"{name} {weakness}; anyone who guesses it can forge tokens.", hint=f"Replace it. {NEW_KEY}"
            )
        else:
            yield checks.Info(f"{name} looks random.")
    if settings.SECRET_KEY in settings.SECRET_KEY_FALLBACKS:
        yield checks.Warning(
            "SECRET_KEY is also in SECRET_KEY_FALLBACKS, so the key was not rotated.",
            hint=f"Set SECRET_KEY to a new key. {NEW_KEY}",
        )


def weakness_of(key: str) -> str:
    """Why a key is weak, without quoting it; empty if it may be random."""
    if HAND_WRITTEN.search(key):
        return "looks hand-written or copied from an example"
    if entropy(key) < MIN_ENTROPY:
        return "is too regular or too short"
    return ""


def entropy(key: str) -> float:
    """An upper bound in bits: by the variety of its characters, and by its size when compressed."""
    if not key:
        return 0
    by_variety = -sum(n * math.log2(n / len(key)) for n in Counter(key).values())
    compressed = zlib.compress(key.encode(), 9)
    return min(by_variety, 8.0 * (len(compressed) - len(zlib.compress(b""))))


def hosts() -> Iterator[CheckMessage]:
    public = [host for host in settings.ALLOWED_HOSTS if host not in LOCAL_HOSTS]
    if "*" in public:
        yield checks.Error("ALLOWED_HOSTS allows any host.", hint="List the host names of this deployment.")
    elif public or settings.DEBUG:
        yield checks.Info(f"Allowed: {', '.join(public or settings.ALLOWED_HOSTS)}.")
    else:
        yield checks.Warning(
            "ALLOWED_HOSTS contains only local hosts.",
            hint="Add the public host name, such as api.example.com.",
        )


def https() -> Iterator[CheckMessage]:
    if settings.HTTPS_ONLY and settings.HSTS_SECONDS:
        yield checks.Info("HTTPS only, with HSTS.")
    elif settings.HTTPS_ONLY:
        yield checks.Warning(
            "HTTPS only, but without HSTS (HSTS_SECONDS is 0).",
            hint="Once HTTPS works everywhere, remove HSTS_SECONDS.",
        )
    elif not settings.DEBUG:
        yield checks.Warning(
            "HTTPS_ONLY is off: the admin's cookies may be sent unencrypted.",
            hint="Remove HTTPS_ONLY, and set TRUSTED_PROXY_COUNT to the number of proxies in front.",
        )


def cors() -> Iterator[CheckMessage]:
    origins = settings.CORS_ALLOWED_ORIGINS
    plain = [origin for origin in origins if not origin.startswith("https://") and not is_local_url(origin)]
    for origin in plain:
        yield checks.Error(
            f"CORS_ALLOWED_ORIGINS contains {origin}, whose pages can be modified in transit.",
            hint="Use https://.",
        )
    local = [origin for origin in origins if is_local_url(origin)]
    if local and not settings.DEBUG:
        yield checks.Warning(
            f"CORS_ALLOWED_ORIGINS contains {', '.join(local)}, which is a developer's machine.",
            hint="Remove it from a deployment.",
        )
    elif not plain:
        yield checks.Info(f"Allowed origins: {', '.join(origins) or 'none'}.")


def is_local_url(url: str) -> bool:
    return database.is_local(urlsplit(url).hostname or "")


def cache() -> Iterator[CheckMessage]:
    if not settings.CACHE_URL:
        processes = settings.WEB_CONCURRENCY
        if processes == 1:
            yield checks.Info(
                "A single process needs no shared cache. With a second process or machine, set CACHE_URL."
            )
        else:
            yield checks.Warning(
                f"Each of {processes} processes counts alone, so rate limits are {processes} times as high.",
                hint="Set CACHE_URL to a Redis server that all processes and machines share.",
            )
        return
    key, store = f"doctor:{uuid.uuid4()}", caches["default"]
    try:
        store.set(key, "stored", timeout=30)
        is_stored = store.get(key) == "stored"
        store.delete(key)
    except cache_errors(OSError, ValueError) as error:
        yield checks.Error(
            f"CACHE_URL cannot be used: {redacted(error)}",
            hint="Correct it or start Redis. Until then, requests are not rate-limited.",
        )
        return
    if not is_stored:
        yield checks.Error("The cache loses values.", hint="Check whether Redis is out of memory.")
    elif settings.CACHE_URL.startswith("redis://") and not is_local_url(settings.CACHE_URL):
        yield checks.Warning(
            "The cache works, but its traffic is not encrypted.",
            hint="Use rediss:// if the server supports TLS, or make sure that the network is private.",
        )
    else:
        yield checks.Info("The cache works and is shared by all processes with this CACHE_URL.")


def email(test_address: str | None) -> Iterator[CheckMessage]:
    backend = settings.EMAIL_BACKEND.split(".")[-2]
    if backend != "smtp":
        if settings.DEBUG:
            yield checks.Info("Mail is printed instead of sent.")
        else:
            yield checks.Warning(
                "Mail is discarded, so users cannot reset forgotten passwords.",
                hint="Set EMAIL_URL, such as smtp+tls://user:password@mail.example.com:587.",
            )
        if test_address:
            yield checks.Error("No test mail was sent.", hint="Set EMAIL_URL first.")
        return
    connection = mail.get_connection()
    try:
        connection.open()
        yield checks.Info("The mail server accepts the login.")
        if test_address:
            mail.EmailMessage(
                "Test mail from your to-do server",
                "`manage.py doctor` sent this mail. If you can read it, mail works.\n",
                to=[test_address],
                connection=connection,
            ).send()
            yield checks.Info(
                f"The mail server accepted a test mail to {test_address}; check that it arrives."
            )
    except OSError as error:
        # smtplib's exceptions are OSErrors, too.
        hint = "Correct EMAIL_URL according to the server's message."
        yield checks.Error(f"Mail cannot be sent: {redacted(error)}", hint=hint)
    finally:
        connection.close()
    encrypted = settings.EMAIL_URL.startswith(("smtp+tls", "smtp+ssl"))
    if not encrypted and not database.is_local(settings.EMAIL_HOST):
        yield checks.Error(
            "Mail and its password are sent unencrypted.", hint="Use smtp+tls:// in EMAIL_URL."
        )
    if settings.DEFAULT_FROM_EMAIL.endswith("@localhost"):
        yield checks.Warning(
            f"The sender is {settings.DEFAULT_FROM_EMAIL}, which most servers reject.",
            hint="Set EMAIL_FROM to an address of your domain.",
        )


def static_files() -> Iterator[CheckMessage]:
    missing = [path for path in STATIC_FILES if finders.find(path) is None]
    if missing:
        yield checks.Error(
            f"{', '.join(missing)} cannot be found, so pages have no styles.",
            hint="Reinstall the packages with `pip install -r requirements.txt`.",
        )
    elif "whitenoise.middleware.WhiteNoiseMiddleware" not in settings.MIDDLEWARE:
        yield checks.Error("Nothing serves static files.", hint="Put WhiteNoise back into MIDDLEWARE.")
    else:
        yield checks.Info("Style sheets are found, and the application serves them.")


def django() -> Iterator[CheckMessage]:
    """`manage.py check --deploy`. Slow, because it generates the API description, but purely local."""
    messages = [
        message
        for message in checks.run_checks(include_deployment_checks=True)
        if not message.is_silenced() and message.id not in COVERED_IDS and message.level >= checks.WARNING
    ]
    yield from messages or [checks.Info("`check --deploy` has nothing to add.")]


def environment_checks(*, test_address: str | None) -> dict[str, Check]:
    return {
        "versions": versions,
        "mode": mode,
        "secrets": keys,
        "hosts": hosts,
        "HTTPS": https,
        "CORS": cors,
        "cache": cache,
        "mail": partial(email, test_address),
        "static files": static_files,
    }
