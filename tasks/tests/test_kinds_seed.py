"""manage.py seed: kinds that have a generator."""

from datetime import UTC, datetime

from accounts.models import User
from tasks.demo.objects import GENERATORS, Generator
from tasks.ledger.counts import count_rows
from tasks.ledger.models import Clock
from tasks.models import Task
from tests.support.caller import pages, signed_in
from tests.support.commands import run
from tests.support.library import Book

NOW = datetime(2025, 6, 1, tzinfo=UTC)


def books_of(world, person):
    for number in range(2):
        world.counts[person.number]["book"]["live"] += 1
        at, version = f"{NOW:%Y-%m-%d %H:%M:%S}", world.next_version(person)
        key = f"{person.id.hex[:-1]}{number}"
        yield f"{key}\t{person.id.hex}\tEmma\t\t{at}\t{at}\t{version}\n"


def seed(*arguments):
    run("seed", "--users=3", "--tasks=120", f"--now={NOW:%Y-%m-%d}", "--no-staff", *arguments)


def test_a_kind_with_a_generator_has_demo_data_beside_the_same_tasks(library, db, settings, monkeypatch):
    settings.DEBUG = True
    seed()
    tasks = list(Task.objects.order_by("pk").values())
    User.objects.all().delete()
    columns = "id, owner_id, title, place, created_at, updated_at, version"
    monkeypatch.setitem(GENERATORS, "book", Generator(columns, books_of))
    seed()

    assert list(Task.objects.order_by("pk").values()) == tasks
    assert Book.objects.count() == 6
    for clock in Clock.objects.select_related("owner"):
        assert clock.counts == count_rows(clock.owner)
        caller = signed_in(clock.owner)
        changes = caller("get", "/sync?limit=500").json()["changes"]
        assert changes[-1]["version"] == clock.tick
        assert len({change["version"] for change in changes}) == len(changes)
        assert [book["title"] for page in pages(caller, "/books") for book in page] == ["Emma", "Emma"]
