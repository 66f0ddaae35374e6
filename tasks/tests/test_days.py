"""A day is a day: due dates without a time never move, in any time zone."""

import datetime as dt
from zoneinfo import ZoneInfo

import pytest
from django.utils import timezone

from tasks.dates import end_of_day, start_of_day
from tasks.models import Task
from tests.support.assertions import assert_error
from tests.support.tasks import create_task

# Half an hour of daylight saving; the first zone of a day and the last; a change of clocks at midnight.
ZONES = ["Australia/Lord_Howe", "Pacific/Kiritimati", "Pacific/Pago_Pago", "America/Santiago"]


def titles(caller, query):
    response = caller("get", f"/tasks?ordering=title&{query}")
    assert response.status_code == 200, response.content
    return "".join(task["title"] for task in response.json()["results"])


# A day


@pytest.mark.parametrize("zone", ZONES)
def test_a_day_is_the_same_for_every_zone_and_after_every_change(as_alice, zone):
    as_alice("patch", "/me", {"time_zone": zone})
    task = create_task(as_alice, due_date="2026-03-29")
    for field, value in (("title", "bread"), ("due_date", task["due_date"]), ("priority", 1)):
        task = as_alice("patch", f"/tasks/{task['id']}", {field: value}).json()

    assert (task["due_date"], task["due_at"], task["due_zone"]) == ("2026-03-29", None, None)
    assert as_alice("get", f"/tasks/{task['id']}").json() == task
    assert as_alice("get", "/sync").json()["changes"] == [{"kind": "task", **task}]


@pytest.mark.parametrize("day", ["0001-01-01", "1582-10-10", "2000-02-29", "9999-12-31"])
def test_any_day_is_stored_and_sorted(as_alice, day):
    task = create_task(as_alice, due_date=day, start_date=day)

    assert (task["due_date"], task["start_date"]) == (day, day)
    for query in (
        "ordering=due",
        "ordering=-due",
        f"due_from={day}",
        f"due_until={day}",
        f"starts_until={day}",
    ):
        assert as_alice("get", f"/tasks?{query}").json()["results"] == [task]


@pytest.mark.parametrize(
    "value",
    ["2026-02-29", "2026-1-1", "20260101", "2026-01-01T00:00:00Z", "today", "", 20260101, "٢٠٢٦-01-01"],
)
@pytest.mark.parametrize("field", ["due_date", "start_date"])
def test_a_value_that_is_no_day_is_refused(as_alice, field, value):
    response = as_alice("post", "/tasks", {"title": "milk", field: value})

    assert_error(response, 400, "VALIDATION_ERROR", field=field, constraint="invalid")


# Day or time


def test_a_task_is_due_on_a_day_or_at_a_time(as_alice):
    both = {"due_date": "2026-03-29", "due_at": "2026-03-29T09:00:00Z"}
    response = as_alice("post", "/tasks", {"title": "milk", **both})
    operations = [
        {"op": "create", "data": {"title": "x"}},
        {"op": "create", "data": {"title": "milk", **both}},
    ]

    error = assert_error(response, 400, "VALIDATION_ERROR", field="due_at", constraint="exclusive")
    assert (
        error["message"] == "A task is due on a day or at a time. To set due_at, also send due_date as null."
    )
    response = as_alice("post", "/bulk", {"operations": operations})
    assert_error(response, 400, "VALIDATION_ERROR", field="operations.1.due_at", constraint="exclusive")
    assert not Task.objects.exists()


@pytest.mark.parametrize(
    ("stored", "sent"),
    [
        ({"due_date": "2026-03-29"}, {"due_at": "2026-03-29T09:00:00Z"}),
        ({"due_at": "2026-03-29T09:00:00Z"}, {"due_date": "2026-03-29"}),
    ],
)
def test_to_set_one_the_other_must_be_null_or_sent_as_null(as_alice, stored, sent):
    task = create_task(as_alice, **stored)
    [field], [other] = sent, stored
    path = f"/tasks/{task['id']}"

    response = as_alice("patch", path, sent)
    assert_error(response, 400, "VALIDATION_ERROR", field=field, constraint="exclusive")
    assert as_alice("get", path).json() == task
    changed = as_alice("patch", path, {**sent, other: None}).json()
    assert (changed[other], changed[field] is not None) == (None, True)


