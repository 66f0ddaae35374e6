"""The notes resource, served beside the real routes, and its two callers."""

from typing import Any

import pytest
from django.test import Client


@pytest.fixture
def notes(db: None, settings: Any) -> None:
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
