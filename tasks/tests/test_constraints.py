"""Database constraints and indexes of tasks."""

from typing import Any

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

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
        cursor.execute("EXPLAIN " + queries.captured_queries[-1]["sql"].replace("%", "%%"))
        plan = "\n".join(line for (line,) in cursor.fetchall())

    assert found["title"] == "bread"
    assert plan.count("Bitmap Index Scan on task_search") == 2
    assert "Index Cond: ((owner_id = " in plan


def test_every_index_of_a_list_starts_with_the_owner(db):
    with connection.cursor() as cursor:
        constraints = connection.introspection.get_constraints(cursor, "tasks_task")
    indexes = {
        name: each
        for name, each in constraints.items()
        # The lists of the admin are not limited to one owner.
        if name.startswith("task_") and not name.startswith("task_all_") and each["index"]
    }

    assert len(indexes) >= 8
    assert {
        name: each["columns"][0] for name, each in indexes.items() if each["columns"][0] != "owner_id"
    } == {
        **({"task_id": "id"} if connection.vendor == "postgresql" else {}),  # of the admin
        "task_trash": "deleted_at",  # of the purge
        "task_completion": "completed_at",  # of the dashboard
    }
