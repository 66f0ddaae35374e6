"""A repeating time stays the same on the clock on the wall, over both changes of the year."""

from datetime import UTC, date, datetime, time
from itertools import islice
from zoneinfo import ZoneInfo

import pytest

from tasks.dates import MAX_DATETIME, MIN_DATETIME, instant
from tasks.recurrence import Repeat


def utc(value):
    return value.isoformat().replace("+00:00", "Z")


@pytest.mark.parametrize(
    ("zone", "text", "day", "wall_time", "expected"),
    [
        # An hour forward, an hour back.
        (
            "Europe/Berlin",
            "FREQ=DAILY",
            "2027-03-27",
            "02:30",
            ["2027-03-27T01:30:00Z", "2027-03-28T01:30:00Z", "2027-03-29T00:30:00Z"],
        ),
        (
            "Europe/Berlin",
            "FREQ=DAILY",
            "2027-10-30",
            "02:30",
            ["2027-10-30T00:30:00Z", "2027-10-31T00:30:00Z", "2027-11-01T01:30:00Z"],
        ),
        (
            "Europe/Berlin",
            "FREQ=WEEKLY",
            "2027-03-21",
            "09:00",
            ["2027-03-21T08:00:00Z", "2027-03-28T07:00:00Z", "2027-04-04T07:00:00Z"],
        ),
        (
            "Europe/Berlin",
            "FREQ=WEEKLY",
            "2027-10-24",
            "09:00",
            ["2027-10-24T07:00:00Z", "2027-10-31T08:00:00Z", "2027-11-07T08:00:00Z"],
        ),
        # At midnight: the day of the gap begins at 1:00, the repeated hour is the last one of its day.
        (
            "America/Santiago",
            "FREQ=DAILY",
            "2027-09-04",
            "00:30",
            ["2027-09-04T04:30:00Z", "2027-09-05T04:30:00Z", "2027-09-06T03:30:00Z"],
        ),
        (
            "America/Santiago",
            "FREQ=DAILY",
            "2027-04-02",
            "23:30",
            ["2027-04-03T02:30:00Z", "2027-04-04T02:30:00Z", "2027-04-05T03:30:00Z"],
        ),
        # Half an hour forward and back.
        (
            "Australia/Lord_Howe",
            "FREQ=DAILY",
            "2027-10-02",
            "02:15",
            ["2027-10-01T15:45:00Z", "2027-10-02T15:45:00Z", "2027-10-03T15:15:00Z"],
        ),
        (
            "Australia/Lord_Howe",
            "FREQ=DAILY",
            "2027-04-03",
            "01:45",
            ["2027-04-02T14:45:00Z", "2027-04-03T14:45:00Z", "2027-04-04T15:15:00Z"],
        ),
        # West of Greenwich, where the day in UTC is the next one in the evening.
        (
            "America/New_York",
            "FREQ=MONTHLY;BYDAY=2SU",
            "2027-02-14",
            "02:30",
            ["2027-02-14T07:30:00Z", "2027-03-14T07:30:00Z", "2027-04-11T06:30:00Z"],
        ),
        (
            "America/New_York",
            "FREQ=WEEKLY;BYDAY=SU",
            "2027-10-31",
            "21:00",
            ["2027-11-01T01:00:00Z", "2027-11-08T02:00:00Z", "2027-11-15T02:00:00Z"],
        ),
        # 14 hours ahead of UTC, without changes.
        (
            "Pacific/Kiritimati",
            "FREQ=MONTHLY",
            "2027-01-31",
            "09:00",
            ["2027-01-30T19:00:00Z", "2027-02-27T19:00:00Z", "2027-03-30T19:00:00Z"],
        ),
    ],
)
def test_the_time_on_the_wall_stays(zone, text, day, wall_time, expected):
    anchor = date.fromisoformat(day)
    days = [anchor, *islice(Repeat.parse(text, anchor).days(anchor), 2)]

    assert [utc(instant(day, time.fromisoformat(wall_time), ZoneInfo(zone))) for day in days] == expected


@pytest.mark.parametrize(
    ("day", "expected"), [("2028-03-26", "2028-03-26T01:30:00Z"), ("2028-10-29", "2028-10-29T00:30:00Z")]
)
def test_a_time_in_the_second_of_two_equal_hours_is_later_in_the_first(day, expected):
    """The time of an instant remembers which of the two it was; in a gap, the second would move backward."""
    berlin = ZoneInfo("Europe/Berlin")
    second = datetime(2027, 10, 31, 1, 30, tzinfo=UTC).astimezone(berlin)

    assert (second.time(), second.fold) == (time(2, 30), 1)
    assert utc(instant(date.fromisoformat(day), second.time(), berlin)) == expected


def test_seconds_and_microseconds_stay():
    assert utc(instant(date(2027, 3, 28), time(9, 8, 7, 654321), ZoneInfo("Europe/Berlin"))) == (
        "2027-03-28T07:08:07.654321Z"
    )


def test_an_instant_outside_the_calendar_is_its_first_or_last_one():
    assert instant(date.min, time(1), ZoneInfo("Asia/Tokyo")) == MIN_DATETIME
    assert instant(date.max, time(23), ZoneInfo("America/New_York")) == MAX_DATETIME
