"""Writes in one statement do what writes in a transaction do, and only fall back on these if they must."""

import datetime as dt
import random
from functools import partial
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from tasks import positions
from tasks.kinds import TASK
from tasks.ledger import views
from tasks.ledger.counts import count_rows
from tasks.ledger.kinds import kinds
from tasks.ledger.models import Clock
from tasks.ledger.operations import Operation, perform
from tasks.models import Task
from tests.support.assertions import assert_error
from tests.support.caller import UNKNOWN_ID
from tests.support.follower import Follower
from tests.support.locks import transaction_blocking
from tests.support.tasks import create_task, server_entries, trashed
from tests.support.threads import run_each

pytestmark = [pytest.mark.postgres, pytest.mark.django_db]

POSITIONS = [0, 1, 61, 62, 3905, 3906, 5_000_000, 1_800_000_000, 57_731_386_986, 10**18, 2**63 - 1]
PATHS = {"tasks": "title", "projects": "name", "labels": "name"}
VALUES: dict[str, list[Any]] = {
    "title": ["milk", "  oat milk ", 'a "quote" \\ and 🥛'],
    "name": ["Home", "Garden", "Zürich"],
    "description": ["", None, "two\nlines"],
    "priority": [0, 3],
    "completed": [True, False],
    "start_date": ["2030-01-31", None],
    "due_date": ["2030-02-01", None],
    "due_at": ["2030-02-01T09:00:00+01:00", None],
    "due_zone": ["Europe/Berlin", None],
    "color": ["#1E90FF", None],
}
FIELDS = {"tasks": [*VALUES][2:-1], "projects": ["color"], "labels": ["color"]}


@pytest.fixture
def single_statements(monkeypatch):
    """The results of the attempts to write in one statement; None for each that takes a transaction."""
    results = []

    def record(*args):
        results.append(views_function(*args))
        return results[-1]

    views_function = views.perform_in_one_statement
    monkeypatch.setattr(views, "perform_in_one_statement", record)
    return results


def in_transactions(caller, monkeypatch, *args):
    with monkeypatch.context() as patch:
        patch.setattr(views, "perform_in_one_statement", lambda *args: None)
        return caller(*args)


def comparable(response):
    """The answer without what is each owner's own."""
    answer = response.json()
    if "error" in answer:
        error = {**answer["error"], "request_id": None}
        error["details"] = {**error["details"], "current": "current" in error["details"]}
        return response.status_code, error
    own = {"id", "user_id", "created_at", "updated_at", "completed_at"}
    shared = {name: answer[name] for name in answer.keys() - own}
    return response.status_code, response["ETag"], shared, answer.get("completed_at") is None


def any_write(seed):
    """A method, an object's number, its path, a body and whether its version is compared."""
    rng = random.Random(seed)
    path, name = rng.choice([*PATHS.items()])
    names = rng.choices([name, *FIELDS[path]], k=rng.choice([1, 1, 1, 2, 3]))
    body = {each: rng.choice(VALUES[each]) for each in names}
    method = rng.choice(["post", "post", "patch", "patch", "patch", "put"])
    if method != "patch":
        body[name] = f"{seed} {rng.choice(VALUES[name])}"
    return method, path, rng.random(), body, rng.random() < 0.2


