"""Imports a user's objects from an export: with ids and times, and with new versions in the old order."""

import uuid
from collections import Counter
from collections.abc import Iterable
from functools import cache, partial
from itertools import islice
from typing import Any

from django.utils import timezone
from django.utils.module_loading import autodiscover_modules
from rest_framework.serializers import ValidationError

from todo_project.api.errors import ValidationFailed
from todo_project.db.compiled import execute_all, update_many
from todo_project.operations.importing import (
    BATCH_SIZE,
    ExportedSerializer,
    Import,
    NotImportable,
    Outcome,
    importers,
    validated,
)

from .kinds import Kind, kinds, owned
from .models import Clock, OwnedObject, Tombstone
from .problems import find_problems
from .writes import Draft, link_statements

Row = tuple[str, dict[str, Any]]


@cache
def exported_serializer(kind: Kind) -> Any:
    """For an object as the API writes it."""
    serializer = type("ExportedObjectSerializer", (ExportedSerializer, kind.serializer_class), {})()
    for name in [name for name, field in serializer.fields.items() if field.write_only]:
        del serializer.fields[name]
    for name in kind.fields:
        # Unlike a request, an export has null only where the database has.
        serializer.fields[name].allow_null = kind.model._meta.get_field(name).null
    if not kind.has_trash:
        serializer.fields["deleted_at"].validators = [must_be_null]
    return serializer


def must_be_null(value: Any) -> None:
    raise ValidationError("This field must be null.")


def import_objects(kind: Kind, into: Import, rows: Iterable[Any]) -> Outcome:
    """Locks the owner's clock, so that no other writer changes the objects until the transaction ends."""
    outcome, last_version = Outcome(), 0
    if into.is_new:
        # The account may have existed before. From the time in seconds on, its versions are greater than all
        # that the old account gave out, so that an old ETag never matches a new version.
        tick = int(timezone.now().timestamp())
        Clock.objects.bulk_create([Clock(owner_id=into.user.pk, tick=tick)], ignore_conflicts=True)
    clock = Clock.objects.lock(into.user)
    before, section = clock.tick, kind.plural
    validated_rows = validated(section, exported_serializer(kind), rows)
    while batch := list(islice(validated_rows, BATCH_SIZE)):
        for place, values in batch:
            if values["version"] <= last_version:
                raise NotImportable(
                    f"{place}.version: {section.title()} must be in the order of their versions."
                )
            last_version = values.pop("version")
            if values.pop("user_id") != into.user.pk:
                raise NotImportable(f"{place}.user_id: This {kind.name} belongs to another account.")
        # Positions are made from versions: those of new objects must come after all imported ones.
        clock.tick = max(clock.tick, last_version)
        _store(kind, into, batch, outcome, clock, before)
        into.progress(f"{section}: {outcome.new + outcome.equal + outcome.differ} so far")
    for problem in find_problems(kind, into.user):
        raise NotImportable(f"{section}: {problem}")
    return outcome


def _store(kind: Kind, into: Import, batch: list[Row], outcome: Outcome, clock: Clock, before: int) -> None:
    existing = _existing(kind, into, batch, before)
    changed, columns = [], {"version"}
    drafts = []
    for place, values in batch:
        found = [existing[values["id"]]] if values["id"] in existing else []
        if outcome.add(found, values, replace=into.replace):
            new = kind.model(owner_id=into.user.pk, version=clock.next_version())
            try:
                columns |= new.set_fields(values, at=values["updated_at"])
            except ValidationFailed as error:
                raise NotImportable(f"{place}.{error.details['field']}: {error.message}") from error
            changed.append(new)
            links = {name: getattr(each, name) for each in found for name in kind.links}
            drafts.append(Draft(kind, new, loaded_links=links, columns={*kind.links}))
    # Only this owner's objects are overwritten: an id that another user took meanwhile is rejected.
    replaced = [each for each in changed if each.pk in existing]
    created = [each for each in changed if each.pk not in existing]
    states = Counter(each.state for each in changed)
    states.subtract(existing[each.pk].state for each in replaced)
    clock.count(kind.name, states)
    if created:
        kind.check_quota(clock)
    Clock.objects.store(clock)
    update_many(replaced, columns - {"id"}, key=["owner", "id"])
    kind.model.objects.bulk_create(created)
    for statement in link_statements(drafts):
        execute_all(statement)
    # An object that exists has no tombstone: its key can be used again, and so can purging.
    Tombstone.objects.for_user(into.user).with_ids([each.pk for each in created]).delete()


def _existing(kind: Kind, into: Import, batch: list[Row], before: int) -> dict[uuid.UUID, OwnedObject]:
    """The objects of this batch that exist; rejects ids of other users and kinds, and repeated ones."""
    ids = [values["id"] for _, values in batch]
    existing: dict[uuid.UUID, Any] = kind.model.objects.in_bulk(ids)
    others = {
        found: other
        for other in kinds.values()
        if other is not kind
        for found in owned(other, into.user).with_ids(ids).values_list("pk", flat=True)
    }
    seen = set()
    for place, values in batch:
        found = existing.get(values["id"])
        if found and found.owner_id != into.user.pk:
            raise NotImportable(f"{place}.id: Another user has a {kind.name} with this id.")
        if other := others.get(values["id"]):
            raise NotImportable(f"{place}.id: A {other.name} has this id.")
        if values["id"] in seen or (found and found.version > before):
            raise NotImportable(f"{place}.id: This {kind.name} is in the file twice.")
        seen.add(values["id"])
    return existing


autodiscover_modules("kinds")
for each in kinds.values():
    importers[each.plural] = partial(import_objects, each)
