"""Querysets of owned objects, tombstones and clocks. Other modules do not filter by columns."""

import operator
import uuid
from collections.abc import Collection, Iterator
from datetime import datetime
from functools import cache, reduce
from typing import Any, Self

from django.core.exceptions import EmptyResultSet
from django.db import connection
from django.db.models import (
    BigIntegerField,
    BooleanField,
    CharField,
    DateTimeField,
    Exists,
    Expression,
    Func,
    OuterRef,
    Q,
    QuerySet,
    Value,
    Window,
)
from django.db.models.expressions import RawSQL
from django.db.models.functions import RowNumber
from django.utils import timezone

from todo_project.db.compiled import (
    AnyOf,
    CompiledQuery,
    CompiledUpdate,
    Placeholders,
    Statement,
    update_many,
)
from todo_project.db.querysets import OwnedQuerySet

BATCH_SIZE = 1000

Ids = Collection[uuid.UUID] | QuerySet[Any, Any] | Placeholders
"""At least one; or a query or placeholders for them."""


OF_ALL_OWNERS = Q(version__gt=0)
"""True for every object. Indexes for lists of all owners' objects have this condition, so that PostgreSQL
does not choose them for a page of one owner: it would read the later objects of all others first."""


class VersionedQuerySet(OwnedQuerySet):
    def since(self, version: int) -> Self:
        return self.filter(version__gt=version)

    def up_to(self, version: int) -> Self:
        return self.filter(version__lte=version)


class ObjectQuerySet(VersionedQuerySet):
    """Objects of one kind."""

    def of_all_owners(self) -> Self:
        """For lists that the indexes with this condition serve."""
        return self.filter(OF_ALL_OWNERS)

    def live(self) -> Self:
        return self.filter(deleted_at__isnull=True)

    def trashed(self) -> Self:
        return self.filter(deleted_at__isnull=False)

    def trashed_before(self, at: datetime) -> Self:
        return self.trashed().filter(deleted_at__lt=at)

    def trashed_with(self, objects: Self) -> Self:
        """Those that were moved to the trash along with one of these objects."""
        return self.filter(deleted_at__in=objects.trashed().values("deleted_at"))

    def created_before(self, at: datetime) -> Self:
        return self.filter(created_at__lt=at)

    def created_after(self, at: datetime) -> Self:
        return self.filter(created_at__gt=at)

    def updated_after(self, at: datetime) -> Self:
        return self.filter(updated_at__gt=at)

    def with_ids(self, ids: Ids) -> Self:
        return self.filter(AnyOf("pk", ids) if isinstance(ids, Placeholders) else Q(pk__in=ids))

    def with_contents(self, ids: Ids) -> Self:
        """The objects with these ids, and those that are in them."""
        return self._tree(ids, step="row.parent_id = tree.id")

    def with_containers(self, ids: Ids) -> Self:
        """The objects with these ids, and those that they are in."""
        return self._tree(ids, step="row.id = tree.parent_id")

    def _tree(self, ids: Ids, *, step: str) -> Self:
        """Follows the foreign key `parent`, if the model has one. Django has no recursive queries."""
        first = self.with_ids(ids)
        if "parent" not in self.model.containers():
            return first
        # All steps read these rows: with their owner, each is of one node in a distributed database.
        (start, start_params), (rows, params) = (
            each.order_by().values("id", "owner_id", "parent_id").query.sql_with_params()
            for each in (first, self)
        )
        tree = (
            f"WITH RECURSIVE tree (id, owner_id, parent_id) AS ({start} UNION "  # noqa: S608
            f"SELECT row.id, row.owner_id, row.parent_id FROM ({rows}) AS row "
            f"JOIN tree ON row.owner_id = tree.owner_id AND {step}) SELECT id FROM tree"
        )
        return self.filter(pk__in=RawSQL(tree, [*start_params, *params]))  # noqa: S611

    def search_text(self, text: str) -> Self:
        """The text in one of the model's search columns, case-insensitive."""
        matches = (Q(**{f"{column}__icontains": text}) for column in self.model.search_columns)
        return self.filter(reduce(operator.or_, matches))

    def delete_with_links(self) -> None:
        """Without loading the rows, as delete() would do for the links."""
        for link, name in self.model.link_tables().items():
            links = link.objects.filter(Exists(self.filter(owner=OuterRef("owner"), pk=OuterRef(name))))
            links.delete()
        self.delete()

    def latest_change_first(self) -> Self:
        """For the objects of one owner."""
        return self.order_by("-version")

    def latest_trashed_first(self) -> Self:
        return self.order_by("-deleted_at", "-pk")

    def in_batches_by(self, key: str) -> Iterator[Any]:
        """Iterate over a values_list() whose first column is the key, in the order of the key.

        iterator() loads all rows into memory behind a pooler, which does not support server-side cursors.
        """
        rows = self.order_by(key)
        batch = list(rows[:BATCH_SIZE])
        yield from batch
        while len(batch) == BATCH_SIZE:
            batch = list(rows.filter(**{f"{key}__gt": batch[-1][0]})[:BATCH_SIZE])
            yield from batch


