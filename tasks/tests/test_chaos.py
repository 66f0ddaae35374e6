"""No fault of a server loses or doubles an acknowledged write, or hides a change from a client that syncs."""

import pytest

from tests.support.chaos import Result, Stack, table, try_fault

pytestmark = pytest.mark.own_servers


@pytest.fixture(scope="module")
def stack():
    with Stack() as stack:
        yield stack


@pytest.mark.parametrize("fault", Stack.faults)
def test_a_fault_under_load_loses_doubles_and_hides_nothing(stack, fault):
    result = Result()
    try_fault(stack, fault, result, seconds=0.5)

    assert result.acknowledged > 10
    assert result.is_good, table({fault: result})
