"""Recurrence rules: their text, what is refused, and their words."""

import subprocess
import sys
from datetime import date

import pytest

from tasks.recurrence import MAX_LENGTH, Repeat, Rule, RuleError

THURSDAY = date(2027, 1, 28)


def canonical(text, anchor=THURSDAY):
    return str(Repeat.parse(text, anchor).rule)


# The text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("FREQ=DAILY", "FREQ=DAILY"),
        ("FREQ=WEEKLY", "FREQ=WEEKLY;BYDAY=TH"),
        ("FREQ=MONTHLY", "FREQ=MONTHLY;BYMONTHDAY=28"),
        ("FREQ=YEARLY", "FREQ=YEARLY;BYMONTHDAY=28;BYMONTH=1"),
        ("FREQ=YEARLY;BYMONTH=6", "FREQ=YEARLY;BYMONTHDAY=28;BYMONTH=6"),
        ("FREQ=WEEKLY;BYDAY=MO", "FREQ=WEEKLY;BYDAY=MO"),
        ("FREQ=MONTHLY;BYDAY=-1FR", "FREQ=MONTHLY;BYDAY=-1FR"),
        ("FREQ=MONTHLY;BYMONTHDAY=-1", "FREQ=MONTHLY;BYMONTHDAY=-1"),
        ("FREQ=YEARLY;BYMONTH=3;BYDAY=2SU", "FREQ=YEARLY;BYDAY=2SU;BYMONTH=3"),
    ],
)
def test_the_due_day_implies_what_is_left_out(text, expected):
    assert canonical(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("freq=weekly;byday=mo,th", "FREQ=WEEKLY;BYDAY=MO,TH"),
        ("BYDAY=TH,MO,TH;FREQ=WEEKLY", "FREQ=WEEKLY;BYDAY=MO,TH"),
        ("COUNT=3;INTERVAL=2;FREQ=DAILY", "FREQ=DAILY;INTERVAL=2;COUNT=3"),
        ("FREQ=DAILY;INTERVAL=1", "FREQ=DAILY"),
        ("FREQ=DAILY;INTERVAL=007", "FREQ=DAILY;INTERVAL=7"),
        ("FREQ=DAILY;UNTIL=20270128", "FREQ=DAILY;UNTIL=20270128"),
        ("FREQ=DAILY;UNTIL=99991231", "FREQ=DAILY;UNTIL=99991231"),
        ("FREQ=MONTHLY;BYDAY=+1MO", "FREQ=MONTHLY;BYDAY=1MO"),
        ("FREQ=MONTHLY;BYDAY=-01MO", "FREQ=MONTHLY;BYDAY=-1MO"),
        ("FREQ=MONTHLY;BYMONTHDAY=+05", "FREQ=MONTHLY;BYMONTHDAY=5"),
        ("FREQ=YEARLY;BYMONTH=09,1,9;BYMONTHDAY=15", "FREQ=YEARLY;BYMONTHDAY=15;BYMONTH=1,9"),
    ],
)
def test_equal_rules_have_one_text(text, expected):
    assert canonical(text) == expected


def test_a_stored_rule_is_read_as_it_is():
    longest = "FREQ=YEARLY;INTERVAL=999;BYDAY=-1MO;BYMONTH=1,2,3,4,5,6,7,8,9,10,11,12;UNTIL=20270131"

    assert canonical(longest, date(2020, 2, 29)) == longest
    assert len(longest) <= MAX_LENGTH


def test_from_completion_the_due_day_implies_nothing():
    repeat = Repeat.parse("FREQ=MONTHLY;INTERVAL=3", THURSDAY, from_completion=True)

    assert str(repeat.rule) == "FREQ=MONTHLY;INTERVAL=3"


# What is refused

ORDINAL = "BYDAY must be 1 to 5, or -1 for the last, and one weekday, such as 2TU or -1FR."
WEEKDAYS = "BYDAY must be any of MO,TU,WE,TH,FR,SA,SU if FREQ=WEEKLY."
MONTH_DAY = "BYMONTHDAY must be from 1 to 31, or -1 for the last day."
PARTS = "The parts of a rule are FREQ, INTERVAL, BYDAY, BYMONTHDAY, BYMONTH, UNTIL, COUNT."
UNTIL = "UNTIL must be a day without a time, such as 20270131."
LENGTH = "A rule must be at most 100 ASCII characters long."


