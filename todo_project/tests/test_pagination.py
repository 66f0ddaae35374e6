"""A walk through the pages sees each row that stays once, whatever comes and goes meanwhile."""

import datetime as dt
from urllib.parse import parse_qs, quote, urlsplit

import pytest

from tests.support.assertions import assert_error
from tests.support.notes import Note

NOTES = "/api/v1/notes"
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


def walk(client, query, between=lambda page: None):
    """All rows of all pages; `between` is called after each page."""
    seen, url, pages = [], f"{NOTES}?{query}", 0
    while url:
        answer = client.get(url).json()
        seen += answer["results"]
        url, pages = answer["next"], pages + 1
        between(pages)
        assert pages < 100
    return seen


@pytest.mark.parametrize("limit", [1, 7, 30, 200])
@pytest.mark.parametrize("ordering", ORDERINGS)
def test_a_walk_sees_every_row_once(as_alice, rows, ordering, limit):
    seen = walk(as_alice, f"ordering={ordering}&limit={limit}")

    assert len(seen) == 30
    assert {row["id"] for row in seen} == {str(row.id) for row in rows}


@pytest.mark.parametrize("ordering", ORDERINGS)
def test_pages_are_in_the_order_of_the_whole(as_alice, rows, ordering):
    whole = as_alice.get(f"{NOTES}?ordering={ordering}").json()["results"]

    assert walk(as_alice, f"ordering={ordering}&limit=4") == whole


@pytest.mark.parametrize("ordering", ["due_at", "-due_at"])
def test_missing_values_come_last_in_both_directions(as_alice, rows, ordering):
    due = [row["due_at"] for row in walk(as_alice, f"ordering={ordering}&limit=4")]

    assert due[20:] == [None] * 10
    assert due[:20] == sorted(filter(None, due), reverse=ordering.startswith("-"))


@pytest.mark.parametrize("ordering", ORDERINGS)
def test_a_row_that_stays_is_neither_missed_nor_seen_twice(as_alice, alice, rows, ordering):
    leaving = {row.id for row in rows[::4]}
    staying = [row for row in rows if row.id not in leaving]

    def disturb(page):
        Note.objects.filter(id__in=[row.id for row in rows[::4][page - 1 : page]]).delete()
        for early in (True, False):
            due_at = None if page % 2 else NOON - dt.timedelta(days=9 if early else -99)
            title = f"{'aa' if early else 'zz'} {page}"
            created_at = NOON - dt.timedelta(days=1 if early else -1)
            Note.objects.create(owner=alice, title=title, rank=9 * page, due_at=due_at, created_at=created_at)
        Note.objects.filter(title__startswith="note").update(extra={"page": page})

    seen = [row["id"] for row in walk(as_alice, f"ordering={ordering}&limit=4", disturb)]

    assert len(seen) == len(set(seen))
    assert {str(row.id) for row in staying} <= set(seen)


def test_a_filter_holds_on_every_page(as_alice, rows):
    seen = walk(as_alice, "rank=2&limit=3")

    assert [row["rank"] for row in seen] == [2] * 7


def test_the_limit_may_change_on_the_way(as_alice, rows):
    first = as_alice.get(f"{NOTES}?limit=10").json()

    rest = as_alice.get(first["next"].replace("limit=10", "limit=200")).json()

    assert len(rest["results"]) == 20
    assert rest["next"] is None


def test_an_empty_list_is_one_empty_page(as_alice):
    assert as_alice.get(NOTES).json() == {"results": [], "next": None}


def test_a_page_costs_one_query_beside_the_caller(as_alice, rows, django_assert_num_queries):
    url = as_alice.get(f"{NOTES}?limit=5").json()["next"]

    # the caller; the page
    with django_assert_num_queries(2):
        as_alice.get(url)


@pytest.fixture
def cursor(as_alice, rows):
    url = as_alice.get(f"{NOTES}?limit=10&ordering=rank").json()["next"]
    return parse_qs(urlsplit(url).query)["cursor"][0]


def test_a_cursor_works_where_it_was_made(as_alice, cursor):
    assert as_alice.get(f"{NOTES}?ordering=rank&cursor={quote(cursor)}").status_code == 200


@pytest.mark.parametrize(
    "query", ["ordering=title", "", "ordering=-rank", "ordering=rank&rank=1", "ordering=rank&q=x"]
)
def test_a_cursor_of_another_list_is_refused(as_alice, cursor, query):
    assert_error(as_alice.get(f"{NOTES}?{query}&cursor={quote(cursor)}"), 400, "INVALID_CURSOR")


def test_a_cursor_of_another_caller_is_refused(as_bob, cursor):
    assert_error(as_bob.get(f"{NOTES}?ordering=rank&cursor={quote(cursor)}"), 400, "INVALID_CURSOR")


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
def test_a_forged_cursor_is_refused(as_alice, cursor, forge):
    assert_error(as_alice.get(f"{NOTES}?ordering=rank&cursor={quote(forge(cursor))}"), 400, "INVALID_CURSOR")


def test_a_cursor_from_before_a_key_was_rotated_still_works(as_alice, cursor, settings):
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "the next key, which signs from now on, and no less long than that"

    assert as_alice.get(f"{NOTES}?ordering=rank&cursor={quote(cursor)}").status_code == 200
