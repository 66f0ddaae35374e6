"""The days of recurrence rules: examples of others, the calendar, and what completing does to them."""

import timeit
from datetime import date
from itertools import islice

import pytest

from tasks.recurrence import WEEKDAYS, Repeat, Rule


def days(text, start, number=None):
    """The first days of a rule; those in the year of its start without the year."""
    start = date.fromisoformat(start)
    found = [start, *islice(Repeat.parse(text, start).days(start), (number or 1000) - 1)]
    return [day.isoformat().removeprefix(f"{start.year:04}-") for day in found]


def month_days(*months):
    """So that "09 2 16" gives 09-02 and 09-16."""
    return [f"{month}-{int(day):02}" for month, *days in map(str.split, months) for day in days]


# RFC 5545, 3.8.5.3: the examples that the subset contains. UNTIL is the last day.

WEEKLY = month_days("09 2 9 16 23 30", "10 7 14 21 28", "11 4 11 18 25", "12 2 9 16 23")
TUESDAYS_AND_THURSDAYS = month_days("09 2 4 9 11 16 18 23 25 30", "10 2")
FIRST_FRIDAYS = month_days("09 5", "10 3", "11 7", "12 5")
EVERY_OTHER_WEEK = month_days("09 1 3 5 15 17 19 29", "10 1 3 13 15 17 27 29 31", "11 10 12 14 24 26 28")


@pytest.mark.parametrize(
    ("text", "start", "expected"),
    [
        ("FREQ=DAILY;COUNT=10", "1997-09-02", month_days("09 2 3 4 5 6 7 8 9 10 11")),
        ("FREQ=DAILY;INTERVAL=10;COUNT=5", "1997-09-02", month_days("09 2 12 22", "10 2 12")),
        ("FREQ=WEEKLY;COUNT=10", "1997-09-02", WEEKLY[:10]),
        ("FREQ=WEEKLY;UNTIL=19971223", "1997-09-02", WEEKLY),
        ("FREQ=WEEKLY;BYDAY=TU,TH;UNTIL=19971006", "1997-09-02", TUESDAYS_AND_THURSDAYS),
        ("FREQ=WEEKLY;BYDAY=TU,TH;COUNT=10", "1997-09-02", TUESDAYS_AND_THURSDAYS),
        (
            "FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,WE,FR;UNTIL=19971223",
            "1997-09-01",
            [*EVERY_OTHER_WEEK, *month_days("12 8 10 12 22")],
        ),
        (
            "FREQ=WEEKLY;INTERVAL=2;BYDAY=TU,TH;COUNT=8",
            "1997-09-02",
            month_days("09 2 4 16 18 30", "10 2 14 16"),
        ),
        ("FREQ=WEEKLY;INTERVAL=2;BYDAY=TU,SU;COUNT=4", "1997-08-05", month_days("08 5 10 19 24")),
        ("FREQ=MONTHLY;BYDAY=1FR;UNTIL=19971223", "1997-09-05", FIRST_FRIDAYS),
        (
            "FREQ=MONTHLY;BYDAY=1FR;COUNT=10",
            "1997-09-05",
            [
                *FIRST_FRIDAYS,
                *["1998-01-02", "1998-02-06", "1998-03-06", "1998-04-03", "1998-05-01", "1998-06-05"],
            ],
        ),
        (
            "FREQ=YEARLY;BYMONTH=6,7;COUNT=10",
            "1997-06-10",
            ["06-10", "07-10"]
            + [f"{year}-{month}-10" for year in range(1998, 2002) for month in ("06", "07")],
        ),
        (
            "FREQ=YEARLY;INTERVAL=2;BYMONTH=1,2,3;COUNT=10",
            "1997-03-10",
            ["03-10"] + [f"{year}-0{month}-10" for year in (1999, 2001, 2003) for month in (1, 2, 3)],
        ),
    ],
)
def test_an_example_of_rfc_5545(text, start, expected):
    assert days(text, start) == expected


@pytest.mark.parametrize(
    ("text", "start", "expected"),
    [
        ("FREQ=DAILY;INTERVAL=2", "1997-09-02", month_days("09 2 4 6 8 10")),
        ("FREQ=WEEKLY;INTERVAL=2", "1997-09-02", month_days("09 2 16 30", "10 14 28")),
        ("FREQ=YEARLY;BYDAY=-1SU;BYMONTH=10", "1967-10-29", ["10-29", "1968-10-27", "1969-10-26"]),
        ("FREQ=YEARLY;BYDAY=1SU;BYMONTH=4", "1987-04-05", ["04-05", "1988-04-03", "1989-04-02"]),
        ("FREQ=YEARLY;BYDAY=2SU;BYMONTH=3", "2007-03-11", ["03-11", "2008-03-09", "2009-03-08"]),
        ("FREQ=YEARLY;BYDAY=1SU;BYMONTH=11", "2007-11-04", ["11-04", "2008-11-02", "2009-11-01"]),
    ],
)
def test_an_example_of_rfc_5545_without_an_end(text, start, expected):
    assert days(text, start, len(expected)) == expected