def test_any_writes_give_the_same_answers_and_rows_in_both_ways(
    as_alice, as_bob, alice, bob, monkeypatch, single_statements
):
    created: dict[str, list[tuple[str, str]]] = {path: [] for path in PATHS}
    for seed in range(60):
        method, path, number, body, conditional = any_write(seed)
        ids = [("", "")]
        if method != "post":
            ids = created[path][int(number * len(created[path])) :][:1]
        for mine, other in ids:
            headers = {"If-Match": f'"{1 + int(number * 40)}"'} if conditional else {}
            urls = [f"/{path}/{each}".rstrip("/") for each in (mine, other)]
            response = partial(as_alice, **headers)(method, urls[0], body)
            expected = in_transactions(partial(as_bob, **headers), monkeypatch, method, urls[1], body)

            assert comparable(response) == comparable(expected), (method, path, body)
            if response.status_code == 201:
                created[path].append((response.json()["id"], expected.json()["id"]))
                assert response["Location"].endswith(response.json()["id"])
            elif response.status_code == 200:
                assert response.json() == as_alice("get", urls[0]).json()

    assert all(len(each) > 2 for each in created.values())
    assert len([each for each in single_statements if each]) > 20
    clocks = [Clock.objects.get(owner=owner) for owner in (alice, bob)]
    assert clocks[0].counts == clocks[1].counts == count_rows(alice)
    # A refused write has incremented neither.
    assert clocks[0].tick == clocks[1].tick
    hidden = {"id", "owner", "created_at", "updated_at", "completed_at"}
    for kind in kinds.values():
        columns = [field.attname for field in kind.model._meta.concrete_fields if field.name not in hidden]
        rows = [
            kind.model.objects.for_user(owner).order_by("version").values(*columns) for owner in (alice, bob)
        ]
        assert [*rows[0]] == [*rows[1]]
    completed = Task.objects.for_user(alice).filter(completed=True, version=1)
    assert all(task.completed_at == task.created_at for task in completed)


@pytest.mark.parametrize(
    ("body", "headers", "code", "error"),
    [
        ({"title": "tea"}, {"If-Match": '"1000"'}, 412, "PRECONDITION_FAILED"),
        ({"title": "tea"}, {"If-Match": '"1", "2"'}, 200, None),
        ({"title": "tea"}, {}, 200, None),
    ],
)
def test_a_condition_on_the_version_is_part_of_the_statement(as_alice, body, headers, code, error):
    task = create_task(as_alice)
    response = as_alice("patch", f"/tasks/{task['id']}", body, **headers)

    assert response.status_code == code
    if error:
        assert assert_error(response, code, error)["details"]["current"] == task
    assert Clock.objects.get().tick == 1 + (code == 200)


def test_a_write_of_nothing_leaves_the_clock(as_alice, as_bob):
    task, gone = create_task(as_alice), trashed(as_alice)
    create_task(as_bob)
    before = list(Clock.objects.order_by("pk").values("tick", "counts"))
    for caller, object_id in ((as_alice, gone["id"]), (as_alice, UNKNOWN_ID), (as_bob, task["id"])):
        assert_error(caller("patch", f"/tasks/{object_id}", {"title": "tea"}), 404, "NOT_FOUND")

    assert list(Clock.objects.order_by("pk").values("tick", "counts")) == before


@pytest.mark.parametrize(
    ("body", "is_single"),
    [
        ({"title": "tea", "due_date": "2030-01-31", "completed": True}, True),
        ({"title": "tea", "key": "tea"}, False),
        ({"title": "tea", "after": None}, False),
        ({"title": "tea", "labels": []}, False),
        ({"title": "tea", "repeat": None}, False),
    ],
)
def test_a_task_with_only_fields_of_its_own_is_created_in_one_statement(
    as_alice, single_statements, body, is_single
):
    create_task(as_alice)
    task = create_task(as_alice, **body)

    assert [bool(each) for each in single_statements][1:] == [is_single]
    assert task == as_alice("get", f"/tasks/{task['id']}").json()


def test_the_first_task_of_an_owner_creates_the_clock(as_alice):
    assert create_task(as_alice)["version"] == 1


def test_the_position_at_the_end_is_the_same_in_sql():
    sql = positions.last_in_sql("version")
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {sql} FROM unnest(%s::bigint[]) AS versions (version)", [POSITIONS])
        found = [position for (position,) in cursor.fetchall()]

    assert found == [positions.last(version) for version in POSITIONS]


