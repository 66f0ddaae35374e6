"""The JSON encoder. Times are in UTC with Z; UUIDs, decimals and lazy translations are strings."""

from decimal import Decimal
from typing import Any

import orjson
from django.utils.functional import Promise

# OPT_NON_STR_KEYS: DRF's errors of a many=True serializer have integer keys.
OPTIONS = orjson.OPT_UTC_Z | orjson.OPT_NAIVE_UTC | orjson.OPT_NON_STR_KEYS


def dumps(data: Any) -> bytes:
    return orjson.dumps(data, default=_as_text, option=OPTIONS)


def _as_text(value: Any) -> str:
    if isinstance(value, Promise | Decimal):
        return str(value)
    raise TypeError(f"{type(value).__name__} is not JSON serializable")
