"""A user's objects in an export."""

from collections.abc import Iterable, Iterator
from typing import Any

import orjson

from todo_project.operations.exporting import Section, exporters

from .kinds import Kind, kind_of, kinds, owned


@exporters.register("objects")
def objects(user: Any) -> Iterator[Section]:
    """A section for each kind, including the trash, in the order of their versions."""
    for kind in referenced_first(kinds.values()):
        rows = kind.versions_and_json(owned(kind, user)).in_batches_by("version")
        yield kind.plural, (orjson.Fragment(text) for _, text in rows)


def referenced_first(selected: Iterable[Kind]) -> list[Kind]:
    """Kinds after those that they refer to, so that an import finds what its rows refer to."""
    ordered: list[Kind] = []
    for kind in selected:
        targets = [kind_of(model) for model in kind.model.containers().values() if model is not kind.model]
        targets += [kinds[link.target_of(kind.name)] for link in kind.links.values()]
        ordered += [each for each in [*referenced_first(targets), kind] if each not in ordered]
    return ordered
