"""Parts of a machine that some tests need, such as a PostgreSQL or a PgBouncer."""

import os

import pytest


def require(found: object, sentence: str) -> None:
    """Skip the test unless the part was found; on the CI server, where a skip goes unseen, fail it."""
    if found:
        return
    if os.environ.get("CI") == "true":
        pytest.fail(sentence, pytrace=False)
    pytest.skip(sentence)
