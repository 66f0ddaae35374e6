"""Positions in a list: texts between any two of which there is room for another one.

A position is an integer of variable length, whose first letter says how many digits follow, and a fraction.
Compared byte by byte, positions sort by value. The npm package fractional-indexing has the same format.
"""

import re
from functools import cache

DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
BASE = len(DIGITS)
MAX_LENGTH = 100
FORMAT = re.compile("[A-Za-z][0-9A-Za-z]+")


def last(version: int) -> str:
    """A position after all that were issued for smaller versions."""
    return _integer(version)


@cache
def last_in_sql(version: str) -> str:
    """The same as an expression of PostgreSQL."""
    lengths: list[tuple[int, int]] = []
    smaller = 0
    while smaller < 2**63:
        lengths.append((len(lengths) + 1, smaller))
        smaller += BASE ** len(lengths)
    integer = f"{version} - smaller"
    digits = (f"mod(({integer}) / {BASE**power}, {BASE})" for power in reversed(range(len(lengths))))
    letters = " || ".join(f"substr(digits, 1 + {digit}::int, 1)" for digit in digits)
    values = ", ".join(map(str, lengths))
    return (
        f"(SELECT chr({ord('a') - 1} + length) || right({letters}, length) "  # noqa: S608
        f"FROM (VALUES ('{DIGITS}')) AS base (digits), (VALUES {values}) AS integers (length, smaller) "
        f"WHERE smaller <= {version} ORDER BY length DESC LIMIT 1)"
    )


def first(version: int) -> str:
    """A position before all that were issued for smaller versions."""
    return _integer(-version)


def between(low: str, high: str) -> str:
    """The shortest position between two others."""
    if low >= high:
        raise ValueError(f"{low} is not before {high}.")
    (low_integer, low_fraction), (high_integer, high_fraction) = _split(low), _split(high)
    if low_integer == high_integer:
        return low_integer + _middle(low_fraction, high_fraction)
    following = _integer(integer_of(low) + 1)
    return following if following < high else low_integer + _middle(low_fraction, None)


def is_position(text: str) -> bool:
    if len(text) > MAX_LENGTH or not FORMAT.fullmatch(text):
        return False
    integer, fraction = _split(text)
    return len(integer) == _length(text[0]) and not fraction.endswith("0")


def integer_of(position: str) -> int:
    head, digits = position[0], _split(position)[0][1:]
    value = 0
    for digit in digits:
        value = value * BASE + DIGITS.index(digit)
    smaller = sum(BASE**length for length in range(1, len(digits)))
    return value + smaller if head >= "a" else value - smaller - BASE ** len(digits)


def _integer(value: int) -> str:
    rest, length = (value, 1) if value >= 0 else (-value - 1, 1)
    while rest >= BASE**length:
        rest -= BASE**length
        length += 1
    head = chr(ord("a") + length - 1) if value >= 0 else chr(ord("Z") - length + 1)
    rest = rest if value >= 0 else BASE**length - 1 - rest
    digits = ""
    for _ in range(length):
        rest, digit = divmod(rest, BASE)
        digits = DIGITS[digit] + digits
    return head + digits


def _length(head: str) -> int:
    """The length of an integer with its first letter."""
    return ord(head) - ord("a") + 2 if head >= "a" else ord("Z") - ord(head) + 2


def _split(position: str) -> tuple[str, str]:
    length = _length(position[0])
    return position[:length], position[length:]


def _middle(low: str, high: str | None) -> str:
    """A fraction between two; without an upper one, below 1."""
    if high is not None:
        same = 0
        while same < len(high) and (low[same : same + 1] or "0") == high[same]:
            same += 1
        if same:
            return high[:same] + _middle(low[same:], high[same:])
    low_digit = DIGITS.index(low[0]) if low else 0
    high_digit = DIGITS.index(high[0]) if high else BASE
    if high_digit - low_digit > 1:
        return DIGITS[(low_digit + high_digit + 1) // 2]
    if high is not None and len(high) > 1:
        return high[0]
    return DIGITS[low_digit] + _middle(low[1:], None)