# The test cases of python-dateutil that the subset contains. UNTIL is the last day.


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("FREQ=DAILY;COUNT=3", month_days("09 2 3 4")),
        ("FREQ=DAILY;UNTIL=19970904", month_days("09 2 3 4")),
        ("FREQ=DAILY;UNTIL=19970902", month_days("09 2")),
        ("FREQ=DAILY;INTERVAL=2;COUNT=3", month_days("09 2 4 6")),
        ("FREQ=DAILY;INTERVAL=92;COUNT=3", ["09-02", "12-03", "1998-03-05"]),
        ("FREQ=WEEKLY;COUNT=3", month_days("09 2 9 16")),
        ("FREQ=WEEKLY;INTERVAL=2;COUNT=3", month_days("09 2 16 30")),
        ("FREQ=WEEKLY;INTERVAL=20;COUNT=3", ["09-02", "1998-01-20", "1998-06-09"]),
        ("FREQ=WEEKLY;BYDAY=TU,TH;COUNT=3", month_days("09 2 4 9")),
        ("FREQ=WEEKLY;INTERVAL=2;BYDAY=TU,SU;COUNT=3", month_days("09 2 7 16")),
        ("FREQ=MONTHLY;COUNT=3", ["09-02", "10-02", "11-02"]),
        ("FREQ=MONTHLY;INTERVAL=2;COUNT=3", ["09-02", "11-02", "1998-01-02"]),
        ("FREQ=MONTHLY;INTERVAL=18;COUNT=3", ["09-02", "1999-03-02", "2000-09-02"]),
        ("FREQ=YEARLY;COUNT=3", ["09-02", "1998-09-02", "1999-09-02"]),
        ("FREQ=YEARLY;INTERVAL=2;COUNT=3", ["09-02", "1999-09-02", "2001-09-02"]),
        ("FREQ=YEARLY;INTERVAL=100;COUNT=3", ["09-02", "2097-09-02", "2197-09-02"]),
        ("FREQ=YEARLY;BYMONTH=1,3;COUNT=4", ["09-02", "1998-01-02", "1998-03-02", "1999-01-02"]),
    ],
)
def test_a_test_case_of_dateutil(text, expected):
    assert days(text, "1997-09-02") == expected


# The calendar


def test_the_31st_over_a_year():
    assert days("FREQ=MONTHLY", "2027-01-31", 14) == [
        *["01-31", "02-28", "03-31", "04-30", "05-31", "06-30", "07-31", "08-31", "09-30", "10-31"],
        *["11-30", "12-31", "2028-01-31", "2028-02-29"],
    ]


def test_the_last_day_of_each_month():
    assert days("FREQ=MONTHLY;BYMONTHDAY=-1", "2027-11-30", 5) == [
        *["11-30", "12-31", "2028-01-31", "2028-02-29", "2028-03-31"]
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("FREQ=YEARLY", ["02-29", "2025-02-28", "2026-02-28", "2027-02-28", "2028-02-29"]),
        ("FREQ=YEARLY;INTERVAL=4", ["02-29", "2028-02-29", "2032-02-29"]),
        ("FREQ=MONTHLY;INTERVAL=12", ["02-29", "2025-02-28", "2026-02-28", "2027-02-28", "2028-02-29"]),
        ("FREQ=MONTHLY", ["02-29", "03-29", "04-29"]),
        ("FREQ=YEARLY;INTERVAL=76", ["02-29", "2100-02-28", "2176-02-29"]),
        ("FREQ=DAILY;INTERVAL=366", ["02-29", "2025-03-01", "2026-03-02"]),
    ],
)
def test_29_february(text, expected):
    assert days(text, "2024-02-29", len(expected)) == expected


@pytest.mark.parametrize(
    ("text", "start", "expected"),
    [
        ("FREQ=WEEKLY;BYDAY=MO,SU", "2026-12-28", ["12-28", "2027-01-03", "2027-01-04"]),
        ("FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,SU", "2026-12-28", ["12-28", "2027-01-03", "2027-01-11"]),
        ("FREQ=WEEKLY;INTERVAL=2;BYDAY=TH", "2020-12-24", ["12-24", "2021-01-07", "2021-01-21"]),
        ("FREQ=WEEKLY;INTERVAL=53", "2026-12-31", ["12-31", "2028-01-06", "2029-01-11"]),
        ("FREQ=DAILY;INTERVAL=3", "2026-12-30", ["12-30", "2027-01-02", "2027-01-05"]),
        ("FREQ=MONTHLY;INTERVAL=5", "2026-10-31", ["10-31", "2027-03-31", "2027-08-31", "2028-01-31"]),
    ],
)
def test_periods_go_on_over_new_year(text, start, expected):
    assert days(text, start, len(expected)) == expected