def test_a_put_resets_the_due_date_and_keeps_the_start_date(as_alice):
    task = create_task(as_alice, due_date="2026-03-29", start_date="2026-03-01")
    replaced = as_alice("put", f"/tasks/{task['id']}", {"title": "bread"}).json()

    assert (replaced["due_date"], replaced["start_date"]) == (None, "2026-03-01")
    assert as_alice("patch", f"/tasks/{task['id']}", {"start_date": None}).json()["start_date"] is None


def test_a_zone_belongs_to_a_time(as_alice):
    timed = {"due_at": "2026-03-29T09:00:00Z", "due_zone": "Europe/Berlin"}
    task = create_task(as_alice, **timed)
    path = f"/tasks/{task['id']}"

    assert task["due_zone"] == "Europe/Berlin"
    for body in ({"title": "x", "due_zone": "Europe/Berlin"}, {"title": "x", **timed, "due_at": None}):
        response = as_alice("post", "/tasks", body)
        assert_error(response, 400, "VALIDATION_ERROR", field="due_zone", constraint="without_time")
    response = as_alice("post", "/tasks", {"title": "x", **timed, "due_zone": "CET+1"})
    assert_error(response, 400, "VALIDATION_ERROR", field="due_zone", constraint="unknown")
    assert as_alice("patch", path, {"due_at": None}).json()["due_zone"] is None


# Filters


def test_days_and_times_are_filtered_by_the_days_of_a_time_zone(as_alice):
    """22:30 on 28 March in UTC is 28 March in Santiago, but 29 March from Berlin to Kiritimati."""
    create_task(as_alice, "a", due_date="2026-03-28")
    create_task(as_alice, "b", due_at="2026-03-28T22:30:00Z")
    create_task(as_alice, "c", due_date="2026-03-29")
    create_task(as_alice, "d")

    for tz, on_the_28th, on_the_29th in [
        ("UTC", "ab", "c"),
        ("America/Santiago", "ab", "c"),
        ("Europe/Berlin", "ab", "c"),
        ("Europe/Helsinki", "a", "bc"),
        ("Pacific/Kiritimati", "a", "bc"),
    ]:
        assert titles(as_alice, f"due_from=2026-03-28&due_until=2026-03-28&tz={tz}") == on_the_28th
        assert titles(as_alice, f"due_from=2026-03-29&due_until=2026-03-29&tz={tz}") == on_the_29th
        assert titles(as_alice, f"due_until=2026-03-29&tz={tz}") == "abc"
    assert titles(as_alice, "due=none") == "d"
    assert titles(as_alice, "due_before=2999-01-01T00:00:00Z") == "b"


def test_the_first_instant_of_a_day_belongs_to_that_day(as_alice):
    create_task(as_alice, "a", due_at="2026-03-29T00:00:00Z")

    assert titles(as_alice, "due_until=2026-03-28&tz=UTC") == ""
    assert titles(as_alice, "due_from=2026-03-29&due_until=2026-03-29&tz=UTC") == "a"


def test_the_time_zone_of_the_profile_is_the_default_and_part_of_the_etag(as_alice):
    create_task(as_alice, "b", due_at="2026-03-28T22:30:00Z")
    query = "due_until=2026-03-28"
    before = as_alice("get", f"/tasks?{query}")

    assert titles(as_alice, query) == "b"
    as_alice("patch", "/me", {"time_zone": "Asia/Tokyo"})
    assert as_alice("get", f"/tasks?{query}", **{"If-None-Match": before["ETag"]}).status_code == 200
    assert titles(as_alice, query) == ""
    assert titles(as_alice, f"{query}&tz=UTC") == "b"


