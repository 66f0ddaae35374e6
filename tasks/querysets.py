"""Querysets of tasks, projects and labels. Other modules do not filter by columns."""

import uuid
from collections.abc import Collection, Iterator
from datetime import date, datetime, timedelta
from typing import Any, Self

from django.db.models import Count, Exists, F, OuterRef, Q, Subquery

from .ledger.querysets import ObjectQuerySet

MAX_UTC_OFFSET = timedelta(hours=14)


class OrderedQuerySet(ObjectQuerySet):
    """Objects with positions among their siblings."""

    def neighbours(self, ids: Collection[uuid.UUID]) -> Iterator[Self]:
        """The siblings before and after each of these objects. Those in the trash keep their places.

        Siblings are in the same object, such as the parent of a subtask, or are in none. Each is a query of
        its own, because an index does not find what is equal or missing in both rows.
        """
        shared = self.model.siblings_share
        for number in range(len(shared) + 1):
            without = {f"{name}__isnull": True for name in shared[:number]}
            within = shared[number : number + 1]
            same = {name: OuterRef(name) for name in within}
            named = self.with_ids(ids).filter(**without, **{f"{name}__isnull": False for name in within})
            siblings = self.filter(**without, **same)
            for ordering, comparison in (("position", "gt"), ("-position", "lt")):
                beside = siblings.filter(**{f"position__{comparison}": OuterRef("position")})
                nearest = Subquery(beside.order_by(ordering).values("pk")[:1])
                yield self.filter(pk__in=named.values_list(nearest))

    def siblings_of(self, each: Any) -> Self:
        return self.filter(**{name: getattr(each, f"{name}_id") for name in self.model.siblings_share})


class ProjectQuerySet(OrderedQuerySet):
    def archived(self) -> Self:
        return self.filter(archived_at__isnull=False)

    def active(self) -> Self:
        return self.filter(archived_at__isnull=True)

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
    def in_project(self, project_id: uuid.UUID) -> Self:
        return self.filter(project=project_id)

    def without_project(self) -> Self:
        return self.filter(project__isnull=True)

    def in_active_projects(self) -> Self:
        projects = self.model._meta.get_field("project").related_model.objects
        archived = projects.archived().filter(owner=OuterRef("owner"), pk=OuterRef("project"))
        return self.filter(Q(project__isnull=True) | ~Exists(archived))

    def subtasks_of(self, task_id: uuid.UUID) -> Self:
        return self.filter(parent=task_id)

    def without_parent(self) -> Self:
        return self.filter(parent__isnull=True)

    def with_any_label(self, label_ids: Collection[uuid.UUID]) -> Self:
        return self.filter(Exists(self._links().filter(label__in=label_ids)))

    def without_labels(self) -> Self:
        return self.filter(labels=[])

    def _links(self) -> Any:
        [link] = self.model.links()
        return link.objects.filter(owner=OuterRef("owner"), task=OuterRef("pk"))

    def open(self) -> Self:
        return self.filter(completed=False)

    def completed(self) -> Self:
        return self.filter(completed=True)

    def overdue(self, *, at: datetime, today: date) -> Self:
        """A time is overdue when it has passed, a day when it has ended."""
        # The first condition is true for all of them, and has an index.
        in_any_zone = self.open().filter(due_by__lt=at + MAX_UTC_OFFSET)
        return in_any_zone.filter(Q(due_at__lt=at) | Q(due_date__lt=today))

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
