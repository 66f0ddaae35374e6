"""Database constraints and indexes of tasks."""

from typing import Any

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from tasks.ledger.kinds import kinds
from tasks.ledger.models import Clock, Tombstone
from tasks.models import Task
from todo_project.db.errors import diagnose, violates

VIOLATIONS = [
    ("task_title_not_blank", {"title": ""}, "title", "blank"),
    ("task_title_not_blank", {"title": "   "}, "title", "blank"),
    ("task_description_length", {"description": "x" * 5001}, "description", "max_length"),
    ("task_priority_range", {"priority": 4}, "priority", "invalid_choice"),
    ("task_completed_at_when_completed", {"completed": True}, None, "task_completed_at_when_completed"),
    (
        "task_completed_at_when_completed",
        {"completed_at": timezone.now()},
        None,
        "task_completed_at_when_completed",
    ),
    ("task_version_once_per_owner", {"version": 1}, None, "unique"),
]


@pytest.mark.parametrize(("constraint", "values", "field", "code"), VIOLATIONS)
def test_a_violated_constraint_is_recognized_by_its_name(alice, constraint, values, field, code):
    Task.objects.create(owner=alice, title="milk", version=1)

    with pytest.raises(IntegrityError) as caught, transaction.atomic():
        Task.objects.create(**{"owner": alice, "title": "bread", "version": 2, **values})
    diagnosis: Any = diagnose(caught.value)
    assert violates(caught.value, constraint)
    assert (diagnosis.field, diagnosis.code, diagnosis.conflict) == (field, code, code == "unique")


def test_a_title_that_is_too_long_for_the_database_is_not_a_conflict(alice):
    """PostgreSQL checks the type of the column before the constraint."""
    with pytest.raises(DatabaseError) as caught, transaction.atomic():
        Task.objects.create(owner=alice, title="x" * 501, version=1)
    diagnosis: Any = diagnose(caught.value)
    assert diagnosis.conflict is False


def test_deleting_a_user_deletes_only_their_tasks(alice, bob):
    for owner in (alice, bob):
        Task.objects.create(owner=owner, title="milk", version=1)
    alice.delete()

    assert [task.owner for task in Task.objects.all()] == [bob]


@pytest.mark.postgres
def test_a_search_uses_the_trigram_index(as_alice, alice):
    titles = ["bread", *(f"milk {number}" for number in range(2000))]
    Task.objects.bulk_create(
        Task(owner=alice, title=title, version=number) for number, title in enumerate(titles)
    )
    with CaptureQueriesContext(connection) as queries:
        [found] = as_alice("get", "/tasks?q=Rea").json()["results"]
    with connection.cursor() as cursor:
        # A vacuum does this in production.
        cursor.execute("SELECT gin_clean_pending_list('task_search'); ANALYZE tasks_task")
        [statements] = [query["sql"] for query in queries if "UPPER" in query["sql"]]
        search = statements.partition("; ")[2]  # after the lock
        cursor.execute("EXPLAIN " + search.replace("%", "%%"))
        plan = "\n".join(line for (line,) in cursor.fetchall())

    assert found["title"] == "bread"
    assert plan.count("Bitmap Index Scan on task_search") == 2
    assert "Index Cond: ((owner_id = " in plan


def keys_and_indexes():
    """The table and the columns of each key and index of the tables with an owner."""
    with connection.cursor() as cursor:
        models: Any = [Clock, Tombstone, *(kind.model for kind in kinds.values())]
        for table in [model._meta.db_table for model in models]:
            for each in connection.introspection.get_constraints(cursor, table).values():
                if each["index"] or each["unique"] or each["primary_key"]:
                    yield table, each["columns"]


OVER_ALL_OWNERS = {
    ("tasks_task", "created_at"),  # the admin's lists and dashboard
    ("tasks_task", "completed_at"),
    ("tasks_task", "due_by"),
    ("tasks_task", "deleted_at"),  # the admin's list of the trash, and the purge command
    ("tasks_project", "created_at"),
    ("tasks_project", "deleted_at"),
    ("tasks_label", "created_at"),
    ("ledger_tombstone", "purged_at"),  # the purge command
}


def test_every_index_but_those_over_all_owners_includes_the_owner(db):
    others = {(table, columns[0]) for table, columns in keys_and_indexes() if "owner_id" not in columns}

    # SQLite finds objects by their id alone.
    by_id = {(f"tasks_{name}", "id") for name in ("task", "project", "label")}
    assert others == OVER_ALL_OWNERS | (by_id if connection.vendor == "sqlite" else set())