@pytest.mark.parametrize(
    "query", ["due_from=2026-3-1", "due_until=tomorrow", "tz=Berlin", "tz=", "starts_until=1"]
)
def test_an_invalid_day_or_zone_is_refused(as_alice, query):
    assert_error(as_alice("get", f"/tasks?{query}"), 400, "VALIDATION_ERROR", field=query.partition("=")[0])


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("now", ["2026-04-04T13:29:00", "2026-04-05T03:01:00", "2026-10-03T15:31:00"])
def test_a_day_is_overdue_when_it_has_ended_in_the_time_zone(as_alice, monkeypatch, zone, now):
    now = dt.datetime.fromisoformat(now).replace(tzinfo=dt.UTC)
    today = now.astimezone(ZoneInfo(zone)).date()
    day = dt.timedelta(days=1)
    create_task(as_alice, "a", due_date=str(today - day))
    create_task(as_alice, "b", due_date=str(today))
    create_task(as_alice, "c", due_date=str(today + day))
    create_task(as_alice, "d", due_at=(now - dt.timedelta(microseconds=1)).isoformat())
    create_task(as_alice, "e", due_at=now.isoformat())
    monkeypatch.setattr(timezone, "now", lambda: now)

    assert titles(as_alice, f"overdue=true&tz={zone}") == "ad"
    assert titles(as_alice, f"overdue=false&tz={zone}") == "bce"
    assert as_alice("get", f"/tasks/stats?tz={zone}").json()["overdue"] == 2


def test_a_task_is_available_from_its_start_date_on(as_alice, monkeypatch):
    for title, day in (("a", "2026-03-28"), ("b", "2026-03-29"), ("c", None)):
        create_task(as_alice, title, start_date=day)
    monkeypatch.setattr(timezone, "now", lambda: dt.datetime(2026, 3, 28, 22, 30, tzinfo=dt.UTC))

    assert titles(as_alice, "available=true") == "ac"
    assert titles(as_alice, "available=false") == "b"
    assert titles(as_alice, "available=true&tz=Asia/Tokyo") == "abc"
    assert titles(as_alice, "starts_until=2026-03-28") == "a"
    assert "ETag" not in as_alice("get", "/tasks?available=true")


def test_days_sort_among_times_at_their_end_in_utc(as_alice):
    create_task(as_alice, "1", due_at="2026-03-28T23:59:59Z")
    create_task(as_alice, "2", due_date="2026-03-28")
    create_task(as_alice, "3", due_at="2026-03-29T00:00:00Z")
    create_task(as_alice, "4")

    for limit in (1, 2, 50):
        for ordering, expected in (("due", "1234"), ("-due", "3214")):
            seen, path = "", f"/tasks?ordering={ordering}&limit={limit}&fields=title"
            while path:
                page = as_alice("get", path).json()
                seen += "".join(task["title"] for task in page["results"])
                path = (page["next"] or "").partition("/api/v1")[2]
            assert seen == expected


# The days of a zone


@pytest.mark.parametrize(
    ("zone", "day", "start", "end"),
    [
        ("UTC", "2026-03-29", "2026-03-29T00:00", "2026-03-30T00:00"),
        ("Europe/Berlin", "2026-03-29", "2026-03-28T23:00", "2026-03-29T22:00"),  # 23 hours
        ("Europe/Berlin", "2026-10-25", "2026-10-24T22:00", "2026-10-25T23:00"),  # 25 hours
        ("Australia/Lord_Howe", "2026-04-05", "2026-04-04T13:00", "2026-04-05T13:30"),  # 24.5 hours
        ("America/Santiago", "2026-09-06", "2026-09-06T04:00", "2026-09-07T03:00"),  # begins at 1:00
        ("America/Santiago", "2026-04-04", "2026-04-04T03:00", "2026-04-05T04:00"),  # 23:00 occurs twice
        ("America/Havana", "2026-11-01", "2026-11-01T04:00", "2026-11-02T05:00"),  # 0:00 occurs twice
        ("Pacific/Kiritimati", "2026-01-01", "2025-12-31T10:00", "2026-01-01T10:00"),
        ("Pacific/Kiritimati", "1994-12-31", "1994-12-31T10:00", "1994-12-31T10:00"),  # did not take place
        ("Pacific/Kiritimati", "0001-01-01", "0001-01-01T10:29:20", "0001-01-02T10:29:20"),
        ("Asia/Tokyo", "0001-01-01", "0001-01-01T00:00", "0001-01-01T14:41:01"),
        ("Etc/GMT+12", "9999-12-31", "9999-12-31T12:00", "9999-12-31T23:59:59.999999"),
    ],
)
def test_a_day_lasts_from_its_first_instant_to_the_next_days(zone, day, start, end):
    bounds = [of(dt.date.fromisoformat(day), ZoneInfo(zone)) for of in (start_of_day, end_of_day)]

    assert bounds == [dt.datetime.fromisoformat(each).replace(tzinfo=dt.UTC) for each in (start, end)]
