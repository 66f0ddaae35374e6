"""The migrations of tasks."""

import pytest
from django.core.management import call_command
from django.db import connection

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def migrated_afterwards():
    yield
    call_command("migrate", verbosity=0)


def test_the_migrations_can_be_reversed_and_applied_again(alice, as_alice, migrated_afterwards):
    call_command("migrate", "tasks", "zero", verbosity=0)
    assert not [name for name in connection.introspection.table_names() if name.startswith("tasks_")]

    call_command("migrate", "tasks", verbosity=0)
    assert as_alice("post", "/tasks", {"title": "milk"}).status_code == 201


@pytest.mark.postgres
def test_the_search_has_an_index_of_trigrams(db):
    with connection.cursor() as cursor:
        cursor.execute("SELECT indexdef FROM pg_indexes WHERE indexname = 'task_search'")
        [(definition,)] = cursor.fetchall()

    assert "gin (owner_id, upper((title)::text) gin_trgm_ops, upper(description) gin_trgm_ops)" in definition
