"""Querysets of tasks, projects and labels. Other modules do not filter by columns."""

import operator
import uuid
from collections.abc import Callable, Collection
from datetime import date, datetime, timedelta
from functools import cache, partial, reduce
from typing import Any, Self
from zoneinfo import ZoneInfo

from django.db.models import (
    Count,
    Exists,
    F,
    FilteredRelation,
    IntegerField,
    OuterRef,
    Q,
    Subquery,
    Value,
)
from django.db.models.functions import Coalesce, TruncDate
from django.db.models.lookups import Exact

from .ledger.querysets import ObjectQuerySet

MAX_UTC_OFFSET = timedelta(hours=14)


def is_overdue(*, at: datetime, today: date) -> Q:
    """A time is overdue when it has passed, a day when it has ended."""
    # The condition on due_by is true for all of them, and has an index.
    in_any_zone = Q(completed=False, due_by__lt=at + MAX_UTC_OFFSET)
    return in_any_zone & (Q(due_at__lt=at) | Q(due_date__lt=today))


class OrderedQuerySet(ObjectQuerySet):
    """Objects with positions among their siblings."""

    def nested_beyond(self, levels: int) -> Self:
        """In more levels; those in a circle are in infinitely many."""
        # The owner is in each join, because a distributed database joins only within an owner's rows.
        within_owner = {f"{'parent__' * level}owner": F("owner") for level in range(1, levels)}
        return self.filter(**{f"{'parent__' * levels}isnull": False}, **within_owner)

    def live_in_trash(self) -> Self:
        """Not in the trash themselves, but in an object that is."""
        live = self.live()
        in_trashed = (
            live.filter(**{f"{name}__deleted_at__isnull": False, f"{name}__owner": F("owner")})
            for name in self.model.containers()
        )
        return live.filter(reduce(operator.or_, (Q(pk__in=rows.values("pk")) for rows in in_trashed)))

    def siblings_of(self, each: Any) -> Self:
        return self.filter(**{name: getattr(each, f"{name}_id") for name in self.model.siblings_share})


@cache
def neighbour_lookups(model: Any) -> list[Callable[[Any, Any], Any]]:
    """How to find objects and their siblings before and after. Those in the trash keep their places.

    Siblings are in the same object, such as the parent of a subtask, or are in none. Each is a query of
    its own, because an index does not find what is equal or missing in both rows.
    """

    def find(rows: Any, ids: Any) -> Any:
        return rows(model).with_ids(ids)

    def find_beside(rows: Any, ids: Any, *, number: int, ordering: str, comparison: str) -> Any:
        shared = model.siblings_share
        without = {f"{name}__isnull": True for name in shared[:number]}
        within = shared[number : number + 1]
        named = find(rows, ids).filter(**without, **{f"{name}__isnull": False for name in within})
        siblings = rows(model).filter(**without, **{name: OuterRef(name) for name in within})
        beside = siblings.filter(**{f"position__{comparison}": OuterRef("position")})
        nearest = Subquery(beside.order_by(ordering).values("pk")[:1])
        return rows(model).filter(pk__in=named.values_list(nearest))

    return [find] + [
        partial(find_beside, number=number, ordering=ordering, comparison=comparison)
        for number in range(len(model.siblings_share) + 1)
        for ordering, comparison in (("position", "gt"), ("-position", "lt"))
    ]


class ProjectQuerySet(OrderedQuerySet):
    def archived(self) -> Self:
        return self.filter(archived_at__isnull=False)

    def active(self) -> Self:
        return self.filter(archived_at__isnull=True)

    def archived_with(self, projects: Self) -> Self:
        """Those that were archived along with one of these projects."""
        return self.filter(archived_at__in=projects.archived().values("archived_at"))

    def by_owner(self) -> Self:
        """For all owners' archived projects, which have an index in this order."""
        return self.order_by("owner", "pk")

    def directly_in(self, project_id: uuid.UUID) -> Self:
        return self.filter(parent=project_id)

    def without_parent(self) -> Self:
        return self.filter(parent__isnull=True)

    def containing(self, tasks: "TaskQuerySet") -> Self:
        return self.filter(pk__in=tasks.values("project"))


