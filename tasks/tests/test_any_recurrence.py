"""Any rule has the days that python-dateutil finds; any text is such a rule or refused."""

import signal
from contextlib import contextmanager, suppress
from datetime import date, datetime, timedelta
from heapq import merge
from itertools import islice, takewhile

from dateutil.rrule import rrulestr
from hypothesis import given, reject, settings
from hypothesis import strategies as st

from tasks.recurrence import MAX_LENGTH, PARTS, WEEKDAYS, Repeat, RuleError
from tests.support.generated import EXAMPLES

many = settings(max_examples=int(EXAMPLES or 500))  # They need no database.

NUMBER = 12  # Of the days that are compared.

intervals = st.sampled_from([1, 1, 2, 3, 4, 5, 7, 12, 18, 24, 53, 400]) | st.integers(1, 999)
weekdays = st.sampled_from(WEEKDAYS)
days = st.dates(date(1900, 1, 1), date(2200, 12, 31)) | st.dates(date(1, 1, 1))
ordinals = st.builds("{}{}".format, st.sampled_from([1, 2, 3, 4, 5, -1]), weekdays)
month_days = (st.sampled_from([28, 29, 30, 31, -1]) | st.integers(1, 31)).map(str)


def lists(values, maximum):
    return st.lists(values, min_size=1, max_size=maximum, unique=True).map(
        lambda found: ",".join(map(str, found))
    )


months = lists(st.integers(1, 12), 12)


def parts(frequency, **optional):
    return st.fixed_dictionaries({"FREQ": st.just(frequency)}, optional={"INTERVAL": intervals, **optional})


# Without an end.
rules = st.one_of(
    parts("DAILY"),
    parts("WEEKLY", BYDAY=lists(weekdays, 7)),
    parts("MONTHLY", BYDAY=ordinals),
    parts("MONTHLY", BYMONTHDAY=month_days),
    parts("YEARLY", BYMONTH=months),
    st.builds(dict, parts("YEARLY"), BYDAY=ordinals, BYMONTH=months),
    st.builds(dict, parts("YEARLY"), BYMONTHDAY=month_days, BYMONTH=months),
)


def joined(values):
    return ";".join(f"{part}={value}" for part, value in values.items())


def expected_days(values, start):
    """The days of python-dateutil, from the start on.

    It leaves out short months. So the rule's 30th becomes the last one of the 28th, 29th and 30th, by
    BYSETPOS=-1, for which each month of a year needs a rule of its own.
    """
    values = dict(values)
    if values["FREQ"] in ("MONTHLY", "YEARLY") and "BYDAY" not in values:
        day = int(values.setdefault("BYMONTHDAY", start.day))
        if day > 28:
            values |= {"BYMONTHDAY": ",".join(map(str, range(28, day + 1))), "BYSETPOS": "-1"}
    if values["FREQ"] == "YEARLY":
        each = [{**values, "BYMONTH": month} for month in str(values.get("BYMONTH", start.month)).split(",")]
    else:
        each = [values]
    midnight = datetime(start.year, start.month, start.day)  # noqa: DTZ001  dateutil's are naive, too
    return (found.date() for found in merge(*(rrulestr(joined(one), dtstart=midnight) for one in each)))


@contextmanager
def time_limit(seconds):
    def stop(*_):
        raise TimeoutError

    previous = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)


@many
@given(
    values=rules,
    start=days,
    distance=st.just(0) | st.integers(-400, 400) | st.integers(0, 20_000),
    length=st.none() | st.integers(0, 5_000),
)
def test_any_rule_has_the_days_that_dateutil_finds(values, start, distance, length):
    """After a day before or after the start, and up to UNTIL."""
    try:
        day = start + timedelta(distance)
        until = None if length is None else max(start, day) + timedelta(length)
    except OverflowError:
        reject()
    try:
        with time_limit(2):
            later = (found for found in expected_days(values, start) if found > max(start, day))
            expected = list(islice(takewhile(lambda found: until is None or found <= until, later), NUMBER))
    except TimeoutError:
        reject()

    end = {"UNTIL": until.isoformat().replace("-", "")} if until else {}
    found = islice(Repeat.parse(joined({**values, **end}), start).days(day), NUMBER)
    assert list(found) == expected


@many
@given(
    values=rules,
    end=st.just({}) | st.builds(dict, COUNT=st.integers(1, 999)) | st.just({"UNTIL": "99991231"}),
    start=days,
    other=days,
    from_completion=st.booleans(),
    data=st.data(),
)
def test_any_rule_is_stored_as_one_text_that_is_read_as_it_is(
    values, end, start, other, from_completion, data
):
    def shuffled(text, separator):
        return separator.join(data.draw(st.permutations(text.split(separator))))

    text = joined({part: shuffled(str(value), ",") for part, value in {**values, **end}.items()})
    repeat = Repeat.parse(shuffled(text, ";").lower(), start, from_completion=from_completion)

    assert repeat == Repeat.parse(joined({**values, **end}), start, from_completion=from_completion)
    assert Repeat.parse(str(repeat.rule), other, from_completion=from_completion).rule == repeat.rule
    assert len(str(repeat.rule)) <= MAX_LENGTH
    assert repeat.describe().startswith(("every ", "monthly on ", "yearly on "))


@many
@given(
    values=rules,
    count=st.none() | st.integers(1, 20),
    start=days,
    delays=st.lists(st.integers(-40, 40), min_size=1, max_size=20),
    from_completion=st.booleans(),
)
def test_the_days_of_any_series_increase(values, count, start, delays, from_completion):
    """However early or late each occurrence is completed, so that no id of a series comes twice."""
    ending = {"COUNT": count} if count else {}
    repeat = Repeat.parse(joined({**values, **ending}), start, from_completion=from_completion)
    today = start
    for delay in delays:
        completed_on = min(repeat.anchor.toordinal() + delay, date.max.toordinal())
        today = max(today, date.fromordinal(max(completed_on, 1)))
        following = repeat.next(today)
        if following is None:
            return

        assert following.anchor > max(repeat.anchor, today)
        repeat = following


wrong_values = st.text(max_size=4) | st.integers(-99, 9999).map(str) | ordinals
texts = st.text(max_size=MAX_LENGTH + 10) | st.builds(
    lambda values, part, value: joined({**values, part: value}), rules, st.sampled_from(PARTS), wrong_values
)


@many
@given(text=texts, start=days, from_completion=st.booleans())
def test_any_text_is_a_rule_or_refused(text, start, from_completion):
    with suppress(RuleError):
        repeat = Repeat.parse(text, start, from_completion=from_completion)
        repeat.next(start)
        repeat.describe()
