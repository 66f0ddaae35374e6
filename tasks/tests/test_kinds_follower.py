"""A client that follows the feed misses no change of any kind, however many clients write at once."""

import random
from threading import Event

import pytest

from tasks.ledger.counts import count_rows
from tasks.ledger.models import Clock, Tombstone
from tests.support.caller import UNKNOWN_ID, signed_in
from tests.support.follower import Follower
from tests.support.tasks import prune_tombstones, server_entries
from tests.support.threads import run_each

pytestmark = [
    pytest.mark.postgres,
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("library"),
]

PATHS = {"task": "/tasks", "book": "/books", "shelf": "/shelves"}
WRITERS, WRITES = 4, 100


def random_change(generator, kind, each):
    """A request for one object, or a bulk request for several kinds."""
    text = {"name" if kind == "shelf" else "title": f"text {generator.random()}"}
    bulk = [
        {"op": "create", "kind": kind, "data": {**text, "key": f"key {generator.randrange(20)}"}},
        {"op": "create", "kind": generator.choice(["task", "book"]), "data": {"title": "in bulk"}},
        {"op": "update", "kind": kind, "id": each, "data": text},
        {"op": "delete", "kind": kind, "id": each},
    ]
    one = f"{PATHS[kind]}/{each}"
    return generator.choice(
        [
            *[("POST", PATHS[kind], text)] * 4,
            ("POST", f"{one}/{'complete' if kind == 'task' else 'finish'}", None),
            ("PATCH", one, text),
            ("DELETE", one, None),
            ("DELETE", one, None),
            ("POST", f"/trash/{each}/restore?kind={'task' if kind == 'task' else 'book'}", None),
            ("DELETE", f"/trash/{each}?kind={'task' if kind == 'task' else 'book'}", None),
            ("DELETE", f"/trash?kind={generator.choice(['task', 'book'])}", None),
            *[("POST", "/bulk", {"operations": bulk[:2]})] * 2,
            ("POST", "/bulk", {"operations": bulk}),
        ]
    )


def write(user, seed):
    """An object that another writer has deleted is not found, or its key is gone; nothing else may fail."""
    caller, generator = signed_in(user), random.Random(seed)
    ids = {kind: [UNKNOWN_ID] for kind in PATHS}
    for _ in range(WRITES):
        if generator.random() < 0.2:
            for each in caller("GET", "/sync?limit=500").json()["changes"]:
                ids[each["kind"]].append(each["id"])
        kind = generator.choice([*PATHS])
        change = random_change(generator, kind, generator.choice(ids[kind][-20:]))
        response = caller(*change)
        assert response.status_code in {200, 201, 404, 410}, (change, response.content)


@pytest.mark.parametrize("seed", range(3))
def test_a_follower_of_all_kinds_ends_with_the_state_of_the_server(alice, seed):
    follower, stop = Follower(signed_in(alice), limit=1 + seed * 5), Event()

    def write_all():
        try:
            run_each(*(lambda number=number: write(alice, f"{seed}-{number}") for number in range(WRITERS)))
        finally:
            stop.set()

    run_each(write_all, lambda: follower.follow(stop))

    assert follower.copy == server_entries(lambda path: signed_in(alice)("GET", path).json())
    assert {each["kind"] for each in follower.copy.values()} == {*PATHS}
    assert {each.kind for each in Tombstone.objects.for_user(alice)} == {*PATHS}
    versions = [each["version"] for each in follower.copy.values()]
    assert len({*versions}) == len(versions)
    assert follower.resyncs == 0
    assert Clock.objects.get(owner=alice).counts == count_rows(alice)

    prune_tombstones(alice, up_to=Clock.objects.get(owner=alice).tick)
    restarted = Follower(signed_in(alice), limit=7)
    while restarted.step():
        continue
    assert restarted.copy == follower.copy
