"""What a check says, and how checks are run: each for itself and within a time, whatever the others do."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from threading import Thread
from typing import Literal
from urllib.parse import unquote

from django.conf import settings

WITHIN = 15
"""Seconds that one check may take; connecting to a database gives up after 10."""


@dataclass(frozen=True)
class Finding:
    """What was found and, unless all is well, what to do about it."""

    level: Literal["ok", "warning", "problem"]
    found: str
    advice: str = ""


Check = Callable[[], Iterator[Finding]]


def ok(found: str) -> Finding:
    return Finding("ok", found)


def warning(found: str, advice: str) -> Finding:
    return Finding("warning", found, advice)


def problem(found: str, advice: str) -> Finding:
    return Finding("problem", found, advice)


def findings_of(check: Check, *, within: float = WITHIN) -> list[Finding]:
    """In a thread of its own, which may hang without holding up the rest or the end of the program."""
    findings: list[Finding] = []

    def run() -> None:
        try:
            for finding in check():
                findings.append(finding)
        except Exception as error:
            findings.append(
                problem(
                    f"The check itself failed ({type(error).__name__}: {said(error)}).",
                    "Look at this by hand, and report it as a mistake of the doctor's.",
                )
            )

    thread = Thread(target=run, daemon=True)
    thread.start()
    thread.join(within)
    if thread.is_alive():
        late = problem(
            f"No answer within {within:g} seconds.", "See whether a firewall or a wrong host swallows it."
        )
        return [*findings, late]
    return findings


def said(error: BaseException) -> str:
    """A driver's own words on one line. None is known to repeat a secret; if one does, it stays here."""
    words = " ".join(str(error).split()) or type(error).__name__
    for secret in sorted(secrets(), key=len, reverse=True):
        words = words.replace(secret, "***")
    return words


def secrets() -> set[str]:
    """All that the settings hold and nobody may read."""
    # Not by urlsplit(), which refuses a URL that is wrong, just when it is about to be told so.
    urls = " ".join([settings.DATABASE_URL, settings.DATABASE_URL_UNPOOLED, settings.CACHE_URL])
    passwords = {*re.findall(r"://[^:/@ ]*:([^ ]*)@", urls), *re.findall(r"[?&]password=([^& ]+)", urls)}
    return {
        settings.SECRET_KEY,
        *settings.SECRET_KEY_FALLBACKS,
        *(issuer.secret for issuer in settings.TRUSTED_ISSUERS.values()),
        getattr(settings, "EMAIL_HOST_PASSWORD", ""),
        *passwords,
        *map(unquote, passwords),
    } - {""}
