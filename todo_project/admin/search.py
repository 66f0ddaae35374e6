"""Searches that an index answers."""

import re
import uuid
from typing import Any

from django.contrib import messages
from django.contrib.admin import ModelAdmin
from django.db.models import QuerySet
from django.http import HttpRequest

MIN_WORD_LENGTH, MAX_WORDS = 3, 10
_INDEXED = re.compile(rf"[^\W_]{{{MIN_WORD_LENGTH}}}")


def indexed_words(text: str) -> list[str]:
    """The words that the trigram index can find; for any other, PostgreSQL would read the whole table."""
    return [word for word in text.split() if _INDEXED.search(word)][:MAX_WORDS]


def parse_uuid(text: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(text)
    except ValueError:
        return None


def reject_search(model_admin: ModelAdmin, request: HttpRequest, rows: QuerySet[Any]) -> QuerySet[Any]:
    """No rows, and a message why. An autocomplete field shows no messages, so it leaves none behind."""
    if not is_autocomplete(request) and request.method == "GET":
        model_admin.message_user(
            request, f"Enter a word of at least {MIN_WORD_LENGTH} letters or digits.", messages.WARNING
        )
    return rows.none()


def is_autocomplete(request: HttpRequest) -> bool:
    """Whether the rows are searched for a form field, and not for the change list."""
    return bool(request.resolver_match and request.resolver_match.url_name == "autocomplete")
