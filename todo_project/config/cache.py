"""The errors of the cache."""

import sys


def cache_errors(*others: type[Exception]) -> tuple[type[Exception], ...]:
    """With others, for an `except`.

    Importing redis takes a quarter of a second of processor time, so only Django's backend for it does.
    """
    redis = sys.modules.get("redis.exceptions")
    return (redis.RedisError, *others) if redis else others
