"""The order of siblings: an object is put after or before another one, and gets a position between two."""

import uuid
from collections.abc import Mapping
from typing import Any

from django.db.models import CharField, Expression

from todo_project.api.errors import ValidationFailed

from . import positions

DIRECTIONS = {"after", "before"}


def anchors(values: Mapping[str, Any]) -> set[uuid.UUID]:
    """The objects that `after` and `before` name."""
    return {each for name in DIRECTIONS for each in _wanted(values.get(name)) if each is not None}


class LastPosition(Expression):
    """The position at the end for a version that is an expression, too."""

    output_field = CharField()

    def __init__(self, version: Expression) -> None:
        super().__init__()
        self.version = version

    def as_sql(self, compiler: Any, connection: Any) -> Any:
        sql, params = self.version.as_sql(compiler, connection)
        return positions.last_in_sql(sql), params


def last_position(write: Any) -> Any:
    version = write.next_version
    return LastPosition(version) if isinstance(version, Expression) else positions.last(version)


def place(each: Any, values: Mapping[str, Any], write: Any, *, has_moved: bool) -> set[str]:
    """Put an object where `after` or `before` say. Its neighbours have been loaded."""
    [direction] = DIRECTIONS & values.keys()
    anchor = _anchor(each, direction, values[direction], write)
    if anchor is None:
        end = positions.first if direction == "after" else positions.last
        return _set(each, end(write.next_version), write)
    others = [other for other in _siblings(each, write) if other.position != anchor.position]
    smaller = max((other.position for other in others if other.position < anchor.position), default=None)
    greater = min((other.position for other in others if other.position > anchor.position), default=None)
    low, high = (anchor.position, greater) if direction == "after" else (smaller, anchor.position)
    if not has_moved and (low is None or low < each.position) and (high is None or each.position < high):
        return set()  # It is there already.
    if low is None:
        return _set(each, positions.first(write.next_version), write)
    if high is None:
        return _set(each, positions.last(write.next_version), write)
    position = positions.between(low, high)
    if len(position) <= positions.MAX_LENGTH:
        return _set(each, position, write)
    return _set(each, _renumber(each, low, write), write)


def _anchor(each: Any, direction: str, wanted: Any, write: Any) -> Any:
    """The first of the wanted siblings that is still there; None for the end of the list."""
    for object_id in _wanted(wanted):
        if object_id is None:
            return None
        found = write.find(type(each), object_id)
        if found is not None and found is not each and found.sibling_key == each.sibling_key:
            return found
    message = (
        f"{direction.title()} must be null or the ID of another {each._meta.verbose_name} in the same list, "
        "or a list in which one is."
    )
    raise ValidationFailed.of(direction, "does_not_exist", message)


def _wanted(value: Any) -> list[uuid.UUID | None]:
    return value if isinstance(value, list) else [value]


def _siblings(each: Any, write: Any) -> list[Any]:
    """The loaded ones, including the trash."""
    return [
        other
        for other in write.objects(type(each))
        if other is not each and other.sibling_key == each.sibling_key
    ]


def _renumber(each: Any, low: str, write: Any) -> str:
    """Give all siblings short positions, and return one for this object after the position `low`."""
    write.load(*write.rows(type(each)).siblings_of(each))
    siblings = sorted(_siblings(each, write), key=lambda other: (other.position, other.pk))
    at = sum(other.position <= low for other in siblings)
    new = [positions.last(write.next_version + number) for number in range(len(siblings) + 1)]
    for other, position in zip(siblings, new[:at] + new[at + 1 :], strict=True):
        write.change(other, position=position)
    return new[at]


def _set(each: Any, position: str, write: Any) -> set[str]:
    changed: set[str] = each.set_fields({"position": position}, at=write.at)
    return changed
