"""POST /auth/logout."""

from tests.support.assertions import assert_error
from tests.support.caller import Caller, sign_in


def test_signing_out_takes_effect_immediately(as_alice):
    assert as_alice("post", "/auth/logout").json() == {"ended": 1}

    assert_error(as_alice("get", "/me"), 401, "INVALID_TOKEN")


def test_signing_out_with_the_refresh_token_needs_no_access_token(anyone, pair):
    for ended in (1, 0):
        assert anyone("post", "/auth/logout", {"refresh": pair["refresh"]}).json() == {"ended": ended}

    assert_error(anyone("post", "/auth/token/refresh", {"refresh": pair["refresh"]}), 401, "INVALID_TOKEN")


def test_signing_out_does_not_end_other_sessions(as_alice):
    other = Caller(sign_in().json()["access"])
    as_alice("post", "/auth/logout")

    assert other("get", "/me").status_code == 200
