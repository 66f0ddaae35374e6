"""Settings and values of tests with generated examples (Hypothesis)."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import transaction
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

EXAMPLES = os.environ.get("TEST_EXAMPLES")

settings.register_profile(
    "tests",
    max_examples=int(EXAMPLES or 50),
    derandomize=EXAMPLES is None,
    database=None,
    deadline=None,
    # The fixtures of a test serve all of its examples; see one_example().
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
settings.load_profile("tests")

# What a body can hold: no surrogates, which are not UTF-8, and no NUL, which is rejected.
texts = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20)


@contextmanager
def one_example() -> Iterator[None]:
    """Undo what an example writes."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)