def test_the_times_of_all_writes_are_those_of_the_databases_clock(as_alice, alice, monkeypatch):
    task = create_task(as_alice)
    monkeypatch.setattr(timezone, "now", lambda: dt.datetime(2001, 1, 1, tzinfo=dt.UTC))
    perform(alice, [Operation(TASK, "create", values={"title": "tea"})])
    perform(alice, [Operation(TASK, "complete", Task.objects.get(pk=task["id"]).pk)])
    perform(alice, [Operation(TASK, "delete", Task.objects.get(pk=task["id"]).pk)])

    in_order = list(Task.objects.order_by("version").values_list("updated_at", "completed_at", "deleted_at"))
    times = [in_order[0][0], in_order[1][1], in_order[1][2]]
    assert times == sorted(times)
    assert times[0].year > 2001


@pytest.mark.usefixtures("each_way_of_writing")
@pytest.mark.django_db(transaction=True)
class TestConcurrentWrites:
    def wait(self, owner, write, *, meanwhile):
        """The response to a write that has begun and waits, while the other one commits."""
        with transaction_blocking(write, before_commit=meanwhile) as responses:
            Clock.objects.lock(owner)
        return responses[0]

    def test_a_write_keeps_what_was_changed_while_it_waited(self, as_alice, alice):
        path = f"/tasks/{create_task(as_alice)['id']}"
        response = self.wait(
            alice,
            lambda: as_alice("patch", path, {"title": "tea"}),
            meanwhile=lambda: as_alice("post", f"{path}/complete"),
        )

        assert response.json() == as_alice("get", path).json()
        assert [response.json()[name] for name in ("title", "completed", "version")] == ["tea", True, 3]

    @pytest.mark.parametrize(
        ("headers", "change", "status"),
        [
            ({}, ("delete", ""), 404),
            ({"If-Match": '"1"'}, ("post", "/complete"), 412),
            ({"If-Match": '"1"'}, ("delete", ""), 404),
        ],
    )
    def test_it_checks_its_conditions_after_it_has_waited(self, as_alice, alice, headers, change, status):
        path = f"/tasks/{create_task(as_alice)['id']}"
        response = self.wait(
            alice,
            lambda: as_alice("patch", path, {"title": "tea"}, **headers),
            meanwhile=lambda: as_alice(change[0], path + change[1]),
        )

        assert response.status_code == status
        assert Task.objects.get().title == "milk"

    def test_it_checks_the_quota_after_it_has_waited(self, as_alice, alice, settings):
        settings.QUOTA_TASKS = 2
        create_task(as_alice)
        response = self.wait(
            alice,
            lambda: as_alice("post", "/tasks", {"title": "tea"}),
            meanwhile=lambda: create_task(as_alice),
        )

        assert_error(response, 409, "QUOTA_EXCEEDED")
        assert Task.objects.count() == Clock.objects.get().tick == 2

    def test_no_change_of_many_writers_is_lost_or_missed(self, as_alice, alice):
        tasks = [create_task(as_alice)["id"] for _ in range(4)]
        follower = Follower(as_alice, 3)

        def write(number):
            path = f"/tasks/{tasks[number % 4]}"
            writes = [
                ("patch", path, {"title": f"{number}"}),
                ("post", "/tasks", {"title": f"{number}", "due_date": "2030-01-31"}),
                ("post", f"{path}/{'complete' if number % 8 < 4 else 'reopen'}", None),
                ("patch", path, {"priority": number % 4}),
            ]
            return [as_alice(*each).status_code for each in random.Random(number).sample(writes, k=4)]

        def follow():
            for _ in range(40):
                follower.step()
            return []

        statuses = run_each(follow, *(partial(write, number) for number in range(32)))
        while follower.step():
            pass

        assert {status for each in statuses for status in each} == {200, 201}
        clock = Clock.objects.get()
        assert clock.counts == count_rows(alice)
        in_order = list(Task.objects.order_by("version").values_list("version", "updated_at"))
        assert in_order == sorted(in_order, key=lambda each: each[1])
        assert in_order[-1][0] == clock.tick
        assert follower.copy == server_entries(lambda path: as_alice("get", path).json())
