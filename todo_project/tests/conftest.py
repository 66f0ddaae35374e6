"""The notes resource, served beside the real routes, and its two callers."""

from typing import Any

import pytest
from django.db import connection
from django.test import Client


@pytest.fixture(scope="session")
def notes_table(django_db_setup: None, django_db_blocker: Any) -> None:
    from .notes import Note

    with django_db_blocker.unblock(), connection.schema_editor() as editor:
        editor.create_model(Note)


@pytest.fixture
def notes(notes_table: None, db: None, settings: Any) -> None:
    """Serve /api/v1/notes, which only the tests have."""
    settings.ROOT_URLCONF = "todo_project.tests.notes"


def signed_in(user: Any) -> Client:
    return Client(raise_request_exception=False, headers={"Authorization": f"Bearer {user.email}"})


@pytest.fixture
def as_alice(notes: None, alice: Any) -> Client:
    return signed_in(alice)


@pytest.fixture
def as_bob(notes: None, bob: Any) -> Client:
    return signed_in(bob)