class TombstoneQuerySet(VersionedQuerySet):
    def purged_before(self, at: datetime) -> Self:
        return self.filter(purged_at__lt=at)

    def with_ids(self, ids: Collection[uuid.UUID]) -> Self:
        return self.filter(object_id__in=ids)

    def replace(
        self, kind: str, rows: ObjectQuerySet, owner_id: uuid.UUID, *, after: int, at: datetime
    ) -> int:
        """Replace objects of an owner by tombstones, in the order of the queryset, and return their number.

        The versions follow `after`. INSERT … SELECT, so that no rows are loaded into memory.
        """
        numbers = Window(RowNumber(), order_by=rows.query.order_by or "pk")  # type: ignore[arg-type]
        tombstones = rows.order_by().values_list(
            "owner_id",
            "id",
            Value(kind, CharField()),
            Value(after, BigIntegerField()) + numbers,
            Value(at, DateTimeField()),
        )
        try:
            sql, params = tombstones.query.sql_with_params()
        except EmptyResultSet:
            return 0
        table = connection.ops.quote_name(self.model._meta.db_table)
        with connection.cursor() as cursor:
            cursor.execute(
                f"INSERT INTO {table} (owner_id, object_id, kind, version, purged_at) {sql}",
                params,
            )
            number = int(cursor.rowcount)
        if number:
            replaced = self.filter(owner=owner_id).since(after)
            rows.order_by().filter(pk__in=replaced.values("object_id")).delete_with_links()
        return number


class DatabaseTime(Expression):
    """The present time by the database's clock, which all servers share. Now() is that of the statement.

    NULL on SQLite, which is in this process, and counts milliseconds only.
    """

    output_field = DateTimeField()

    def as_sql(self, compiler: Any, connection: Any) -> Any:
        return "clock_timestamp()" if connection.vendor == "postgresql" else "NULL", []


class IsInRecovery(Func):
    """Whether the server is a standby; false from its promotion on."""

    function = "pg_is_in_recovery"
    output_field = BooleanField()


class ClockQuerySet(OwnedQuerySet):
    CHANGED = ("tick", "counts")
    """The columns that a write changes."""

    model: Any

    def at(self, epoch: Any, tick: Any, prune_count: Any) -> Self:
        """Where nothing of the owner's objects and of the feed has changed since."""
        return self.filter(epoch=epoch, tick=tick, prune_count=prune_count)

    def on_standby(self) -> Self:
        """A standby that has been promoted counts versions of its own."""
        return self.filter(IsInRecovery())

    def lock(self, owner: Any) -> Any:
        """Lock the owner's clock until the end of the transaction, which makes the owner's writes serial."""
        query = _lock_query(self.model)
        rows = query(owner=owner.pk)
        if not rows:
            self.bulk_create([self.model(owner_id=owner.pk)], ignore_conflicts=True)
            rows = query(owner=owner.pk)
        *values, at = rows[0]
        clock = self.model.from_db(connection.alias, _columns(self.model), values)
        # Times increase with versions: PostgreSQL evaluates this again if it has waited for another write.
        clock.locked_at = at or timezone.now()
        return clock

    def lock_many(self, owners: Collection[uuid.UUID]) -> dict[uuid.UUID, Any]:
        """In the order of their keys, so that two calls cannot deadlock."""
        rows = self.filter(pk__in=owners).select_related("owner").order_by("pk")
        rows = rows.select_for_update(of=("self",), no_key=True).annotate(locked_at=DatabaseTime())
        clocks = list(rows)
        at = max((clock.locked_at for clock in clocks if clock.locked_at), default=timezone.now())
        for clock in clocks:
            clock.locked_at = at
        return {clock.pk: clock for clock in clocks}

    def store(self, *clocks: Any) -> None:
        """Write locked clocks."""
        update_many(clocks, self.CHANGED, key=["owner"])

    def store_statement(self, clock: Any) -> Statement:
        return _store_query(self.model).statement(clock, owner=clock.pk)


def _columns(model: Any) -> list[str]:
    return [column.attname for column in model._meta.concrete_fields]


@cache
def _lock_query(model: Any) -> CompiledQuery:
    rows = model.objects.select_for_update(no_key=True)
    return CompiledQuery(
        lambda owner: rows.for_user(owner).values_list(*_columns(model), DatabaseTime()),
        owner=model._meta.pk.target_field,
    )


@cache
def _store_query(model: Any) -> CompiledUpdate:
    fields = [model._meta.get_field(name) for name in ClockQuerySet.CHANGED]
    return CompiledUpdate(
        lambda owner: model.objects.for_user(owner), fields, owner=model._meta.pk.target_field
    )
