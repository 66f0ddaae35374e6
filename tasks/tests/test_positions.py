"""Positions agree with those of the npm package fractional-indexing, and keep any order."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks import positions

# Keys made by fractional-indexing 3 in Node: [a, b, generateKeyBetween(a, b)].
VECTORS = json.loads(Path(__file__).with_name("fractional_indexing.json").read_text())

versions = st.integers(0, 10**18)
integers = st.integers(-(10**18), 10**18)


def position_of(integer):
    return positions.last(integer) if integer >= 0 else positions.first(-integer)


def distinct_pair(strategy):
    return st.lists(strategy, min_size=2, max_size=2, unique=True).map(sorted)


@pytest.mark.parametrize(("low", "high", "key"), [each for each in VECTORS if all(each)])
def test_a_position_between_two_is_that_of_fractional_indexing(low, high, key):
    assert positions.between(low, high) == key


@pytest.mark.parametrize(("low", "high", "key"), [each for each in VECTORS if not all(each)])
def test_a_position_at_an_end_is_the_next_integer_as_in_fractional_indexing(low, high, key):
    integer = positions.integer_of(low or high) + (1 if low else -1) if low or high else 0

    assert position_of(integer) == key


@pytest.mark.parametrize(
    ("version", "last", "first"),
    [
        (1, "a1", "Zz"),
        (61, "az", "Z1"),
        (62, "b00", "Z0"),
        (63, "b01", "Yzz"),
        (62 + 62**2 - 1, "bzz", "Y01"),
        (62 + 62**2, "c000", "Y00"),
        (62 + 62**2 + 1, "c001", "Xzzz"),
        (1_800_000_000, "f0wnbD4", "Uz3COmw"),
        (2**63 - 1, "k9yK7lzX47l7", "Pq1fsE0SvsEt"),
    ],
)
def test_the_positions_at_the_ends_follow_the_version(version, last, first):
    assert (positions.last(version), positions.first(version)) == (last, first)


@given(distinct_pair(integers))
def test_integers_are_in_the_order_of_their_positions(pair):
    low, high = pair

    assert position_of(low) < position_of(high)


@given(integers)
def test_the_integer_of_a_position_can_be_computed_back(integer):
    position = position_of(integer)

    assert positions.is_position(position)
    assert positions.integer_of(position) == integer
    assert positions.integer_of(position + "V1") == integer


@given(distinct_pair(versions))
def test_later_versions_are_outside_of_everything_between_earlier_ones(pair):
    earlier, later = pair
    low, high = positions.first(earlier + 1), positions.last(earlier + 1)

    assert positions.first(later + 1) < low < positions.between(low, high) < high
    assert high < positions.last(later + 1)


@given(st.lists(st.tuples(st.integers(0, 10**6), st.integers(1, 10**4)), min_size=1, max_size=150))
def test_any_insertions_keep_the_order_without_ties(insertions):
    """An insertion is a place in the list, and by how much the version has grown."""
    found, version = [positions.last(1)], 1
    for place, growth in insertions:
        version += growth
        place %= len(found) + 1
        if place == 0:
            position = positions.first(version)
        elif place == len(found):
            position = positions.last(version)
        else:
            position = positions.between(found[place - 1], found[place])
        found.insert(place, position)

    assert found == sorted(set(found))
    assert all(positions.is_position(each) for each in found)


@given(st.lists(st.booleans(), min_size=1, max_size=250))
def test_positions_between_neighbours_grow_by_a_character_for_five_insertions(choices):
    """Each insertion halves the room, and a digit is one of 62."""
    low, high = "a0", "a1"
    for choice in choices:
        middle = positions.between(low, high)
        assert low < middle < high
        low, high = (low, middle) if choice else (middle, high)

    assert len(middle) <= 3 + len(choices) / 5


def test_inserting_at_one_place_exceeds_the_length_only_after_hundreds_of_times():
    """Then the siblings are renumbered."""
    high, number = "a1", 0
    while len(high) <= positions.MAX_LENGTH:
        high, number = positions.between("a0", high), number + 1

    assert number > 480


@pytest.mark.parametrize(("low", "high"), [("a1", "a1"), ("a2", "a1"), ("a0V", "a0")])
def test_there_is_nothing_between_two_that_are_not_in_order(low, high):
    with pytest.raises(ValueError, match="is not before"):
        positions.between(low, high)


@pytest.mark.parametrize("text", ["a0", "Zz", "a0V", "b00", "k9yK7lzX47l7", "Z0001", "a" + "1" * 99])
def test_positions(text):
    assert positions.is_position(text)


@pytest.mark.parametrize(
    "text",
    [
        *("", "a", "0", "b0", "c00", "Y0", "a00", "a0V0", "a0-", "a0 ", " a0", "a0\n", "ä0", "0a"),
        *("a" * 101, "a" + "1" * 100),
    ],
)
def test_texts_that_are_no_positions(text):
    assert not positions.is_position(text)
