"""Panels of figures on the admin's index page. Each app registers its own in its dashboard.py by @panel."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from django.contrib import admin
from django.core.cache import cache
from django.db import OperationalError, connection
from django.db.models import Model
from django.template.defaultfilters import filesizeformat
from django.urls import reverse
from django.utils import timezone

from todo_project.config.cache import cache_errors
from todo_project.config.registry import Registry
from todo_project.db.counting import Sample, query_timeout

from .charts import Chart
from .permissions import checked_permission

CACHE_SECONDS = 60
"""Also the time before a panel that timed out is tried again."""
QUERY_TIMEOUT = 2.0
"""In seconds, for each query of a panel."""

TimeSpan = tuple[datetime, datetime]


@dataclass(frozen=True)
class Tile:
    """A single figure."""

    label: str
    value: str
    is_estimate: bool = False
    url: str = ""
    """The list of the rows that it counts."""


Figures = list[Tile | Chart]


@dataclass(frozen=True)
class Panel:
    title: str
    permission: str | None
    order: int
    compute: Callable[[datetime], Figures]

    def is_visible_to(self, user: Any) -> bool:
        return bool(user.is_superuser if self.permission is None else user.has_perm(self.permission))


@dataclass(frozen=True)
class Snapshot:
    """A panel's figures at a point in time; None if they took too long."""

    title: str
    at: datetime
    figures: Figures | None

    @property
    def tiles(self) -> list[Tile]:
        return [figure for figure in self.figures or () if isinstance(figure, Tile)]

    @property
    def charts(self) -> list[Chart]:
        return [figure for figure in self.figures or () if isinstance(figure, Chart)]

    @property
    def is_wide(self) -> bool:
        """Whether a chart has too many bars for a part of the page's width."""
        return any(len(chart.labels) * len(chart.series) > 24 for chart in self.charts)


panels: Registry[Panel] = Registry("dashboard panels")


def panel(
    title: str, *, permission: str | None, order: int = 50
) -> Callable[[Callable[[datetime], Figures]], Callable[[datetime], Figures]]:
    """Register a panel, shown to users who have the permission; to superusers only if it is None."""

    def register(compute: Callable[[datetime], Figures]) -> Callable[[datetime], Figures]:
        checked = None if permission is None else checked_permission(permission)
        panels[f"{compute.__module__}.{compute.__qualname__}"] = Panel(title, checked, order, compute)
        return compute

    return register


def snapshots_for(user: Any) -> list[Snapshot]:
    """Panels that the user has no permission for are not even computed."""
    visible = [(name, panel) for name, panel in panels.items() if panel.is_visible_to(user)]
    snapshots = [_cached_snapshot(name, panel) for name, panel in sorted(visible, key=lambda e: e[1].order)]
    return [snapshot for snapshot in snapshots if snapshot.figures != []]


def _cached_snapshot(name: str, panel: Panel) -> Snapshot:
    key = f"dashboard:{name}"
    try:
        snapshot: Snapshot | None = cache.get(key)
        if snapshot is None:
            snapshot = _new_snapshot(panel)
            cache.set(key, snapshot, timeout=CACHE_SECONDS)
    except cache_errors():
        return _new_snapshot(panel)
    return snapshot


def _new_snapshot(panel: Panel) -> Snapshot:
    now = timezone.now()
    try:
        with query_timeout(QUERY_TIMEOUT):
            return Snapshot(panel.title, now, panel.compute(now))
    except OperationalError:
        return Snapshot(panel.title, now, None)


def estimated_tile(label: str, count: int, sample: Sample[Any], *, url: str = "") -> Tile:
    """An exact count, or an estimate rounded to its two significant digits."""
    if sample.is_all:
        return Tile(label, f"{count:,}", url=url)
    return Tile(label, f"{round(count, min(0, 2 - len(str(count)))):,}", is_estimate=True, url=url)


def list_url(model: type[Model], **filters: Any) -> str:
    """The change list with these filters; empty if the model has none."""
    if not admin.site.is_registered(model):
        return ""
    page = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
    return f"{page}?{urlencode(filters)}" if filters else page


def list_urls(model: type[Model], column: str, spans: Sequence[TimeSpan]) -> list[str]:
    return [list_url(model, **{f"{column}__gte": start, f"{column}__lt": end}) for start, end in spans]


def last_days(days: int, *, at: datetime) -> list[TimeSpan]:
    """Today so far, and the days before it."""
    today = at.replace(hour=0, minute=0, second=0, microsecond=0)
    return _time_spans(days, timedelta(days=1), today)


def last_hours(hours: int, *, at: datetime) -> list[TimeSpan]:
    return _time_spans(hours, timedelta(hours=1), at.replace(minute=0, second=0, microsecond=0))


def _time_spans(number: int, length: timedelta, last: datetime) -> list[TimeSpan]:
    starts = [last - back * length for back in reversed(range(number))]
    return [(start, start + length) for start in starts]


def day_label(start: datetime) -> str:
    return f"{start.day} {start:%b}"


@panel("Database", permission=None, order=100)
def database(at: datetime) -> Figures:
    size = database_size()
    return [] if size is None else [Tile("on disk", filesizeformat(size))]


def database_size() -> int | None:
    """In bytes; None for an in-memory database."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_database_size(current_database())")
            (size,) = cursor.fetchone()
        return int(size)
    file = Path(str(connection.settings_dict["NAME"]))
    return file.stat().st_size if file.is_file() else None