@pytest.mark.parametrize(
    ("text", "part", "message"),
    [
        ("INTERVAL=2", "FREQ", "FREQ must be one of DAILY, WEEKLY, MONTHLY, YEARLY."),
        ("FREQ=", "FREQ", "FREQ must be one of DAILY, WEEKLY, MONTHLY, YEARLY."),
        ("FREQ=HOURLY", "FREQ", "FREQ must be one of DAILY, WEEKLY, MONTHLY, YEARLY."),
        ("FREQ=SECONDLY", "FREQ", "FREQ must be one of DAILY, WEEKLY, MONTHLY, YEARLY."),
        ("FREQ=DAILY;FREQ=WEEKLY", "FREQ", "FREQ must appear only once."),
        *(
            (f"FREQ=DAILY;INTERVAL={value}", "INTERVAL", "INTERVAL must be from 1 to 999.")
            for value in (
                "0",
                "000",
                "1000",
                "99999999999999999999",
                "-1",
                "+2",
                "1.5",
                "1e1",
                "0x1",
                "",
                " 2",
            )
        ),
        *(
            (f"FREQ=DAILY;COUNT={value}", "COUNT", "COUNT must be from 1 to 999.")
            for value in ("0", "1000", "-1", "all")
        ),
        *(
            (f"FREQ=WEEKLY;BYDAY={value}", "BYDAY", WEEKDAYS)
            for value in ("", "MO,", "1MO", "-1MO", "MONDAY", "XX", "MO TU", "1")
        ),
        *(
            (f"FREQ=MONTHLY;BYDAY={value}", "BYDAY", ORDINAL)
            for value in ("MO", "0MO", "6MO", "-2MO", "1MO,2MO", "1MO,1TU", "MO1", "+-1MO", "20MO", "1")
        ),
        *(
            (f"FREQ=MONTHLY;BYMONTHDAY={value}", "BYMONTHDAY", MONTH_DAY)
            for value in ("0", "32", "-2", "-31", "1,15", "", "+-1", "-+1", "1.0")
        ),
        *(
            (f"FREQ=YEARLY;BYMONTH={value}", "BYMONTH", "BYMONTH must be from 1 to 12.")
            for value in ("0", "13", "-1", "1,13", "1,", "JAN")
        ),
        *(
            (f"FREQ=DAILY;UNTIL={value}", "UNTIL", UNTIL)
            for value in ("20270229", "00000101", "2027", "2027-01-31", "20270131T000000Z", "2027W011", "")
        ),
        ("FREQ=DAILY;UNTIL=20270127", "UNTIL", "UNTIL must not be before the due day."),
        ("FREQ=DAILY;UNTIL=20270131;COUNT=2", "COUNT", "COUNT is not allowed together with UNTIL."),
        ("FREQ=DAILY;BYDAY=MO", "BYDAY", "BYDAY is not allowed with FREQ=DAILY."),
        ("FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30", "BYMONTHDAY", "BYMONTHDAY is not allowed with FREQ=DAILY."),
        ("FREQ=WEEKLY;BYMONTH=2", "BYMONTH", "BYMONTH is not allowed with FREQ=WEEKLY."),
        ("FREQ=MONTHLY;BYMONTH=2", "BYMONTH", "BYMONTH is not allowed with FREQ=MONTHLY."),
        (
            "FREQ=MONTHLY;BYDAY=1FR;BYMONTHDAY=13",
            "BYMONTHDAY",
            "BYMONTHDAY is not allowed together with BYDAY.",
        ),
        *(
            (text, "BYMONTH", "BYMONTH is required with BYDAY or BYMONTHDAY if FREQ=YEARLY.")
            for text in ("FREQ=YEARLY;BYDAY=1MO", "FREQ=YEARLY;BYMONTHDAY=15")
        ),
        ("FREQ=DAILY\nEXDATE=20270131", "FREQ", "FREQ must be one of DAILY, WEEKLY, MONTHLY, YEARLY."),
        *(
            (text, part, f"{part!r} is not supported. {PARTS}")
            for text, part in (
                ("FREQ=MONTHLY;BYDAY=MO;BYSETPOS=1", "BYSETPOS"),
                ("FREQ=YEARLY;BYYEARDAY=100", "BYYEARDAY"),
                ("FREQ=YEARLY;BYWEEKNO=20", "BYWEEKNO"),
                ("FREQ=DAILY;BYHOUR=9", "BYHOUR"),
                ("FREQ=WEEKLY;WKST=SU", "WKST"),
                ("FREQ=DAILY;RSCALE=GREGORIAN;SKIP=FORWARD", "RSCALE"),
                ("FREQ=DAILY;X-PART=1", "X-PART"),
                ("RRULE:FREQ=DAILY", "RRULE:FREQ"),
                ("FREQ=DAILY;", ""),
                ("FREQ=DAILY; INTERVAL=2", " INTERVAL"),
                ("every day", "EVERY DAY"),
                ("", ""),
            )
        ),
        ("FREQ=DAILY;COUNT=٢", None, LENGTH),
        ("FREQ=WEEKLY;BYDAY=ſU", None, LENGTH),  # Its upper case is SU.
        ("FREQ=WEEKLY;BYDAY=" + "MO," * 1_000_000, None, LENGTH),
    ],
)
def test_any_other_rule_is_refused_with_the_name_of_the_part(text, part, message):
    with pytest.raises(RuleError) as refusal:
        Repeat.parse(text, THURSDAY)

    assert (refusal.value.part, str(refusal.value)) == (part, message)


