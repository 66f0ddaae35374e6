"""What is wrong with an owner's objects that no constraint prevents: on SQLite, and after an import."""

from collections.abc import Iterator
from typing import Any

from .kinds import Kind, kind_of, kinds, owned


def find_problems(kind: Kind, owner: Any) -> Iterator[str]:
    """References to nothing, and what the kind itself finds."""
    rows = owned(kind, owner)
    for name, model in kind.model.containers().items():
        there = owned(kind_of(model), owner).values("pk")
        lost = rows.filter(**{f"{name}__isnull": False}).exclude(**{f"{name}__in": there})
        for object_id in lost.values_list("pk", flat=True)[:1]:
            yield f"The {name} of {kind.name} {object_id} does not exist."
    for link in kind.links.values():
        target = link.target_of(kind.name)
        there = owned(kinds[target], owner).values("pk")
        missing = link.objects.for_user(owner).exclude(**{f"{target}__in": there})
        for object_id in missing.values_list(kind.name, flat=True)[:1]:
            yield f"A {target} of {kind.name} {object_id} does not exist."
    if kind.problems:
        yield from kind.problems(rows)