def test_the_last_friday_is_the_fourth_or_the_fifth():
    assert days("FREQ=MONTHLY;BYDAY=-1FR", "2027-01-29", 4) == ["01-29", "02-26", "03-26", "04-30"]


def test_months_without_a_fifth_monday_are_left_out():
    assert days("FREQ=MONTHLY;BYDAY=5MO", "2027-03-29", 4) == ["03-29", "05-31", "08-30", "11-29"]


def test_a_fifth_weekday_may_come_back_only_when_the_calendar_repeats():
    assert days("FREQ=YEARLY;INTERVAL=400;BYDAY=5TU;BYMONTH=2", "2000-02-29", 3) == [
        *["02-29", "2400-02-29", "2800-02-29"]
    ]


@pytest.mark.parametrize("start_year", [2027, 2028, 2100])
def test_a_fifth_weekday_in_february_is_found_however_rare_it_is(start_year):
    """It needs a leap year that begins on the right day: not all intervals ever meet one."""
    for weekday, name in enumerate(WEEKDAYS):
        years = {
            year
            for year in range(2000, 10000)
            if year % 4 == 0 and (year % 100 or year % 400 == 0) and date(year, 2, 29).weekday() == weekday
        }
        for interval in range(1, 1000):
            rule = Rule.parse(f"FREQ=YEARLY;INTERVAL={interval};BYDAY=5{name};BYMONTH=2")
            start = date(start_year, 2, 1)
            later = range(start_year, 10000, interval)
            expected = next(
                (date(year, 2, 29) for year in later if year in years and year >= start_year), None
            )

            assert rule.after(start, start) == expected


@pytest.mark.parametrize(
    ("text", "start", "expected"),
    [
        ("FREQ=DAILY", "9999-12-30", ["12-30", "12-31"]),
        ("FREQ=DAILY;INTERVAL=999", "9999-12-31", ["12-31"]),
        ("FREQ=WEEKLY;BYDAY=FR,SA,SU", "9999-12-26", ["12-26", "12-31"]),
        ("FREQ=MONTHLY", "9999-11-30", ["11-30", "12-30"]),
        ("FREQ=MONTHLY;INTERVAL=999", "9999-12-31", ["12-31"]),
        ("FREQ=YEARLY", "9999-12-31", ["12-31"]),
        ("FREQ=YEARLY;INTERVAL=999;BYMONTH=1,12", "9999-01-31", ["01-31", "12-31"]),
    ],
)
def test_a_rule_ends_with_the_year_9999(text, start, expected):
    assert days(text, start) == expected


def test_a_rule_begins_on_the_first_day_of_the_calendar():
    assert days("FREQ=WEEKLY;BYDAY=SU,MO", "0001-01-01", 3) == ["01-01", "01-07", "01-08"]


def test_the_days_begin_after_a_first_day_that_is_none_of_them():
    wednesday = "2026-11-25"

    assert days("FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,FR", wednesday, 4) == ["11-25", "11-27", "12-07", "12-11"]
    assert days("FREQ=MONTHLY;INTERVAL=2;BYMONTHDAY=20", wednesday, 3) == [
        "11-25",
        "2027-01-20",
        "2027-03-20",
    ]


# Completing


def next_after(text, anchor, today, **options):
    repeat = Repeat.parse(text, date.fromisoformat(anchor), **options)
    following = repeat.next(date.fromisoformat(today))
    return following and (str(following.anchor), str(following.rule))


@pytest.mark.parametrize(
    ("today", "expected"),
    [
        ("2027-01-01", "2027-02-01"),  # Early: the next occurrence is later than this one.
        ("2027-01-25", "2027-02-01"),
        ("2027-01-31", "2027-02-01"),
        ("2027-02-01", "2027-02-08"),  # Late: occurrences do not pile up.
        ("2027-03-10", "2027-03-15"),
    ],
)
def test_from_due_the_next_day_is_later_than_this_one_and_than_today(today, expected):
    assert next_after("FREQ=WEEKLY", "2027-01-25", today) == (expected, "FREQ=WEEKLY;BYDAY=MO")


def test_an_occurrence_completed_late_does_not_shift_the_series():
    assert next_after("FREQ=WEEKLY;INTERVAL=2", "2027-01-25", "2027-02-02") == (
        "2027-02-08",
        "FREQ=WEEKLY;INTERVAL=2;BYDAY=MO",
    )