# The words


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("FREQ=DAILY", "every day"),
        ("FREQ=DAILY;INTERVAL=2", "every 2 days"),
        ("FREQ=WEEKLY;BYDAY=MO,TH", "every Monday and Thursday"),
        ("FREQ=WEEKLY;BYDAY=MO,WE,FR", "every Monday, Wednesday and Friday"),
        (
            "FREQ=WEEKLY;INTERVAL=2;BYDAY=FR;UNTIL=20270131",
            "every 2 weeks on Friday until 31 January 2027",
        ),
        ("FREQ=MONTHLY", "monthly on the 28th"),
        ("FREQ=MONTHLY;BYMONTHDAY=-1", "monthly on the last day"),
        ("FREQ=MONTHLY;BYMONTHDAY=31", "monthly on the 31st"),
        ("FREQ=MONTHLY;INTERVAL=3;BYMONTHDAY=2", "every 3 months on the 2nd"),
        ("FREQ=MONTHLY;BYMONTHDAY=23", "monthly on the 23rd"),
        ("FREQ=MONTHLY;BYMONTHDAY=12", "monthly on the 12th"),
        ("FREQ=MONTHLY;BYDAY=-1FR", "monthly on the last Friday"),
        ("FREQ=MONTHLY;BYDAY=5MO", "monthly on the fifth Monday"),
        ("FREQ=YEARLY;BYDAY=2SU;BYMONTH=3", "yearly on the second Sunday of March"),
        ("FREQ=YEARLY;BYMONTHDAY=-1;BYMONTH=2", "yearly on the last day of February"),
        ("FREQ=YEARLY;INTERVAL=2;BYMONTH=1,6", "every 2 years on the 28th of January and June"),
        ("FREQ=DAILY;COUNT=3", "every day, 3 times"),
        ("FREQ=DAILY;COUNT=1", "every day, once"),
    ],
)
def test_a_rule_in_words(text, words):
    assert Repeat.parse(text, THURSDAY).describe() == words


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("FREQ=DAILY;INTERVAL=10", "every 10 days after completion"),
        ("FREQ=WEEKLY", "every week after completion"),
        ("FREQ=MONTHLY;COUNT=2", "every month after completion, 2 times"),
        ("FREQ=YEARLY;BYMONTH=3", "every year in March after completion"),
        ("FREQ=WEEKLY;BYDAY=MO;UNTIL=20270201", "every Monday after completion until 1 February 2027"),
    ],
)
def test_a_rule_from_completion_in_words(text, words):
    assert Repeat.parse(text, THURSDAY, from_completion=True).describe() == words


def test_rules_need_no_django():
    code = "import sys, tasks.recurrence; sys.exit('django' in sys.modules)"

    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_a_rule_can_be_compared_and_hashed():
    assert len({Rule.parse("FREQ=WEEKLY;BYDAY=MO,TH"), Rule.parse("byday=th,mo;freq=weekly")}) == 1
