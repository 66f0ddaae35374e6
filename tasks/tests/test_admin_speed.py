"""The admin asks the database as often for many rows as for few, and an index answers."""

import json
import re

import pytest
from django.contrib.admin.models import LogEntry
from django.core.cache import cache
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import FailedLogin, Identity, PersonalToken, Session, User
from tasks.models import Task
from tests.support.admin_client import PEOPLE, TASKS, some_tasks, staff
from todo_project.admin import options as staff_pages

SESSIONS, TOKENS = "/admin/accounts/session/", "/admin/accounts/personaltoken/"
IDENTITIES, FAILURES = "/admin/accounts/identity/", "/admin/accounts/failedlogin/"


@pytest.fixture
def root(db):
    return staff("superuser")


def people_with_things(count, *, tasks):
    """So many people, each with as many tasks and one of everything else."""
    now = timezone.now()
    already = User.objects.count()
    for number in range(already, already + count):
        person = User.objects.create_user(f"person{number}@example.com", name="Person")
        some_tasks(person, *(f"milk {number}" for number in range(tasks)))
        some_tasks(person, "trashed milk", verbs=("delete",))
        some_tasks(person, "completed milk", verbs=("complete",))
        theirs = {"user": person, "expires_at": now}
        Session.objects.create(**theirs)
        PersonalToken.objects.create(**theirs, name="script", hash=f"h{number}", scopes=["account"])
        Identity.objects.create(user=person, issuer="https://issuer.example", subject=str(number))
        FailedLogin.objects.create(email=f"person{number}@example.com", address="198.51.100.7", at=now)


PAGES = [
    TASKS, f"{TASKS}?state=open", f"{TASKS}?state=overdue", f"{TASKS}?state=completed",
    f"{TASKS}?state=trashed", f"{TASKS}?owner={{person}}", f"{TASKS}?q=milk", f"{TASKS}?q={{task}}",
    f"{TASKS}?q=person1@example.com", f"{TASKS}?created_at__gte=2020-01-01T00:00Z",
    f"{TASKS}add/", f"{TASKS}{{task}}/change/", f"{TASKS}{{trashed}}/delete/", f"{TASKS}{{task}}/history/",
    PEOPLE, f"{PEOPLE}?standing=staff", f"{PEOPLE}?q=person", f"{PEOPLE}{{person}}/change/",
    f"{PEOPLE}{{person}}/delete/", f"{PEOPLE}add/",
    SESSIONS, f"{SESSIONS}?state=expired", f"{SESSIONS}?owner={{person}}",
    f"{SESSIONS}?q=person1@example.com",
    TOKENS, f"{TOKENS}?state=expired", IDENTITIES, FAILURES, f"{FAILURES}?q=198.51.100.7",
    "/admin/autocomplete/?term=person&app_label=tasks&model_name=task&field_name=owner",
]  # fmt: skip


def queries_of(client, page):
    """What a page asks, when what Django keeps for good is known."""
    known = {
        "person": User.objects.get(email="person1@example.com").pk,
        "task": Task.objects.live()[0].pk,
        "trashed": Task.objects.trashed()[0].pk,
    }
    cache.clear()
    path = page.format(**known)
    client.get(path)
    with CaptureQueriesContext(connection) as queries:
        response = client.get(path)
    assert response.status_code == 200
    return [query["sql"] for query in queries]


@pytest.mark.parametrize("page", PAGES)
def test_a_page_asks_as_often_for_many_rows_as_for_few(root, page):
    people_with_things(2, tasks=2)
    few = len(queries_of(root, page))
    people_with_things(30, tasks=10)

    many = len(queries_of(root, page))

    assert many == few
    assert many <= 16


def test_a_list_is_counted_to_a_bound_and_says_so(root, alice, monkeypatch):
    monkeypatch.setattr(staff_pages, "COUNTED", 250)
    some_tasks(alice, *(str(number) for number in range(250)))
    assert "\n250 tasks" in root.get(TASKS).content.decode()
    some_tasks(alice, "one more")

    page = root.get(TASKS).content.decode()

    assert "\n250+ tasks" in page
    assert "Select all 250+ tasks" in page
    assert "All 250+ selected" in page
    assert root.get(f"{TASKS}?p=3").status_code == 200
    assert root.get(f"{TASKS}?p=4").status_code == 302


def test_a_count_stops_at_its_bound(root):
    people_with_things(2, tasks=1)

    [count] = [sql for sql in queries_of(root, TASKS) if "COUNT(" in sql]

    assert "LIMIT 1001" in count


ACTIONS = {
    "complete": Task.objects.live().open, "reopen": Task.objects.live().completed,
    "trash": Task.objects.live, "restore": Task.objects.trashed, "purge": Task.objects.trashed,
}  # fmt: skip


