"""The number of queries of a page does not grow with the number of rows, and an index serves each of them."""

import json
import re

import pytest
from django.apps import apps
from django.contrib.admin import ModelAdmin, site
from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.core.cache import cache
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import FailedLogin, Identity, PersonalToken, Session, User
from tasks.kinds import LABEL, PROJECT, TASK
from tasks.ledger.operations import Operation, perform
from tasks.models import Label, Project, Task
from tests.support.admin_client import (
    FAILURES,
    IDENTITIES,
    LABELS,
    PROJECTS,
    SESSIONS,
    TASKS,
    TOKENS,
    USERS,
    create_tasks,
    staff_client,
)
from tests.support.calls import python_calls
from todo_project.admin import actions, changelist
from todo_project.admin.actions import selection_digest


@pytest.fixture
def superuser(db):
    # Django caches content types for the process, so the first test to need one would make a query more.
    ContentType.objects.get_for_models(*apps.get_models())
    return staff_client("superuser")


def create_users_with_rows(count, *, tasks):
    """Create users with this number of tasks each, and one row of every other model."""
    now = timezone.now()
    already = User.objects.count()
    for number in range(already, already + count):
        user = User.objects.create_user(f"user{number}@example.com", name="Person")
        create_organised_tasks(user, tasks)
        create_tasks(user, "trashed milk", verbs=("delete",))
        create_tasks(user, "completed milk", verbs=("complete",))
        theirs = {"user": user, "expires_at": now}
        Session.objects.create(**theirs)
        PersonalToken.objects.create(**theirs, name="script", hash=f"h{number}", scopes=["account"])
        Identity.objects.create(user=user, issuer="https://issuer.example", subject=str(number))
        FailedLogin.objects.create(email=f"user{number}@example.com", address="198.51.100.7", at=now)


def create_organised_tasks(user, number):
    """Tasks in a project, with labels and a parent, and as many projects and labels."""
    names = [f"milk {each}" for each in range(number)]
    outer, *_ = perform(user, [Operation(PROJECT, "create", values={"name": name}) for name in names])
    perform(user, [Operation(PROJECT, "create", values={"name": "inner", "parent": outer.pk})])
    [archived] = perform(user, [Operation(PROJECT, "create", values={"name": "archived"})])
    perform(user, [Operation(PROJECT, "archive", archived.pk)])
    [trashed] = perform(user, [Operation(PROJECT, "create", values={"name": "trashed"})])
    perform(user, [Operation(PROJECT, "delete", trashed.pk)])
    labels = perform(user, [Operation(LABEL, "create", values={"name": name}) for name in names])
    values = {"project": outer.pk, "labels": [label.pk for label in labels[:3]]}
    parent, *_ = perform(
        user, [Operation(TASK, "create", values={"title": name, **values}) for name in names]
    )
    perform(user, [Operation(TASK, "create", values={"title": "milk", "parent": parent.pk})])


def users():
    return User.objects.filter(is_staff=False)


def open_parents():
    return Task.objects.filter(title="milk 0")


def outer_projects():
    return Project.objects.filter(name="milk 0")


PAGES = [
    TASKS, f"{TASKS}?state=open", f"{TASKS}?state=overdue", f"{TASKS}?state=completed",
    f"{TASKS}?state=trashed", f"{TASKS}?owner={{user}}", f"{TASKS}?q=milk", f"{TASKS}?q={{task}}",
    f"{TASKS}?q=user1@example.com", f"{TASKS}?created_at__gte=2020-01-01T00:00Z",
    f"{TASKS}add/", f"{TASKS}{{task}}/change/", f"{TASKS}{{trashed}}/delete/", f"{TASKS}{{task}}/history/",
    USERS, f"{USERS}?status=staff", f"{USERS}?q=user", f"{USERS}{{user}}/change/",
    f"{USERS}{{user}}/delete/", f"{USERS}add/",
    SESSIONS, f"{SESSIONS}?state=expired", f"{SESSIONS}?owner={{user}}",
    f"{SESSIONS}?q=user1@example.com",
    TOKENS, f"{TOKENS}?state=expired", IDENTITIES, FAILURES, f"{FAILURES}?q=198.51.100.7",
    "/admin/autocomplete/?term=user&app_label=tasks&model_name=task&field_name=owner",
    "/admin/autocomplete/?term=milk&app_label=tasks&model_name=task&field_name=parent&owner={user}",
    f"{TASKS}?owner={{user}}&project={{project}}", f"{TASKS}?owner={{user}}&project=none&label=none",
    f"{TASKS}?owner={{user}}&label={{label}}&level=top",
    PROJECTS, f"{PROJECTS}?state=active", f"{PROJECTS}?state=archived", f"{PROJECTS}?state=trashed",
    f"{PROJECTS}?owner={{user}}", f"{PROJECTS}?q=milk", f"{PROJECTS}add/", f"{PROJECTS}{{project}}/change/",
    f"{PROJECTS}{{trashed_project}}/delete/", LABELS, f"{LABELS}?owner={{user}}", f"{LABELS}?q=milk",
    f"{LABELS}{{label}}/change/", f"{LABELS}{{label}}/delete/",
    f"{TASKS}{{task}}/action/trash/", f"{PROJECTS}{{project}}/action/trash/",
]  # fmt: skip


