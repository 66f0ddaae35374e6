"""The migrations run backward and forward again, with rows in the tables of others."""

import pytest
from django.core.management import call_command
from django.db import connection

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def restored():
    yield
    call_command("migrate", verbosity=0)


def test_backward_and_forward(alice, as_alice, restored):
    call_command("migrate", "tasks", "zero", verbosity=0)
    assert not [name for name in connection.introspection.table_names() if name.startswith("tasks_")]

    call_command("migrate", "tasks", verbosity=0)
    assert as_alice("post", "/tasks", {"title": "milk"}).status_code == 201


@pytest.mark.postgres
def test_the_search_has_its_index(db):
    with connection.cursor() as cursor:
        cursor.execute("SELECT indexdef FROM pg_indexes WHERE indexname = 'task_search'")
        [(definition,)] = cursor.fetchall()

    assert "gin (owner_id, upper((title)::text) gin_trgm_ops, upper(description) gin_trgm_ops)" in definition
