"""Reads an export row by row, so that its size costs no memory, and validates everything in it.

Each app registers a function per section in its module `importing`; it takes the rows of that section.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn, TextIO

from rest_framework.fields import CharField, empty
from rest_framework.serializers import ValidationError

from todo_project.api.error_handling import flatten
from todo_project.api.serializers import StrictSerializer
from todo_project.config.registry import Registry

BATCH_SIZE = 1_000
CHUNK_SIZE = 1 << 16
MAX_ROW_LENGTH = 1 << 20
"""No row of an export is as long. The end of a broken row is not searched for any further."""
NOT_SPACE = re.compile(r"[^ \t\r\n]")

Member = tuple[str, dict[str, Any] | Iterator[Any]]


class NotImportable(Exception):
    """The message begins with the place in the file, such as tasks.17.title."""


@dataclass
class Outcome:
    """Counts of a section's rows, by what the import did with them."""

    new: int = 0
    equal: int = 0
    differ: int = 0
    """Rows that already exist with other values."""

    def add(self, existing: Sequence[Any], values: dict[str, Any], *, replace: bool) -> bool:
        """Count a row of the file, and return whether to write it."""
        if not existing:
            self.new += 1
        elif all(is_equal(row, values) for row in existing):
            self.equal += 1
            return False
        else:
            self.differ += 1
        return replace or not existing


@dataclass(frozen=True)
class Import:
    """The target account and the options of an import."""

    user: Any
    replace: bool
    """Whether the file's values overwrite existing ones."""
    progress: Callable[[str], None]
    is_new: bool
    """Whether the import created the account, so that no row of it can exist yet."""


Importer = Callable[[Import, Iterable[Any]], Outcome]

importers: Registry[Importer] = Registry("importers")


class ExportedSerializer(StrictSerializer):
    """Makes every field of a serializer required and writable, and leaves its texts as they are."""

    def get_fields(self) -> dict[str, Any]:
        fields = super().get_fields()
        for field in fields.values():
            _require(field)
        return fields


def _require(field: Any) -> None:
    field.read_only, field.required, field.default = False, True, empty
    if isinstance(field, CharField):
        field.trim_whitespace = False
    for inner in getattr(field, "fields", {}).values():
        _require(inner)


def is_equal(row: Any, values: dict[str, Any]) -> bool:
    """Whether an existing row has the values from the file."""
    return all(getattr(row, row._meta.get_field(name).attname) == value for name, value in values.items())


def validated(section: str, serializer: Any, rows: Iterable[Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The place and the validated values of each row."""
    for index, row in enumerate(rows):
        place = f"{section}.{index}"
        yield place, validate(place, serializer, row)


def validate(place: str, serializer: Any, row: Any) -> dict[str, Any]:
    try:
        values: dict[str, Any] = serializer.run_validation(row)
    except ValidationError as error:
        first = next(flatten(error.get_full_details(), (place,)))
        raise NotImportable(f"{first['field']}: {first['message']}") from error
    return values


class Reader:
    """Parses one JSON object. A member is an object, or a list that is given as an iterator over its rows."""

    def __init__(self, file: TextIO) -> None:
        self.file = file
        self.text, self.position, self.line = "", 0, 1
        self.decode = json.JSONDecoder(parse_constant=self._refuse_constant).raw_decode

    def members(self) -> Iterator[Member]:
        names: set[str] = set()
        self._take("{")
        while not names or self._take(",", "}") == ",":
            name = self._value('"')
            if name in names:
                self._fail(f"{name!r} occurs twice")
            names.add(name)
            self._take(":")
            if self._next() == "[":
                rows = self._rows()
                yield name, rows
                for _ in rows:  # Rows that the caller left must be valid JSON, too.
                    pass
            else:
                yield name, self._value("{")
        if self._next():
            self._fail("unexpected text after the end")

    def _rows(self) -> Iterator[Any]:
        self._take("[")
        if self._next() == "]":
            self._take("]")
            return
        yield self._value("{")
        while self._take(",", "]") == ",":
            yield self._value("{")

    def _next(self) -> str:
        """The next character that is not white space, or nothing at the end."""
        while not (found := NOT_SPACE.search(self.text, self.position)):
            self.position = len(self.text)
            if not self._read_on():
                return ""
        self.position = found.start()
        return found[0]

    def _take(self, *expected: str) -> str:
        found = self._next()
        if found not in expected:
            self._fail(
                f"expected {' or '.join(expected)}, found {found!r}" if found else "unexpected end of file"
            )
        self.position += 1
        return found

    def _value(self, opening: str) -> Any:
        """A string or an object. Both mark their end; half a number would look like a complete one."""
        self._take(opening)
        self.position -= 1
        while True:
            try:
                value, self.position = self.decode(self.text, self.position)
            except RecursionError:
                self._fail("nested too deeply")
            except ValueError as error:
                too_long = len(self.text) - self.position > MAX_ROW_LENGTH
                if too_long or not self._read_on():
                    self._fail(f"invalid or incomplete JSON: {getattr(error, 'msg', error)}")
            else:
                return value

    def _read_on(self) -> bool:
        try:
            more = self.file.read(CHUNK_SIZE)
        except UnicodeDecodeError as error:
            raise NotImportable(f"line {self.line} or later: not UTF-8.") from error
        self.line += self.text.count("\n", 0, self.position)
        self.text, self.position = self.text[self.position :] + more, 0
        return bool(more)

    def _fail(self, problem: str) -> NoReturn:
        line = self.line + self.text.count("\n", 0, self.position)
        raise NotImportable(f"line {line}: {problem}.") from None

    @staticmethod
    def _refuse_constant(name: str) -> NoReturn:
        raise ValueError(f"{name} is not JSON")
