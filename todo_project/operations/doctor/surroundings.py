"""What is asked of everything else: secrets, mail, the cache, browsers, files, Django's own checks."""

import math
import re
import uuid
import zlib
from collections import Counter
from collections.abc import Iterator
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.staticfiles import finders
from django.core import checks as django_checks
from django.core import mail
from django.core.cache import caches
from redis.exceptions import RedisError

from todo_project.config import database

from .findings import Finding, ok, problem, said, warning

LOCAL_HOSTS = {"localhost", "127.0.0.1", "[::1]", "testserver"}

ENOUGH_BITS = 128
"""Far below what a random key of the least allowed length has, and above what repetition reaches."""

BY_HAND = re.compile(
    r"change.?me|django|example|insecure|letmein|password|placeholder|qwerty|secret|testing|your.?key|\s",
    re.IGNORECASE,
)

# A style sheet of the admin, one of ours, and one of the documentation's pages.
STATIC_FILES = (
    "admin/css/base.css",
    "todo_project/pages.css",
    "drf_spectacular_sidecar/swagger-ui-dist/swagger-ui.css",
)

SAID_HERE = {
    *("security.W004", "security.W008", "security.W012", "security.W016"),  # HTTPS
    *("security.W009", "security.W018", "security.W020", "security.W025"),  # keys, DEBUG, hosts
}
"""Django's own warnings of what the checks above tell by the names of our variables."""

NEW_KEY = "Make one with: python -c 'import secrets; print(secrets.token_urlsafe(50))'"


def mode() -> Iterator[Finding]:
    if settings.DEBUG:
        yield problem(
            "DEBUG is on: pages of the admin show stacks and settings, and nothing asks for HTTPS.",
            "Leave DEBUG out of a deployment's environment.",
        )
    else:
        yield ok("DEBUG is off.")


def keys() -> Iterator[Finding]:
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
            yield problem(
                f"{name} {weakness}; whoever guesses it can sign as anybody.", f"Replace it. {NEW_KEY}"
            )
        else:
            yield ok(f"{name} looks random.")
    if settings.SECRET_KEY in settings.SECRET_KEY_FALLBACKS:
        yield warning(
            "SECRET_KEY is among SECRET_KEY_FALLBACKS, so nothing was rotated.",
            f"Put a new one into SECRET_KEY. {NEW_KEY}",
        )


def weakness_of(key: str) -> str:
    """What is wrong with it, in words that give nothing of it away; empty if it may be random."""
    if BY_HAND.search(key):
        return "looks written by a person or copied from an example"
    if bits(key) < ENOUGH_BITS:
        return "is too regular or too short"
    return ""


def bits(key: str) -> float:
    """No more than its characters' variety allows, nor than is left when repetition is squeezed out."""
    if not key:
        return 0
    by_variety = -sum(n * math.log2(n / len(key)) for n in Counter(key).values())
    squeezed = zlib.compress(key.encode(), 9)
    return min(by_variety, 8.0 * (len(squeezed) - len(zlib.compress(b""))))


def hosts() -> Iterator[Finding]:
    reached = [host for host in settings.ALLOWED_HOSTS if host not in LOCAL_HOSTS]
    if "*" in reached:
        yield problem("ALLOWED_HOSTS allows any.", "Name the hosts this is reached by.")
    elif reached or settings.DEBUG:
        yield ok(f"Reached as {', '.join(reached or settings.ALLOWED_HOSTS)}.")
    else:
        yield warning(
            "ALLOWED_HOSTS names this machine only.", "Add the host that people use, such as api.example.com."
        )


def https() -> Iterator[Finding]:
    if settings.HTTPS_ONLY and settings.HSTS_SECONDS:
        yield ok("HTTPS only, remembered by browsers.")
    elif settings.HTTPS_ONLY:
        yield warning(
            "HTTPS only, but browsers do not remember it (HSTS_SECONDS is 0).",
            "Once HTTPS works everywhere, leave HSTS_SECONDS out.",
        )
    elif not settings.DEBUG:
        yield warning(
            "HTTPS_ONLY is off: cookies of the admin travel in the clear where a proxy lets them.",
            "Leave HTTPS_ONLY out, and set TRUSTED_PROXY_COUNT to the number of proxies in front.",
        )


def cors() -> Iterator[Finding]:
    origins = settings.CORS_ALLOWED_ORIGINS
    clear = [origin for origin in origins if not origin.startswith("https://") and not is_local_url(origin)]
    for origin in clear:
        yield problem(
            f"CORS_ALLOWED_ORIGINS has {origin}, whose pages anybody in between can change.",
            "Write it with https://.",
        )
    local = [origin for origin in origins if is_local_url(origin)]
    if local and not settings.DEBUG:
        yield warning(
            f"CORS_ALLOWED_ORIGINS has {', '.join(local)}, a developer's machine.",
            "Take it out of a deployment.",
        )
    elif not clear:
        yield ok(f"Origins of browser front-ends: {', '.join(origins) or 'none'}.")


