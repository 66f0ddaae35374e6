"""POST /auth/register."""

from datetime import timedelta

import pytest
from django.conf import settings as configured
from django.utils import timezone

from accounts.models import User
from tests.support.assertions import assert_error
from tests.support.caller import PASSWORD, sign_in
from tests.support.threads import run_together
from todo_project.models import IdempotencyKey


def register(anyone, **fields):
    headers = {name: fields.pop(name) for name in ["Idempotency-Key"] if name in fields}
    body = {"email": "carol@example.com", "password": PASSWORD, **fields}
    return anyone("post", "/auth/register", body, **headers)


def test_registering_creates_an_account_that_can_sign_in(anyone):
    response = register(anyone, email=" Carol@Example.com ", name="Carol")

    assert response.status_code == 201
    assert response.json()["email"] == "carol@example.com"
    assert response.json()["name"] == "Carol"
    assert "password" not in response.json()
    assert sign_in("CAROL@example.com").status_code == 200


def test_a_retry_with_an_idempotency_key_returns_the_first_response_again(anyone):
    first, again = (register(anyone, **{"Idempotency-Key": "k"}) for _ in range(2))

    assert (first.status_code, again.status_code) == (201, 201)
    assert again.content == first.content
    assert again["Idempotent-Replayed"] == "true"
    assert User.objects.count() == 1


@pytest.mark.parametrize(
    ("key", "changes"),
    [
        ("k", {"password": "another horse, another battery"}),
        ("k", {"email": "CAROL@example.com"}),
        ("another", {}),
        (None, {}),
    ],
)
def test_only_the_same_request_gets_the_stored_response(anyone, key, changes):
    register(anyone, **{"Idempotency-Key": "k"})
    key = {"Idempotency-Key": key} if key else {}

    response = register(anyone, **changes, **key)
    assert_error(response, 409, "CONFLICT", field="email", constraint="unique")


def test_two_users_may_register_with_the_same_idempotency_key(anyone):
    emails = ["carol@example.com", "dave@example.com"]
    users = [register(anyone, email=email, **{"Idempotency-Key": "k"}).json() for email in emails]

    assert [user["email"] for user in users] == emails
    assert users[0]["id"] != users[1]["id"]


@pytest.mark.parametrize(
    ("secret", "key"), [("another key for tests only", "k"), (configured.SECRET_KEY, "another")]
)
def test_nobody_can_compute_the_id_of_a_user_without_the_secret_key_and_the_idempotency_key(
    anyone, settings, secret, key
):
    first = register(anyone, **{"Idempotency-Key": "k"}).json()
    User.objects.all().delete()
    settings.SECRET_KEY = secret

    assert register(anyone, **{"Idempotency-Key": key}).json()["id"] != first["id"]


def test_a_registration_repeated_after_its_key_has_expired_is_a_conflict(anyone):
    register(anyone, **{"Idempotency-Key": "k"})
    IdempotencyKey.objects.update(created_at=timezone.now() - timedelta(hours=24, seconds=1))

    assert_error(register(anyone, **{"Idempotency-Key": "k"}), 409, "CONFLICT")


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_parallel_registrations_with_one_idempotency_key_get_equal_responses(anyone):
    answers = run_together(8, lambda: register(anyone, **{"Idempotency-Key": "k"}))

    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.content for answer in answers}) == 1


def test_registering_an_email_twice_is_a_conflict_in_any_case(anyone, alice):
    response = register(anyone, email="ALICE@example.com")

    assert_error(response, 409, "CONFLICT", field="email", constraint="unique")


@pytest.mark.parametrize(
    ("body", "field", "constraint"),
    [
        ({"email": "carol"}, "email", "invalid"),
        ({"email": ""}, "email", "blank"),
        ({"email": None}, "email", "null"),
        ({"email": "c@" + "x" * 250 + ".com"}, "email", "max_length"),
        ({"password": "short"}, "password", "password_too_short"),
        ({"password": "password123"}, "password", "password_too_common"),
        ({"password": "carol@example.com"}, "password", "password_too_similar"),
        ({"password": "83729104857"}, "password", "password_entirely_numeric"),
        ({"password": "x" * 1001}, "password", "max_length"),
        ({"password": "with\0nul and more"}, None, None),
        ({"is_staff": True}, "is_staff", "unknown"),
        ({"id": "6f1c7f5e-6a0e-4d5b-9b0e-0d0a3f6f3b52"}, "id", "unknown"),
    ],
)
def test_an_invalid_registration_is_refused_with_the_field(anyone, body, field, constraint):
    response = register(anyone, **body)

    if field is None:
        assert_error(response, 400, "MALFORMED_REQUEST")
    else:
        assert_error(response, 400, "VALIDATION_ERROR", field=field, constraint=constraint)
    assert not User.objects.exists()


def test_registration_can_be_closed(anyone, settings):
    settings.REGISTRATION_OPEN = False

    assert_error(register(anyone), 403, "PERMISSION_DENIED")
    assert not User.objects.exists()
