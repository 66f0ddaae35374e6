"""Days and instants: a day without a time is due until it ends, wherever the user is."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import DateTimeField, Func

MIN_DATETIME = datetime(1, 1, 1, tzinfo=UTC)
MAX_DATETIME = datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)


def start_of_day(day: date, zone: ZoneInfo) -> datetime:
    """The first instant of a day. Where clocks skip midnight, it is the instant at which they do."""
    try:
        return datetime.combine(day, time.min, zone).astimezone(UTC)
    except OverflowError:  # The day begins before the year 1 in UTC.
        return MIN_DATETIME


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
