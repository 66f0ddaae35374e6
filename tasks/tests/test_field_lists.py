"""Each list of the fields of an object is complete, so that a new column is not forgotten in one of them."""

import pytest

from tasks.admin import LabelAdmin, ProjectAdmin, TaskAdmin
from tasks.kinds import LABEL, PROJECT, TASK
from tasks.ledger.importing import exported_serializer
from tasks.ledger.kinds import kinds
from tests.support.library import BOOK, SHELF, BookAdmin, ShelfAdmin

ADMINS = {
    TASK: TaskAdmin, PROJECT: ProjectAdmin, LABEL: LabelAdmin, BOOK: BookAdmin, SHELF: ShelfAdmin,
}  # fmt: skip
INTERNAL = {"comparable_name", "repeated"}
"""Columns that are not shown."""


for_each_kind = pytest.mark.parametrize("kind", ADMINS, ids=lambda kind: kind.name)


def test_every_kind_is_checked():
    assert {*kinds.values()} <= ADMINS.keys()


@for_each_kind
def test_the_fields_of_a_kind_are_the_columns_of_its_model(kind):
    """Lists, the sync feed, exports, CSV files and the system fields of the admin's page follow from them."""
    assert sorted(kind.columns) == sorted(
        column.name
        for column in kind.model._meta.concrete_fields
        if not column.generated and column.name not in INTERNAL
    )


@for_each_kind
def test_the_serializer_of_a_kind_has_its_fields(kind):
    fields = kind.serializer_class().fields
    assert {name for name, field in fields.items() if not field.write_only} == {*kind.field_names}


@for_each_kind
def test_the_fields_that_staff_edit_are_those_that_the_owner_edits(kind):
    fields = kind.serializer_class().fields
    editable = [name for name, field in fields.items() if not field.read_only and not field.write_only]

    assert sorted(ADMINS[kind].fields) == sorted(editable)


@for_each_kind
def test_an_imported_object_must_have_every_field(kind):
    fields = exported_serializer(kind).fields

    assert {name for name, field in fields.items() if field.required} == {*kind.field_names}
