"""Citus appends the number of the shard to the names of constraints; the API reports the same errors."""

import pytest
from django.apps import apps
from django.db import connection

from tests.support.assertions import assert_error
from tests.support.notes import Note
from todo_project.models import IdempotencyKey


@pytest.fixture
def of_shard(db):
    """Renames a constraint as in a shard, until the test ends."""

    def rename(model, constraint):
        with connection.cursor() as cursor:
            # PostgreSQL changes no table with unchecked foreign keys.
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
            cursor.execute(
                f"ALTER TABLE {model._meta.db_table} RENAME CONSTRAINT {constraint} TO {constraint}_102008"
            )

    return rename


@pytest.fixture
def fail_with(notes_alice):
    """Have each INSERT fail with this error of another node."""

    def fail_with(condition, message):
        with connection.cursor() as cursor:
            cursor.execute(
                "CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS "
                f"$$ BEGIN RAISE {condition} USING MESSAGE = '{message}'; END $$"
            )
            cursor.execute(
                f"CREATE TRIGGER fail BEFORE INSERT ON {Note._meta.db_table} "
                "FOR EACH ROW EXECUTE FUNCTION fail()"
            )

    return fail_with


@pytest.mark.postgres
def test_a_constraint_that_only_the_message_of_another_node_names_is_recognized(notes_alice, fail_with):
    fail_with(
        "check_violation",
        'new row for relation "tests_note_102010" violates check constraint "note_rank_not_negative"',
    )

    response = notes_alice("post", "/notes", {"title": "milk", "rank": -1})

    assert_error(response, 400, "VALIDATION_ERROR", field="rank", constraint="negative")


@pytest.mark.postgres
@pytest.mark.parametrize(
    "message",
    [
        "could not commit transaction for shard 102010 on at least one active node",
        "failure on connection marked as essential: 10.0.0.2:5432",
        "server closed the connection unexpectedly",
    ],
)
def test_a_node_that_is_gone_is_503(notes_alice, fail_with, message):
    fail_with("internal_error", message)

    response = notes_alice("post", "/notes", {"title": "milk"})

    assert_error(response, 503, "SERVICE_UNAVAILABLE")


@pytest.mark.postgres
def test_a_violated_check_constraint_is_a_validation_error(notes_alice, of_shard):
    of_shard(Note, "note_rank_not_negative")

    response = notes_alice("post", "/notes", {"title": "milk", "rank": -1})

    error = assert_error(response, 400, "VALIDATION_ERROR", field="rank", constraint="negative")
    assert error["message"] == "Rank may not be negative."


@pytest.mark.postgres
def test_a_repeated_idempotency_key_is_recognized(notes_alice, of_shard):
    of_shard(IdempotencyKey, "idempotency_key_once_per_owner")
    first, again = (
        notes_alice("post", "/notes", {"title": "milk"}, **{"Idempotency-Key": "key-1"}) for _ in range(2)
    )

    assert (first.status_code, again.status_code) == (201, 201)
    assert again["Idempotent-Replayed"] == "true"


def test_names_of_constraints_leave_room_for_the_number():
    """Otherwise Citus shortens the name, and the constraint is not recognized."""
    names = [constraint.name for model in apps.get_models() for constraint in model._meta.constraints]

    assert names
    assert [name for name in names if len(f"{name}_1234567") > 63] == []
