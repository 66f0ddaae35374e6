"""Following `next` returns each row once, even if rows are added and deleted meanwhile."""

import datetime as dt
from urllib.parse import parse_qs, quote, urlsplit

import pytest

from tests.support.assertions import assert_error
from tests.support.caller import API, pages
from tests.support.notes import Note

ORDERINGS = ["created_at", "-created_at", "due_at", "-due_at", "rank", "-rank", "title", "-title"]
NOON = dt.datetime(2030, 1, 1, 12, tzinfo=dt.UTC)


@pytest.fixture
def rows(notes, alice):
    """Thirty notes: equal ranks, equal times, and a third of them without a due date."""
    return Note.objects.bulk_create(
        Note(
            owner=alice,
            title=f"note {number:02}",
            rank=number % 4,
            due_at=None if number % 3 == 0 else NOON + dt.timedelta(days=number // 6),
            created_at=NOON + dt.timedelta(seconds=number // 5),
        )
        for number in range(30)
    )


def all_rows(caller, query):
    return [row for page in pages(caller, f"/notes?{query}") for row in page]


@pytest.mark.parametrize("limit", [1, 4, 7, 30, 200])
@pytest.mark.parametrize("ordering", ORDERINGS)
def test_pages_of_any_size_contain_every_row_once_in_order(notes_alice, rows, ordering, limit):
    one_page = notes_alice("get", f"/notes?ordering={ordering}").json()["results"]

    assert {row["id"] for row in one_page} == {str(row.id) for row in rows}
    assert all_rows(notes_alice, f"ordering={ordering}&limit={limit}") == one_page


@pytest.mark.parametrize("ordering", ["due_at", "-due_at"])
def test_missing_values_come_last_in_both_directions(notes_alice, rows, ordering):
    due = [row["due_at"] for row in all_rows(notes_alice, f"ordering={ordering}&limit=4")]

    assert due[20:] == [None] * 10
    assert due[:20] == sorted(filter(None, due), reverse=ordering.startswith("-"))


@pytest.mark.parametrize("ordering", ORDERINGS)
def test_a_remaining_row_is_returned_once_while_others_are_added_and_deleted(
    notes_alice, alice, rows, ordering
):
    deleted = rows[::4]
    remaining = {str(row.id) for row in rows} - {str(row.id) for row in deleted}

    def change_rows(number):
        Note.objects.filter(id__in=[row.id for row in deleted[number - 1 : number]]).delete()
        for early in (True, False):
            due_at = None if number % 2 else NOON - dt.timedelta(days=9 if early else -99)
            title = f"{'aa' if early else 'zz'} {number}"
            created_at = NOON - dt.timedelta(days=1 if early else -1)
            Note.objects.create(
                owner=alice, title=title, rank=9 * number, due_at=due_at, created_at=created_at
            )
        Note.objects.filter(title__startswith="note").update(extra={"page": number})

    returned = []
    for number, page in enumerate(pages(notes_alice, f"/notes?ordering={ordering}&limit=4"), start=1):
        returned += [row["id"] for row in page]
        change_rows(number)

    assert len(returned) == len(set(returned))
    assert remaining <= set(returned)


def test_a_filter_applies_to_every_page(notes_alice, rows):
    assert [row["rank"] for row in all_rows(notes_alice, "rank=2&limit=3")] == [2] * 7


def test_the_limit_may_change_between_pages(notes_alice, rows):
    first = notes_alice("get", "/notes?limit=10").json()
    following = first["next"].partition(API)[2]

    rest = notes_alice("get", following.replace("limit=10", "limit=200")).json()
    assert notes_alice("get", f"/notes?limit=200&cursor={first['next_cursor']}").json() == rest

    assert len(rest["results"]) == 20
    assert rest["next"] is None


def test_an_empty_list_is_one_empty_page(notes_alice):
    assert notes_alice("get", "/notes").json() == {"results": [], "next": None, "next_cursor": None}


def test_a_page_costs_one_query_beside_authentication(notes_alice, rows, django_assert_num_queries):
    following = notes_alice("get", "/notes?limit=5").json()["next"].partition(API)[2]

    # the user; the page
    with django_assert_num_queries(2):
        assert notes_alice("get", following).status_code == 200


@pytest.fixture
def cursor(notes_alice, rows):
    url = notes_alice("get", "/notes?limit=10&ordering=rank").json()["next"]
    return parse_qs(urlsplit(url).query)["cursor"][0]


@pytest.mark.parametrize(
    "query", ["ordering=title", "", "ordering=-rank", "ordering=rank&rank=1", "ordering=rank&q=x"]
)
def test_a_cursor_of_another_list_is_refused(notes_alice, cursor, query):
    assert_error(notes_alice("get", f"/notes?{query}&cursor={quote(cursor)}"), 400, "INVALID_CURSOR")


def test_a_cursor_of_another_user_is_refused(notes_bob, cursor):
    assert_error(notes_bob("get", f"/notes?ordering=rank&cursor={quote(cursor)}"), 400, "INVALID_CURSOR")


@pytest.mark.parametrize(
    "forge",
    [
        lambda cursor: cursor[:-1] + ("A" if cursor[-1] != "A" else "B"),
        lambda cursor: "X" + cursor,
        lambda cursor: cursor.split(":")[0],
        lambda cursor: ":" + cursor.split(":")[1],
        lambda cursor: cursor.replace(":", "."),
        lambda cursor: "cD0yMDA2LTAxLTAx",
        lambda cursor: "WzEsMl0:AAAA",
        lambda cursor: "🙂",
        lambda cursor: "..::..",
    ],
)
def test_a_forged_cursor_is_refused(notes_alice, cursor, forge):
    assert_error(
        notes_alice("get", f"/notes?ordering=rank&cursor={quote(forge(cursor))}"), 400, "INVALID_CURSOR"
    )


def test_a_cursor_is_valid_until_its_secret_key_is_removed_from_the_fallbacks(notes_alice, cursor, settings):
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "the key after a rotation, long enough to pass the system checks"

    path = f"/notes?ordering=rank&cursor={quote(cursor)}"
    assert notes_alice("get", path).status_code == 200

    settings.SECRET_KEY_FALLBACKS = []
    assert_error(notes_alice("get", path), 400, "INVALID_CURSOR")