def test_the_31st_comes_back_after_a_short_month():
    assert next_after("FREQ=MONTHLY;BYMONTHDAY=31", "2027-02-28", "2027-02-28") == (
        "2027-03-31",
        "FREQ=MONTHLY;BYMONTHDAY=31",
    )


@pytest.mark.parametrize(
    ("text", "today", "expected"),
    [
        ("FREQ=DAILY;INTERVAL=10", "2027-01-20", "2027-01-30"),
        ("FREQ=DAILY;INTERVAL=10", "2027-02-20", "2027-03-02"),
        ("FREQ=WEEKLY;INTERVAL=2", "2027-01-27", "2027-02-10"),
        ("FREQ=WEEKLY;BYDAY=MO", "2027-01-27", "2027-02-01"),
        ("FREQ=MONTHLY", "2027-01-30", "2027-02-28"),
        ("FREQ=MONTHLY;BYMONTHDAY=-1", "2027-01-30", "2027-01-31"),
        ("FREQ=YEARLY", "2028-02-29", "2029-02-28"),
    ],
)
def test_from_completion_the_rule_begins_today(text, today, expected):
    assert next_after(text, "2027-01-25", today, from_completion=True) == (expected, text)


def test_two_completions_on_one_day_have_two_successors():
    """The second would get its own day, and with it its own id, again."""
    assert next_after("FREQ=DAILY", "2027-01-25", "2027-01-25", from_completion=True) == (
        "2027-01-26",
        "FREQ=DAILY",
    )
    assert next_after("FREQ=DAILY", "2027-01-26", "2027-01-25", from_completion=True) == (
        "2027-01-27",
        "FREQ=DAILY",
    )


def test_each_occurrence_leaves_one_fewer():
    assert next_after("FREQ=DAILY;COUNT=3", "2027-01-25", "2027-01-25") == (
        "2027-01-26",
        "FREQ=DAILY;COUNT=2",
    )
    assert next_after("FREQ=DAILY;COUNT=1", "2027-01-25", "2027-01-25") is None


def test_missed_occurrences_do_not_count():
    assert next_after("FREQ=DAILY;COUNT=3", "2027-01-25", "2027-03-01") == (
        "2027-03-02",
        "FREQ=DAILY;COUNT=2",
    )


@pytest.mark.parametrize("from_completion", [False, True])
def test_until_is_the_last_day(from_completion):
    text = "FREQ=DAILY;UNTIL=20270127"

    assert next_after(text, "2027-01-25", "2027-01-26", from_completion=from_completion) == (
        "2027-01-27",
        text,
    )
    assert next_after(text, "2027-01-25", "2027-01-27", from_completion=from_completion) is None


def test_looking_ahead_begins_with_what_completing_today_would_make():
    late = Repeat.parse("FREQ=WEEKLY;BYDAY=MO,TH;COUNT=4", date(2027, 1, 25))

    assert [str(day) for day in late.days(date(2027, 2, 4))] == ["2027-02-08", "2027-02-11", "2027-02-15"]


def test_looking_ahead_from_completion_assumes_that_each_is_completed_on_its_day():
    repeat = Repeat.parse("FREQ=MONTHLY", date(2027, 1, 31), from_completion=True)

    assert [str(day) for day in islice(repeat.days(date(2027, 1, 31)), 2)] == ["2027-02-28", "2027-03-28"]


# Cost


@pytest.mark.parametrize(
    ("text", "start", "day"),
    [
        ("FREQ=DAILY;INTERVAL=999", date.min, date(9999, 12, 1)),
        ("FREQ=WEEKLY;INTERVAL=999;BYDAY=MO,TU,WE,TH,FR,SA,SU", date.min, date(9999, 1, 1)),
        ("FREQ=MONTHLY;BYDAY=5SU", date.min, date(9990, 1, 1)),
        ("FREQ=MONTHLY;INTERVAL=24;BYDAY=5MO", date(2027, 2, 1), date(2027, 2, 1)),
        ("FREQ=MONTHLY;INTERVAL=12;BYDAY=5MO", date(2027, 2, 1), date(2072, 2, 29)),
        ("FREQ=YEARLY;INTERVAL=2;BYDAY=5MO;BYMONTH=2", date(1, 2, 1), date(1, 2, 1)),
        ("FREQ=YEARLY;INTERVAL=400;BYDAY=5MO;BYMONTH=2", date(2000, 2, 1), date(2000, 2, 1)),
        ("FREQ=YEARLY;BYMONTH=1,2,3,4,5,6,7,8,9,10,11,12", date(2024, 2, 29), date(9998, 12, 31)),
    ],
)
def test_the_slowest_rules_answer_within_a_millisecond(text, start, day):
    def answer():
        Rule.parse(text).after(start, day)

    assert min(timeit.repeat(answer, number=1, repeat=20)) < 0.001