@pytest.mark.parametrize("action", [*ACTIONS, "export"])
def test_an_action_asks_as_often_for_many_rows_as_for_few(root, action):
    people_with_things(25, tasks=1)
    rows = list(ACTIONS.get(action, Task.objects.all)()[:25])
    assert len(rows) == 25

    few = queries_of_action(root, TASKS, action, rows[:2])
    many = queries_of_action(root, TASKS, action, rows[2:])

    assert many == few <= 18


@pytest.mark.parametrize(
    ("path", "action", "model"),
    [
        (PEOPLE, "end_sessions", User), (PEOPLE, "deactivate", User), (SESSIONS, "end", Session),
        (TOKENS, "revoke", PersonalToken), (IDENTITIES, "unlink", Identity),
        (FAILURES, "forget", FailedLogin),
    ],
)  # fmt: skip
def test_an_action_on_people_asks_as_often_for_many_as_for_few(root, path, action, model):
    people_with_things(25, tasks=0)
    Session.objects.update(expires_at="2999-01-01T00:00Z")
    rows = list(model.objects.exclude(**({"is_staff": True} if model is User else {})))

    queries_of_action(root, path, action, rows[:1])  # The first one asks for what Django then keeps.
    few = queries_of_action(root, path, action, rows[1:3])
    many = queries_of_action(root, path, action, rows[3:])

    assert many == few <= 18


def queries_of_action(client, path, action, rows):
    before = LogEntry.objects.count()
    keys = [str(row.pk) for row in rows]
    confirmed = str(len(keys)) if action == "export" else staff_pages.seal(keys)
    form = {"action": action, "_selected_action": keys, "confirmed": confirmed}
    with CaptureQueriesContext(connection) as queries:
        response = client.post(path, form)
        b"".join(response) if response.streaming else response.content
    assert LogEntry.objects.count() == before + (1 if action == "export" else len(rows))
    return len(queries)


def test_deleting_a_person_takes_as_many_queries_whatever_they_own(root):
    people_with_things(1, tasks=1)
    people_with_things(1, tasks=300)
    counts = []
    for person in User.objects.filter(is_staff=False).order_by("created_at"):
        with CaptureQueriesContext(connection) as queries:
            root.post(f"{PEOPLE}{person.pk}/delete/", {"post": "yes"})
        counts.append(len(queries))
        assert not [query for query in queries if 'SELECT "tasks_task"."id"' in query["sql"]]

    assert User.objects.filter(is_staff=False).count() == 0
    assert Task.objects.count() == 0
    assert counts[0] == counts[1] <= 55


def test_an_action_of_many_chunks_costs_each_chunk_the_same(root, alice, monkeypatch):
    monkeypatch.setattr(staff_pages, "AT_ONCE", 10)
    tasks = some_tasks(alice, *(str(number) for number in range(60)))

    one, two, three = (
        queries_of_action(root, TASKS, "complete", rows) for rows in (tasks[:10], tasks[10:30], tasks[30:])
    )

    assert two - one == three - two <= 8


@pytest.mark.postgres
@pytest.mark.parametrize(
    ("page", "index"),
    [
        (TASKS, "task_all_created"),
        (f"{TASKS}?state=open", "task_all_open"),
        (f"{TASKS}?state=overdue", "task_all_open"),
        (f"{TASKS}?state=completed", "task_all_completed"),
        (f"{TASKS}?owner={{person}}", "task_version_once_per_owner"),
        (f"{TASKS}?q=person1@example.com", "task_version_once_per_owner"),
        (f"{TASKS}?q=zzzzz", "task_search"),
        (PEOPLE, "user_created"),
        (f"{PEOPLE}?standing=staff", "user_staff"),
        (f"{PEOPLE}?standing=deactivated", "user_deactivated"),
        (f"{PEOPLE}?q=zzzzz", "user_search"),
        (f"{PEOPLE}?q=person1@example.com", "user_email_unique"),
        (SESSIONS, "session_expires"),
        (f"{SESSIONS}?owner={{person}}", "session_user_created"),
        (IDENTITIES, "identity_created"),
        (FAILURES, "failed_login_at"),
    ],
)
def test_a_list_and_its_count_are_read_by_an_index(root, page, index):
    people_with_things(2, tasks=2)
    asked = [
        sql
        for sql in queries_of(root, page)
        if "COUNT(" in sql or re.search(r" (ASC|DESC)\b(?! LIMIT 1$)", sql)
    ]

    assert len(asked) == 2
    with connection.cursor() as cursor:
        # The tables are so small that to read them whole is the quickest; here it costs too much.
        cursor.execute("SET LOCAL enable_seqscan = off")
        if index.endswith(("search", "unique")):
            cursor.execute("SET LOCAL enable_indexscan = off")
        else:
            cursor.execute("SET LOCAL enable_sort = off")
        for sql in asked:
            cursor.execute(f"EXPLAIN (FORMAT JSON) {sql}")
            [(plan,)] = cursor.fetchall()
            assert index in json.dumps(plan), sql