def queries_of(client, page):
    """The queries of a page, without those that Django caches for the process."""
    known = {
        "user": User.objects.get(email="user1@example.com").pk,
        "task": Task.objects.get(title="milk", owner__email="user1@example.com").pk,
        "trashed": Task.objects.trashed()[0].pk,
        "project": Project.objects.get(name="milk 0", owner__email="user1@example.com").pk,
        "trashed_project": Project.objects.trashed()[0].pk,
        "label": Label.objects.get(name="milk 0", owner__email="user1@example.com").pk,
    }
    cache.clear()
    path = page.format(**known)
    client.get(path)
    with CaptureQueriesContext(connection) as queries:
        response = client.get(path)
    assert response.status_code == 200, path
    return [query["sql"] for query in queries]


@pytest.mark.any_database
def test_each_page_makes_as_many_queries_for_many_rows_as_for_few(superuser):
    create_users_with_rows(2, tasks=2)
    few = {page: len(queries_of(superuser, page)) for page in PAGES}
    create_users_with_rows(30, tasks=10)

    many = {page: len(queries_of(superuser, page)) for page in PAGES}

    assert many == few
    # A deletion counts the rows of every model.
    limits = {page: 22 if page.endswith("{user}/delete/") else 16 for page in PAGES}
    assert {page: count for page, count in many.items() if count > limits[page]} == {}


def test_a_list_counts_up_to_its_limit_and_shows_a_plus(superuser, alice, monkeypatch):
    monkeypatch.setattr(changelist, "COUNT_LIMIT", 250)
    create_tasks(alice, *(str(number) for number in range(250)))
    assert "\n250 tasks" in superuser.get(TASKS).content.decode()
    create_tasks(alice, "one more")

    page = superuser.get(TASKS).content.decode()

    assert "\n250+ tasks" in page
    assert "Select all 250+ tasks" in page
    assert "All 250+ selected" in page
    assert superuser.get(f"{TASKS}?p=3").status_code == 200
    assert superuser.get(f"{TASKS}?p=4").status_code == 302


def test_the_count_query_stops_at_the_limit(superuser):
    create_users_with_rows(2, tasks=1)

    [count] = [sql for sql in queries_of(superuser, TASKS) if "COUNT(" in sql]

    assert "LIMIT 1001" in count


ACTIONS = [
    (TASKS, "complete", open_parents), (TASKS, "reopen", Task.objects.live().completed),
    (TASKS, "trash", open_parents), (TASKS, "restore", Task.objects.trashed),
    (TASKS, "purge", Task.objects.trashed), (TASKS, "export", Task.objects.all),
    (PROJECTS, "archive", outer_projects), (PROJECTS, "unarchive", Project.objects.archived),
    (PROJECTS, "trash", outer_projects), (PROJECTS, "restore", Project.objects.trashed),
    (PROJECTS, "purge", Project.objects.trashed), (PROJECTS, "export", Project.objects.all),
    (LABELS, "export", Label.objects.all),
    (USERS, "end_sessions", users), (USERS, "deactivate", users), (SESSIONS, "end", Session.objects.all),
    (TOKENS, "revoke", PersonalToken.objects.all), (IDENTITIES, "unlink", Identity.objects.all),
    (FAILURES, "forget", FailedLogin.objects.all),
]  # fmt: skip


@pytest.mark.any_database
@pytest.mark.parametrize(("path", "action", "find"), ACTIONS, ids=[action for _, action, _ in ACTIONS])
def test_an_action_makes_as_many_queries_for_many_rows_as_for_few(superuser, path, action, find):
    create_users_with_rows(25, tasks=1)
    Session.objects.update(expires_at="2999-01-01T00:00Z")
    rows = list(find()[:25])
    assert len(rows) == 25

    few = queries_of_action(superuser, path, action, rows[:2])
    many = queries_of_action(superuser, path, action, rows[2:])

    assert many == few <= 18


