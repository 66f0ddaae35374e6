"""Days and instants: a day without a time is due until it ends, wherever the user is."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import DateTimeField, Func

MIN_DATETIME = datetime(1, 1, 1, tzinfo=UTC)
MAX_DATETIME = datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)


def instant(day: date, wall_time: time, zone: ZoneInfo) -> datetime:
    """The time on a day. If clocks skip it, it moves forward; if they repeat it, it is the first one."""
    try:
        return datetime.combine(day, wall_time.replace(fold=0), zone).astimezone(UTC)
    except OverflowError:
        return MIN_DATETIME if day.year == 1 else MAX_DATETIME


def later(day: date, days: int) -> date:
    """The calendar ends with the year 9999."""
    return date.fromordinal(min(day.toordinal() + days, date.max.toordinal()))


def start_of_day(day: date, zone: ZoneInfo) -> datetime:
    """The first instant of a day. Where clocks skip midnight, it is the instant at which they do."""
    return instant(day, time.min, zone)


def end_of_day(day: date, zone: ZoneInfo) -> datetime:
    """The first instant after a day."""
    return MAX_DATETIME if day == date.max else start_of_day(day + timedelta(days=1), zone)


class EndOfDay(Func):
    """The last instant of a day in UTC."""

    output_field = DateTimeField()
    template = "%(expressions)s || ' 23:59:59.999999'"

    def as_postgresql(self, *args: Any, **kwargs: Any) -> Any:
        kwargs["template"] = "(%(expressions)s + TIME '23:59:59.999999') AT TIME ZONE 'UTC'"
        return self.as_sql(*args, **kwargs)
