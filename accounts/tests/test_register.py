"""POST /auth/register."""

import pytest

from accounts.models import User
from tests.support.assertions import assert_error
from tests.support.caller import PASSWORD, sign_in


def register(anyone, **body):
    return anyone("post", "/auth/register", {"email": "carol@example.com", "password": PASSWORD, **body})


def test_registering_creates_an_account_that_can_sign_in(anyone):
    response = register(anyone, email=" Carol@Example.com ", name="Carol")

    assert response.status_code == 201
    assert response.json()["email"] == "carol@example.com"
    assert response.json()["name"] == "Carol"
    assert "password" not in response.json()
    assert sign_in("CAROL@example.com").status_code == 200


def test_registering_an_email_twice_is_a_conflict_in_any_case(anyone, alice):
    error = assert_error(register(anyone, email="ALICE@example.com"), 409, "CONFLICT")

    assert error["details"] == {"field": "email", "constraint": "unique"}


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
