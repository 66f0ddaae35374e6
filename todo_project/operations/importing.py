"""Reading again what an export wrote: piece by piece, so that its size does not matter, and trusting nothing.

Each function that settings.IMPORTED names takes the rows of one section; each room imports its own.
"""

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, NoReturn, TextIO

from rest_framework.serializers import ValidationError

from todo_project.api.error_handling import flatten

AT_ONCE = 1_000
CHUNK = 1 << 16
LONGEST = 1 << 20
"""No row of an export is as long. A broken file must not be read whole to find the end of a row."""

Member = tuple[str, dict[str, Any] | Iterator[Any]]


class NotImportable(Exception):
    """The message names the place, such as tasks.17.title."""


@dataclass
class Outcome:
    """What became of a section's rows."""

    new: int = 0
    equal: int = 0
    differ: int = 0
    """Those that are here already, with other values."""


@dataclass(frozen=True)
class Import:
    """For whom rows are imported, and how."""

    user: Any
    replace: bool
    """Whether the file's values win; else what is here is left as it is."""
    progress: Callable[[str], None]
    is_new: bool
    """Whether this account was made by the import: then nothing of it can be here already."""


def is_equal(row: Any, values: dict[str, Any]) -> bool:
    """Whether what is here is as the file has it."""
    return all(getattr(row, name) == value for name, value in values.items())


def checked(section: str, serializer: Any, rows: Iterable[Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each row as this serializer understands it, with its place."""
    for index, row in enumerate(rows):
        place = f"{section}.{index}"
        yield place, check(place, serializer, row)


def check(place: str, serializer: Any, row: Any) -> dict[str, Any]:
    try:
        values: dict[str, Any] = serializer.run_validation(row)
    except ValidationError as error:
        first = next(flatten(error.get_full_details(), (place,)))
        raise NotImportable(f"{first['field']}: {first['message']}") from error
    return values


class Reader:
    """The members of one JSON object: an object at once, a list as an iterator over its rows."""

    def __init__(self, file: TextIO) -> None:
        self.file = file
        self.text, self.at, self.line = "", 0, 1
        self.decode = json.JSONDecoder(parse_constant=self._refuse_constant).raw_decode

    def members(self) -> Iterator[Member]:
        seen = set()
        self._take("{")
        while True:
            name = self._value('"')
            if name in seen:
                self._fail(f"a second {name!r}")
            seen.add(name)
            self._take(":")
            if self._next() == "[":
                rows = self._rows()
                yield name, rows
                for _ in rows:  # What was not asked for is passed over, and has to be JSON all the same.
                    pass
            else:
                yield name, self._value("{")
            if self._take(",", "}") == "}":
                break
        if self._next():
            self._fail("more after the end")

    def _rows(self) -> Iterator[Any]:
        self._take("[")
        if self._next() == "]":
            self._take("]")
            return
        while True:
            yield self._value("{")
            if self._take(",", "]") == "]":
                return

    def _next(self) -> str:
        """The next character that is not white space; nothing at the end."""
        while True:
            while self.at < len(self.text):
                if self.text[self.at] not in " \t\r\n":
                    return self.text[self.at]
                self.at += 1
            if not self._read_on():
                return ""

    def _take(self, *expected: str) -> str:
        found = self._next()
        if found not in expected:
            self._fail(f"{found!r} instead of {' or '.join(expected)}" if found else "the file breaks off")
        self.at += 1
        return found

    def _value(self, opening: str) -> Any:
        """A text or an object, which end by themselves: half a number would look like a whole one."""
        self._take(opening)
        self.at -= 1
        while True:
            try:
                value, self.at = self.decode(self.text, self.at)
            except RecursionError:
                self._fail("nested too deep")
            except ValueError as error:
                too_long = len(self.text) - self.at > LONGEST
                if too_long or not self._read_on():
                    self._fail(f"not JSON, or not whole: {getattr(error, 'msg', error)}")
            else:
                return value

    def _read_on(self) -> bool:
        try:
            more = self.file.read(CHUNK)
        except UnicodeDecodeError as error:
            raise NotImportable(f"line {self.line} or later: not UTF-8.") from error
        self.line += self.text.count("\n", 0, self.at)
        self.text, self.at = self.text[self.at :] + more, 0
        return bool(more)

    def _fail(self, what: str) -> NoReturn:
        line = self.line + self.text.count("\n", 0, self.at)
        raise NotImportable(f"line {line}: {what}.") from None

    @staticmethod
    def _refuse_constant(name: str) -> NoReturn:
        raise ValueError(f"{name} is not JSON")
