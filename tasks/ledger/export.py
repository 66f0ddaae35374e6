"""A user's objects in an export."""

from collections.abc import Iterator
from typing import Any

import orjson

from todo_project.operations.exporting import Section, exporters

from .kinds import kinds, owned


@exporters.register("objects")
def objects(user: Any) -> Iterator[Section]:
    """A section for each kind, including the trash, in the order of their versions."""
    for kind in kinds.values():
        rows = kind.versions_and_json(owned(kind, user)).in_batches_by("version")
        yield kind.plural, (orjson.Fragment(text) for _, text in rows)
