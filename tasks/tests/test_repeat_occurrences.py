"""GET /tasks/{id}/occurrences."""

from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest
from django.utils import timezone

from tests.support.assertions import assert_error
from tests.support.caller import UNKNOWN_ID
from tests.support.repeating import MONTHLY, WEEKLY, next_of, post, repeating
from tests.support.tasks import create_task, trashed


def occurrences(caller, task, query="?limit=3"):
    response = caller("get", f"/tasks/{task['id']}/occurrences{query}")
    assert response.status_code == 200, response.content
    return response.json()["results"]


def days(caller, task, query="?limit=3"):
    return [each["due_date"] for each in occurrences(caller, task, query)]


def test_the_next_days_are_listed_without_the_present_one(as_alice):
    task = repeating(as_alice, repeat=MONTHLY)

    assert occurrences(as_alice, task) == [
        {"due_date": "2999-02-28", "due_at": None},
        {"due_date": "2999-03-31", "due_at": None},
        {"due_date": "2999-04-30", "due_at": None},
    ]


def test_times_keep_their_place_on_the_clock_on_the_wall(as_alice):
    times = {"due_at": "2999-03-30T07:30:00Z", "due_zone": "Europe/Berlin"}
    task = repeating(as_alice, due_date=None, **times)

    assert occurrences(as_alice, task, "?limit=2") == [
        {"due_date": None, "due_at": "2999-03-31T06:30:00.000000Z"},
        {"due_date": None, "due_at": "2999-04-01T06:30:00.000000Z"},
    ]


def test_they_are_what_completing_each_one_creates(as_alice):
    task = current = repeating(as_alice, repeat={"rule": "FREQ=MONTHLY;BYDAY=5MO"})
    expected, found = days(as_alice, task), []
    for _ in expected:
        post(as_alice, current, "complete")
        current = next_of(as_alice, task)
        found.append(current["due_date"])

    assert found == expected


def test_a_moved_occurrence_does_not_move_them(as_alice):
    task = repeating(as_alice, repeat=WEEKLY)
    as_alice("patch", f"/tasks/{task['id']}", {"due_date": "2999-02-01"})

    assert days(as_alice, task) == ["2999-02-07", "2999-02-14", "2999-02-21"]


@pytest.mark.parametrize("origin", ["due", "completion"])
@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "Pacific/Pago_Pago"])
def test_an_overdue_task_continues_after_today_in_the_zone(as_alice, origin, zone):
    as_alice("patch", "/me", {"time_zone": zone})
    today = timezone.now().astimezone(ZoneInfo(zone)).date()
    repeat = {"rule": "FREQ=DAILY", "from": origin}
    task = repeating(as_alice, due_date=(today - timedelta(days=30)).isoformat(), repeat=repeat)

    assert days(as_alice, task, "?limit=2") == [(today + timedelta(days=each)).isoformat() for each in (1, 2)]


@pytest.mark.parametrize(
    ("rule", "number"),
    [
        ("FREQ=DAILY;COUNT=3", 2),
        ("FREQ=DAILY;COUNT=1", 0),
        ("FREQ=DAILY;UNTIL=29990202", 2),
        ("FREQ=DAILY", 10),
    ],
)
def test_there_are_as_many_as_the_rule_has_or_ten(as_alice, rule, number):
    assert len(occurrences(as_alice, repeating(as_alice, repeat={"rule": rule}), "")) == number


@pytest.mark.parametrize(("limit", "number"), [(1, 1), (50, 50)])
def test_the_limit_is_from_1_to_50(as_alice, limit, number):
    assert len(occurrences(as_alice, repeating(as_alice), f"?limit={limit}")) == number


@pytest.mark.parametrize("query", ["limit=0", "limit=51", "limit=x", "limit=", "limit=-1", "limits=1"])
def test_an_invalid_limit_is_rejected(as_alice, query):
    response = as_alice("get", f"/tasks/{repeating(as_alice)['id']}/occurrences?{query}")

    assert_error(response, 400, "VALIDATION_ERROR", field=query.partition("=")[0])


def test_the_calendar_ends_with_the_year_9999(as_alice):
    task = repeating(as_alice, due_date="9999-12-30")

    assert days(as_alice, task) == ["9999-12-31"]


def test_a_task_that_does_not_repeat_has_none(as_alice):
    assert occurrences(as_alice, create_task(as_alice)) == []
    completed = post(as_alice, repeating(as_alice), "complete")
    assert occurrences(as_alice, completed) == []


def test_a_foreign_trashed_or_unknown_task_is_not_found(as_alice, as_bob):
    repeat = {"due_date": "2999-01-31", "repeat": WEEKLY}
    for caller, object_id in [
        (as_bob, repeating(as_alice)["id"]),
        (as_alice, trashed(as_alice, **repeat)["id"]),
        (as_alice, UNKNOWN_ID),
    ]:
        assert_error(caller("get", f"/tasks/{object_id}/occurrences"), 404, "NOT_FOUND")


def test_a_list_costs_two_queries(as_alice, django_assert_max_num_queries):
    task = repeating(as_alice)
    with django_assert_max_num_queries(2):
        occurrences(as_alice, task, "?limit=50")