class LabelQuerySet(OrderedQuerySet):
    def named(self, comparable_names: Collection[str]) -> Self:
        return self.filter(comparable_name__in=comparable_names)


class TaskQuerySet(OrderedQuerySet):
    def apart_from_parents(self) -> Self:
        """Subtasks in another project than the task that they are in."""
        same = Q(parent__project=F("project"), project__isnull=False, parent__project__isnull=False)
        neither = Q(project__isnull=True, parent__project__isnull=True)
        together = self.filter(same | neither, parent__owner=F("owner")).values("pk")
        return self.filter(parent__isnull=False).exclude(pk__in=together)

    def in_project(self, project_id: uuid.UUID) -> Self:
        return self.filter(project=project_id)

    def without_project(self) -> Self:
        return self.filter(project__isnull=True)

    def in_active_projects(self, owner: Any) -> Self:
        projects = self.model._meta.get_field("project").related_model.objects
        # Not the owner of the outer query, which a distributed database takes for any owner.
        archived = projects.for_user(owner).archived().filter(pk=OuterRef("project"))
        # For EXISTS, PostgreSQL may read the archived projects of all owners. For NOT IN it expects that half
        # of the tasks are left out, and prefers plans that sort all tasks for a page.
        number = Subquery(archived.values_list(Value(1)), output_field=IntegerField())
        return self.exclude(Exact(Coalesce(number, 0), 1))

    def in_series(self, series: uuid.UUID) -> Self:
        return self.filter(series=series)

    def successors_of(self, ids: Collection[uuid.UUID]) -> Self:
        """The occurrences that were created when these were completed."""
        completed = self.with_ids(ids)
        return self.filter(
            series__in=completed.values("series"), created_at__in=completed.values("completed_at")
        )

    def subtasks_of(self, task_id: uuid.UUID) -> Self:
        return self.filter(parent=task_id)

    def without_parent(self) -> Self:
        return self.filter(parent__isnull=True)

    def with_any_label(self, label_ids: Collection[uuid.UUID]) -> Self:
        # label__in would take the placeholder of a compiled query, which has one, for a value.
        one, *others = label_ids
        wanted = Q(label__in=label_ids) if others else Q(label=one)
        return self.filter(Exists(self._links().filter(wanted)))

    def without_labels(self) -> Self:
        return self.filter(labels=[])

    def with_labels(self) -> Self:
        return self.exclude(labels=[])

    def _links(self) -> Any:
        [link] = self.model.link_tables()
        return link.objects.filter(owner=OuterRef("owner"), task=OuterRef("pk"))

    def open(self) -> Self:
        return self.filter(completed=False)

    def completed(self) -> Self:
        return self.filter(completed=True)

    def completed_with(self, tasks: Self) -> Self:
        """Those that were completed along with one of these tasks."""
        return self.filter(completed_at__in=tasks.completed().values("completed_at"))

    def overdue(self, *, at: datetime, today: date) -> Self:
        return self.filter(is_overdue(at=at, today=today))

    def overdue_before(self, first: datetime) -> Self:
        """Those due before the present and before today in UTC. Counting them reads an index only."""
        return self.open().filter(due_by__lt=first)

    def overdue_between(self, first: datetime, last: datetime, *, at: datetime, today: date) -> Self:
        """Those due between the present and today in UTC, whichever is first."""
        return self.overdue(at=at, today=today).filter(due_by__gte=first, due_by__lt=last)

    def not_overdue(self, *, at: datetime, today: date) -> Self:
        not_due = (Q(due_at__isnull=True) | Q(due_at__gte=at)) & (
            Q(due_date__isnull=True) | Q(due_date__gte=today)
        )
        return self.filter(Q(completed=True) | not_due)

    def overdue_in_utc(self, *, at: datetime) -> Self:
        """For lists of many users, whose days end at different times."""
        return self.open().filter(due_by__lt=at)

    def due_from(self, day: date, start: datetime) -> Self:
        """Due on this day or later. `start` is the day's first instant in a time zone."""
        # Here and below, the condition on due_by is true for all of them, and has an index.
        return self.filter(Q(due_date__gte=day) | Q(due_at__gte=start), due_by__gte=start)

    def due_until(self, day: date, end: datetime, latest: datetime) -> Self:
        """Due on this day or earlier. `end` is the first instant after it; `latest` that in UTC, if later."""
        return self.filter(Q(due_date__lte=day) | Q(due_at__lt=end), due_by__lte=latest)

    def starting_until(self, day: date) -> Self:
        return self.filter(start_date__lte=day)

    def available(self, today: date) -> Self:
        return self.filter(Q(start_date__isnull=True) | Q(start_date__lte=today))

    def not_available(self, today: date) -> Self:
        return self.filter(start_date__gt=today)

    def due_before(self, at: datetime) -> Self:
        return self.filter(due_at__lt=at, due_by__lt=at)

    def due_after(self, at: datetime) -> Self:
        return self.filter(due_at__gt=at, due_by__gt=at)

    def never_due(self) -> Self:
        return self.filter(due_by__isnull=True)

    def created_in(self, start: datetime, end: datetime) -> Self:
        return self.filter(created_at__gte=start, created_at__lt=end)

    def completed_in(self, start: datetime, end: datetime) -> Self:
        return self.filter(completed_at__gte=start, completed_at__lt=end)

    def with_priority(self, priority: int) -> Self:
        return self.filter(priority=priority)

    def title_contains(self, words: list[str]) -> Self:
        """All words in the title, case-insensitive. Uses the same index as search_text()."""
        return self.filter(*(Q(title__icontains=word) for word in words))

    # The orders of the admin's lists. Each has an index.

    def due_first(self) -> Self:
        """For open tasks; tasks that are never due come last."""
        return self.order_by(F("due_by").asc(nulls_last=True), "pk")

    def latest_completion_first(self) -> Self:
        """For completed tasks. The condition is that of the index."""
        return self.filter(completed_at__isnull=False).order_by("-completed_at", "-pk")

    def next_due(self, *, at: datetime) -> Self:
        return self.open().filter(due_by__gt=at).order_by("due_by")

    # The numbers of open, completed and overdue tasks

    def count_by_project(self, overdue: Q) -> Any:
        return self._count_by(F("project"), overdue)

    def count_by_label(self, overdue: Q) -> Any:
        """A task counts for each of its labels; without labels, for None."""
        links = self.annotate(link=FilteredRelation("links", condition=Q(links__owner=F("owner"))))
        return links._count_by(F("link__label"), overdue)

    def count_by_due(self, overdue: Q, zone: ZoneInfo) -> Any:
        """For days on which open tasks are due, and None for tasks that are never due."""
        day = Coalesce("due_date", TruncDate("due_at", tzinfo=zone))
        return self._count_by(day, overdue).filter(n_open__gt=0)

    def _count_by(self, key: Any, overdue: Q) -> Any:
        # An aggregate may not have the name of a column.
        numbers = {
            "n_open": Count("pk", filter=Q(completed=False)),
            "n_completed": Count("pk", filter=Q(completed=True)),
            "n_overdue": Count("pk", filter=overdue),
        }
        groups = self.order_by().annotate(key=key).values("key").annotate(**numbers)
        return groups.order_by(F("key").asc(nulls_first=True)).values_list("key", *numbers)

    def stats(self, *, at: datetime) -> dict[str, int]:
        """The number of tasks in each state, in one query."""
        live, completed = Q(deleted_at__isnull=True), Q(completed=True)
        states = {
            "open": live & ~completed,
            "completed": live & completed,
            "overdue": live & ~completed & Q(due_by__lt=at),
            "trashed": ~live,
        }
        # An aggregate may not have the name of a column.
        counts = self.aggregate(**{f"n_{state}": Count("pk", filter=rows) for state, rows in states.items()})
        return {state: counts[f"n_{state}"] for state in states}