def queries_of_action(client, path, action, rows):
    before = LogEntry.objects.count()
    keys = [str(row.pk) for row in rows]
    confirmed = str(len(keys)) if action == "export" else selection_digest(keys)
    form = {"action": action, "_selected_action": keys, "confirmed": confirmed}
    with CaptureQueriesContext(connection) as queries:
        response = client.post(path, form)
        b"".join(response) if response.streaming else response.content
    assert LogEntry.objects.count() == before + (1 if action == "export" else len(rows))
    return len(queries)


def test_deleting_a_user_makes_as_many_queries_for_many_tasks_as_for_few(superuser):
    create_users_with_rows(1, tasks=1)
    create_users_with_rows(1, tasks=300)
    counts = []
    for user in users().order_by("created_at"):
        with CaptureQueriesContext(connection) as queries:
            superuser.post(f"{USERS}{user.pk}/delete/", {"post": "yes"})
        counts.append(len(queries))
        assert not [query for query in queries if 'SELECT "tasks_task"."id"' in query["sql"]]

    assert not users().exists()
    assert not Task.objects.exists()
    assert counts[0] == counts[1] <= 72  # Three of them for each of the tests' own models.


def test_each_batch_of_an_action_makes_the_same_number_of_queries(superuser, alice, monkeypatch):
    monkeypatch.setattr(actions, "BATCH_SIZE", 10)
    tasks = create_tasks(alice, *(str(number) for number in range(60)))

    one, two, three = (
        queries_of_action(superuser, TASKS, "complete", rows)
        for rows in (tasks[:10], tasks[10:30], tasks[30:])
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
        (f"{TASKS}?owner={{user}}", "task_version_once_per_owner"),
        (f"{TASKS}?q=user1@example.com", "task_version_once_per_owner"),
        (f"{TASKS}?q=zzzzz", "task_search"),
        (f"{TASKS}?owner={{user}}&project={{project}}", "task_version_once_per_owner"),
        (PROJECTS, "project_all_created"),
        (f"{PROJECTS}?state=trashed", "project_all_trashed"),
        (f"{PROJECTS}?owner={{user}}", "project_version_once_per_owner"),
        (f"{PROJECTS}?q=zzzzz", "project_search"),
        (LABELS, "label_all_created"),
        (f"{LABELS}?owner={{user}}", "label_version_once_per_owner"),
        (f"{LABELS}?q=zzzzz", "label_search"),
        (USERS, "user_created"),
        (f"{USERS}?status=staff", "user_staff"),
        (f"{USERS}?status=deactivated", "user_deactivated"),
        (f"{USERS}?q=zzzzz", "user_search"),
        (f"{USERS}?q=user1@example.com", "user_email_unique"),
        (SESSIONS, "session_expires"),
        (f"{SESSIONS}?owner={{user}}", "session_user_created"),
        (IDENTITIES, "identity_created"),
        (FAILURES, "failed_login_at"),
    ],
)
def test_an_index_serves_each_list_and_its_count(superuser, page, index):
    create_users_with_rows(2, tasks=2)
    query = [
        sql
        for sql in queries_of(superuser, page)
        if ("COUNT(" in sql and "AS counted" not in sql) or re.search(r" (ASC|DESC)\b(?! LIMIT 1$)", sql)
    ]

    assert len(query) == 2
    with connection.cursor() as cursor:
        # The planner prefers a sequential scan for tables this small.
        cursor.execute("SET LOCAL enable_seqscan = off")
        if index.endswith(("search", "unique")):
            cursor.execute("SET LOCAL enable_indexscan = off")
            # Of so few rows, reading all by any index would cost no more than searching.
            cursor.execute(
                "UPDATE pg_class SET reltuples = 1e6, relpages = 1 WHERE relname ~ '^(tasks|accounts)_'"
            )
        else:
            cursor.execute("SET LOCAL enable_sort = off")
        for sql in query:
            cursor.execute(f"EXPLAIN (FORMAT JSON) {sql}")
            [(plan,)] = cursor.fetchall()
            assert index in json.dumps(plan), sql


def test_the_checkbox_of_a_row_is_that_of_django_without_a_template(alice):
    [task] = create_tasks(alice, 'milk & "bread"')
    tasks, rendered_by_template = site.get_model_admin(Task), ModelAdmin.action_checkbox

    assert tasks.action_checkbox(task) == rendered_by_template(tasks, task)
    assert 10 * python_calls(tasks.action_checkbox, task) < python_calls(rendered_by_template, tasks, task)