def is_local_url(url: str) -> bool:
    return database.is_local(urlsplit(url).hostname or "")


def cache() -> Iterator[Finding]:
    if not settings.CACHE_URL:
        processes = settings.WEB_CONCURRENCY
        if processes == 1:
            yield ok("One process counts for itself; with a second, or a second machine, set CACHE_URL.")
        else:
            yield warning(
                f"Each of {processes} processes counts for itself: limits are {processes} times as wide.",
                "Set CACHE_URL to a Redis that all processes and machines share.",
            )
        return
    key, store = f"doctor:{uuid.uuid4()}", caches["default"]
    try:
        store.set(key, "here", timeout=30)
        kept = store.get(key) == "here"
        store.delete(key)
    except (RedisError, OSError, ValueError) as error:
        yield problem(
            f"CACHE_URL cannot be used: {said(error)}",
            "Correct it, or start the Redis: meanwhile requests are served without a rate limit.",
        )
        return
    if not kept:
        yield problem("The cache does not keep what it is given.", "See whether the Redis is out of memory.")
    elif settings.CACHE_URL.startswith("redis://") and not is_local_url(settings.CACHE_URL):
        yield warning(
            "The cache works, but what goes there is not encrypted.",
            "Write rediss:// if the Redis offers TLS, or see that the network is private.",
        )
    else:
        yield ok("The cache works, and all processes that have this CACHE_URL share it.")


def email(test_address: str | None) -> Iterator[Finding]:
    backend = settings.EMAIL_BACKEND.split(".")[-2]
    if backend != "smtp":
        if settings.DEBUG:
            yield ok("Mail is printed, not sent.")
        else:
            yield warning(
                "Mail is dropped, so nobody can reset a forgotten password.",
                "Set EMAIL_URL, such as smtp+tls://user:password@mail.example.com:587.",
            )
        if test_address:
            yield problem("No test mail was sent.", "Set EMAIL_URL first.")
        return
    connection = mail.get_connection()
    try:
        connection.open()
        yield ok("The mail server answers.")
        if test_address:
            mail.EmailMessage(
                "A test of your to-do server's mail",
                "The doctor sent this. If you can read it, mail works.\n",
                to=[test_address],
                connection=connection,
            ).send()
            yield ok(f"A test mail was handed over for {test_address}; see that it arrives.")
    except OSError as error:
        # smtplib's exceptions are OSErrors too.
        yield problem(f"Mail cannot be sent: {said(error)}", "Correct EMAIL_URL; see the server's own words.")
    finally:
        connection.close()
    encrypted = settings.EMAIL_URL.startswith(("smtp+tls", "smtp+ssl"))
    if not encrypted and not database.is_local(settings.EMAIL_HOST):
        yield problem(
            "Mail, and the password for it, travels in the clear.", "Write smtp+tls:// in EMAIL_URL."
        )
    if settings.DEFAULT_FROM_EMAIL.endswith("@localhost"):
        yield warning(
            f"Mail comes from {settings.DEFAULT_FROM_EMAIL}, which most servers refuse.",
            "Set EMAIL_FROM to an address of your domain.",
        )


def static_files() -> Iterator[Finding]:
    missing = [path for path in STATIC_FILES if finders.find(path) is None]
    if missing:
        yield problem(
            f"{', '.join(missing)} cannot be found, so pages will look bare.",
            "Install again with `pip install -r requirements.txt`, without leaving out files.",
        )
    elif "whitenoise.middleware.WhiteNoiseMiddleware" not in settings.MIDDLEWARE:
        yield problem("Nothing serves static files.", "Put WhiteNoise back into MIDDLEWARE.")
    else:
        yield ok("Style sheets of the admin and the pages are found, and served by the application itself.")


def djangos() -> Iterator[Finding]:
    """`manage.py check --deploy`."""
    messages = [
        message
        for message in django_checks.run_checks(include_deployment_checks=True)
        if not message.is_silenced()
        and message.id not in SAID_HERE
        and message.level >= django_checks.WARNING
    ]
    for message in messages:
        tell = problem if message.is_serious() else warning
        advice = message.hint or "Look it up by its id in Django's documentation of system checks."
        yield tell(f"{message.msg} ({message.id})", str(advice))
    if not messages:
        yield ok("`check --deploy` has nothing to add.")
