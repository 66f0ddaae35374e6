"""The database and Python write the same JSON of a task."""

import datetime as dt
from typing import Any
from uuid import UUID

import pytest

from tasks.kinds import TASK
from tasks.ledger.kinds import tombstone_json
from tasks.ledger.models import Tombstone
from tasks.models import Task
from tasks.serializers import TaskSerializer
from tests.support.tasks import position
from todo_project.api.encoder import dumps

TEXTS = [
    "plain",
    "\"quoted\" 'single' \\ back / slash",
    "".join(chr(code) for code in range(1, 32)) + "x",
    "\x7f\x80\x9f\xa0\u2028\u2029\ufeff\ufffd\uffff",
    "ünï \U0001f95b\U0001f468\u200d\U0001f469 \u0645\u0631\u062d\u0628\u0627",
    "100% %s %(title)s {title} || ' -- ; $1 ?",
    '{"id": 1}',
    "</script><b>&amp;",
]
TIMES = [
    dt.datetime(1, 1, 1, tzinfo=dt.UTC),
    dt.datetime(1969, 12, 31, 23, 59, 59, 999999, tzinfo=dt.UTC),
    dt.datetime(2030, 1, 31, 9, 0, 0, tzinfo=dt.UTC),
    dt.datetime(2030, 1, 31, 9, 0, 0, 500000, tzinfo=dt.UTC),
    dt.datetime(2030, 6, 30, 9, 0, 0, 1, tzinfo=dt.timezone(dt.timedelta(hours=-11, minutes=-30))),
    dt.datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=dt.UTC),
]


def written(task):
    by_database = Task.objects.filter(pk=task.pk).values_list(TASK.json(), flat=True).get().encode()
    by_python = dumps(TASK.as_dict(Task.objects.get(pk=task.pk)))
    return by_database, by_python


@pytest.mark.parametrize("text", TEXTS)
def test_the_database_and_python_write_any_text_alike(alice, text):
    labels: Any = [UUID(int=1), UUID(int=2**128 - 1)]
    task = Task.objects.create(
        owner=alice, title=text, description=text * 3, labels=labels, position="a0", version=2**62
    )
    by_database, by_python = written(task)

    assert by_database == by_python


@pytest.mark.parametrize("time", TIMES)
def test_the_database_and_python_write_any_time_alike(alice, time):
    task = Task.objects.create(
        owner=alice,
        title="milk",
        completed=True,
        completed_at=time,
        due_at=time,
        deleted_at=time,
        created_at=time,
        updated_at=time,
        priority=3,
        version=1,
    )
    by_database, by_python = written(task)

    assert by_database == by_python
    assert by_database.count(b'Z"') == 5


def test_a_task_is_written_alike_alone_in_a_list_and_in_the_feed(as_alice):
    for number, text in enumerate(TEXTS):
        response = as_alice("post", "/tasks", {"title": text.strip(), "description": text})
        path = f"/tasks/{response.json()['id']}"

        assert as_alice("get", path).content == response.content
        assert response.content in as_alice("get", "/tasks").content
        change = b'{"kind":"task",' + response.content[1:]
        assert change in as_alice("get", f"/sync?since={position(as_alice, number)}").content


def test_a_tombstone_is_written_by_the_database(alice):
    Tombstone.objects.create(
        owner=alice,
        kind="task",
        object_id="6f1c7f5e-6a0e-4d5b-9b0e-0d0a3f6f3b52",
        version=7,
        purged_at=TIMES[2],
    )

    [(version, text)] = tombstone_json(Tombstone.objects.all())
    assert version == 7
    assert text == '{"kind":"task","id":"6f1c7f5e-6a0e-4d5b-9b0e-0d0a3f6f3b52","version":7,"purged":true}'


def test_the_serializer_has_the_same_fields():
    fields = TaskSerializer().fields

    assert [name for name, field in fields.items() if not field.write_only] == TASK.field_names
