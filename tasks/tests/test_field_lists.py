"""Each list of a task's fields is complete, so that a new field is not forgotten in one of them."""

import pytest

from tasks.admin import CSV_COLUMNS, SYSTEM_FIELDS, TaskForm
from tasks.kinds import TASK
from tasks.ledger.importing import exported_serializer
from tasks.models import Task
from tasks.serializers import TaskSerializer

LISTS = {
    "kinds.TASK": TASK.field_names,
    "serializers.TaskSerializer": TaskSerializer().fields,
    "admin.CSV_COLUMNS": {*CSV_COLUMNS} - {"owner_id", "owner__email"},
    "admin.TaskForm and SYSTEM_FIELDS": {*TaskForm.Meta.fields, *SYSTEM_FIELDS} - {"owner"},
}


@pytest.mark.parametrize("name", LISTS)
def test_a_list_of_fields_has_every_column_of_a_task(name):
    columns = {column.attname for column in Task._meta.concrete_fields} - {"owner_id"}

    assert {*LISTS[name]} - {"user_id"} == columns


def test_an_imported_task_must_have_every_field():
    optional = [name for name, field in exported_serializer(TASK).fields.items() if not field.required]

    assert optional == []
