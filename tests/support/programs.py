"""Programs that some tests need, such as PgBouncer."""

import os

import pytest


def require(program: object, reason: str) -> None:
    """Skip the test if the program is missing; fail it in CI, where nobody would see that it was skipped."""
    if program:
        return
    if os.environ.get("CI") == "true":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)
