"""The figures on the admin's first page: each room gives its own, the frame keeps and draws them.

settings.DASHBOARD names functions made by @panel. What somebody may not see is not computed for them.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.cache import cache
from django.db import OperationalError, connection
from django.template.defaultfilters import filesizeformat
from django.utils import timezone
from django.utils.module_loading import import_string
from redis.exceptions import RedisError

from todo_project.db.counting import Sample, query_timeout

KEPT_FOR = 60
"""Seconds for which figures are shown again, or that they cannot be had."""

PATIENCE = 2.0
"""Seconds that one query may take."""

Span = tuple[datetime, datetime]


@dataclass(frozen=True)
class Tile:
    """One figure, ready to be read; said to be about so much where it is an estimate."""

    label: str
    value: str
    is_estimate: bool = False


@dataclass(frozen=True)
class Series:
    name: str
    counts: list[int]


@dataclass(frozen=True)
class Bar:
    """A rectangle; all its measures are percents of the drawing."""

    series: int
    x: float
    width: float
    height: float

    @property
    def y(self) -> float:
        return 100 - self.height


@dataclass(frozen=True)
class Group:
    """What is drawn for one span of time, one bar per series."""

    text: str
    x: float
    width: float
    bars: list[Bar]


@dataclass(frozen=True)
class Chart:
    """Bars over time: a group for each label. Counting has stopped at `most`, which is shown with a plus."""

    title: str
    labels: list[str]
    series: list[Series]
    most: int
    empty: str
    note: str = ""

    @property
    def is_empty(self) -> bool:
        return not any(any(series.counts) for series in self.series)

    @property
    def limit(self) -> str:
        return f"{self.most:,}"

    @property
    def is_cut(self) -> bool:
        """Whether a bar would be higher, had its counting not stopped."""
        return any(max(series.counts) >= self.most for series in self.series)

    @property
    def top(self) -> int:
        """A round number that no bar exceeds."""
        highest = max(max(series.counts) for series in self.series)
        power = 10 ** (len(str(highest)) - 1)
        return next(step * power for step in (1, 2, 3, 4, 6, 8, 10) if step * power >= highest)

    @property
    def scale(self) -> list[str]:
        """What stands beside the drawing, from above to below."""
        return [f"{self.top:,}", f"{self.top // 2:,}" if self.top % 2 == 0 else "", "0"]

    @property
    def ends(self) -> list[str]:
        """What stands below the drawing, from left to right."""
        return [self.labels[0], self.labels[len(self.labels) // 2], self.labels[-1]]

    @property
    def description(self) -> str:
        return " ".join(self._sum_up(series) for series in self.series)

    @property
    def rows(self) -> list[tuple[str, list[str]]]:
        """The same as a table, the latest first."""
        columns = zip(*(series.counts for series in self.series), strict=True)
        told = [[self._tell(count) for count in counts] for counts in columns]
        return list(zip(self.labels, told, strict=True))[::-1]

    @property
    def groups(self) -> Iterator[Group]:
        width = 100 / len(self.labels)
        bar = 0.8 * width / len(self.series)
        for place, label in enumerate(self.labels):
            x = place * width
            counts = [series.counts[place] for series in self.series]
            told = (f"{self._tell(c)} {s.name}" for c, s in zip(counts, self.series, strict=True))
            bars = [
                # One among thousands must be seen, too.
                Bar(which, x + 0.1 * width + which * bar, bar, max(1.5, 100 * count / self.top))
                for which, count in enumerate(counts)
                if count
            ]
            yield Group(f"{label}: {', '.join(told)}", x, width, bars)

    def _tell(self, count: int) -> str:
        return up_to(self.most, count)

    def _sum_up(self, series: Series) -> str:
        highest = max(series.counts)
        total = f"{sum(series.counts):,}{'+' if highest >= self.most else ''} {series.name}"
        if not highest:
            return f"{total}."
        return f"{total}, at most {self._tell(highest)} ({self.labels[series.counts.index(highest)]})."


@dataclass(frozen=True)
class Panel:
    """Figures that belong together, and the permission that it takes to see them."""

    title: str
    permission: str
    figures: Callable[[datetime], list[Tile | Chart]]


def panel(title: str, *, permission: str) -> Callable[[Callable[[datetime], list[Tile | Chart]]], Panel]:
    return partial(Panel, title, permission)


@dataclass(frozen=True)
class Reading:
    """A panel's figures as they were at one time; None where they could not be had."""

    title: str
    at: datetime
    figures: list[Tile | Chart] | None

    @property
    def tiles(self) -> list[Tile]:
        return [figure for figure in self.figures or () if isinstance(figure, Tile)]

    @property
    def charts(self) -> list[Chart]:
        return [figure for figure in self.figures or () if isinstance(figure, Chart)]

    @property
    def is_wide(self) -> bool:
        """Whether a chart has more bars than fit into a part of the page."""
        return any(len(chart.labels) * len(chart.series) > 24 for chart in self.charts)


def gather(user: Any) -> list[Reading]:
    """All that this person may see. A panel that takes too long is missing, and the others are there."""
    panels = {path: import_string(path) for path in settings.DASHBOARD}
    readings = [_kept(path, panel) for path, panel in panels.items() if user.has_perm(panel.permission)]
    return [reading for reading in readings if reading.figures != []]


def _kept(path: str, panel: Panel) -> Reading:
    key = f"dashboard:{path}"
    try:
        reading: Reading | None = cache.get(key)
        if reading is None:
            reading = _read(panel)
            cache.set(key, reading, timeout=KEPT_FOR)
    except RedisError:
        return _read(panel)
    return reading


def _read(panel: Panel) -> Reading:
    now = timezone.now()
    try:
        with query_timeout(PATIENCE):
            return Reading(panel.title, now, panel.figures(now))
    except OperationalError:
        return Reading(panel.title, now, None)


def counted(label: str, count: int, sample: Sample[Any]) -> Tile:
    """Of an estimate, the two digits that it is good for."""
    if sample.is_all:
        return Tile(label, f"{count:,}")
    return Tile(label, f"{round(count, min(0, 2 - len(str(count)))):,}", is_estimate=True)


def up_to(most: int, count: int) -> str:
    """What counts_up_to() has counted."""
    return f"{count:,}+" if count >= most else f"{count:,}"


def last_days(days: int, *, at: datetime) -> list[Span]:
    """Today, as far as it has come, and the days before it."""
    today = at.replace(hour=0, minute=0, second=0, microsecond=0)
    return _spans(days, timedelta(days=1), today)


def last_hours(hours: int, *, at: datetime) -> list[Span]:
    return _spans(hours, timedelta(hours=1), at.replace(minute=0, second=0, microsecond=0))


def _spans(number: int, length: timedelta, last: datetime) -> list[Span]:
    starts = [last - back * length for back in reversed(range(number))]
    return [(start, start + length) for start in starts]


def day(start: datetime) -> str:
    return f"{start.day} {start:%b}"


# Nobody is given this permission: superusers have every one.
@panel("Database", permission="todo_project.view_database")
def database(at: datetime) -> list[Tile | Chart]:
    size = database_size()
    return [] if size is None else [Tile("on disk", filesizeformat(size))]


def database_size() -> int | None:
    """In bytes, where the backend tells it."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_database_size(current_database())")
            (size,) = cursor.fetchone()
        return int(size)
    file = Path(str(connection.settings_dict["NAME"]))
    return file.stat().st_size if file.is_file() else None
