"""Reads come from the read replica only while it is as new as the primary, and its faults cause no errors."""

import contextlib
import itertools
import time
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from tests.support.doctor import Report
from tests.support.processes import becomes_true
from tests.support.replicas import (
    Result,
    Stack,
    Writer,
    killed,
    promoted,
    replay_paused,
    request,
    sign_up,
    suspended,
    try_fault,
)
from tests.support.servers.postgres import Postgres
from todo_project.config import database
from todo_project.operations.doctor import replicas
from todo_project.operations.doctor.databases import Databases

UNKNOWN_ID = "6f1c7f5e-6a0e-4d5b-9b0e-0d0a3f6f3b52"

pytestmark = pytest.mark.own_servers


@pytest.fixture(scope="module")
def servers():
    with Stack() as stack:
        yield stack


@pytest.fixture
def stack(servers):
    """The replica serves reads."""
    servers.wait_until_served()
    return servers


@pytest.fixture
def new_user(stack):
    """Returns a session of a new user, of whom the replica has a task."""

    def new_user():
        session = sign_up(stack.gunicorn, Result())
        session.task = session("POST", "/tasks", {"title": "milk"}).json()
        session.result = Result()  # Without the time for a password.
        stack.standby.catch_up()
        return session

    return new_user


@pytest.fixture
def alice(new_user):
    return new_user()


@pytest.fixture
def findings(stack, settings, django_db_blocker):
    """Returns what the doctor says of a replica at this URL."""

    def findings(url, *, primary=stack.postgres):
        urls = {"DATABASE_URL": primary.url, "DATABASE_REPLICA_URL": url}
        first, second = (
            database.configure(url, base_dir=settings.BASE_DIR, variable=variable)
            for variable, url in urls.items()
        )
        settings.DATABASE_ENDPOINTS, settings.DATABASE_REPLICA = {"pooled": first}, second
        both = Databases()
        both.reached = both.endpoints
        with django_db_blocker.unblock():
            return [message.msg for message in both.compare_with_replica()]

    return findings


@contextlib.contextmanager
def counted(stack):
    """Yields a counter that has the outcomes of reads during the block when it ends."""
    before = stack.outcomes()
    counts = type(before)()
    yield counts
    counts.update(stack.outcomes() - before)


def answers(session, paths):
    """The status and the content of each, without the ID of the request."""
    found = {}
    for path in paths:
        answer = session("GET", path)
        content = answer.json()
        content.get("error", {}).pop("request_id", None)
        found[path] = answer.status_code, content
    return found


def test_all_reads_come_from_the_replica_unless_it_is_behind(stack, alice):
    label = alice("POST", "/labels", {"name": "home"}).json()["id"]
    trashed = alice("POST", "/tasks", {"title": "gone"}).json()["id"]
    alice("DELETE", f"/tasks/{trashed}")
    one = f"/tasks/{alice.task['id']}"
    by = [f"/tasks/stats?by={key}" for key in ("project", "label", "due")]
    paths = [
        "/tasks", "/tasks?fields=title&ordering=due", f"/tasks?label={label}", "/tasks?q=bread",
        "/tasks?completed=true", one, f"/tasks/{UNKNOWN_ID}", "/tasks/stats", *by, "/projects", "/labels",
        "/trash?kind=task", f"/trash/{trashed}?kind=task", "/sync?since=0", "/sync?since=0&limit=2",
    ]  # fmt: skip
    number = len(paths) + len(by)  # Counting by a key takes two queries.

    with replay_paused(stack), counted(stack) as during:
        alice("PATCH", one, {"title": "bread", "due_date": "2027-01-31", "labels": [label]})
        from_primary = answers(alice, paths)
    stack.standby.catch_up()
    stack.wait_until_served()
    with counted(stack) as after:
        from_replica = answers(alice, paths)

    assert from_primary[one][1]["title"] == "bread"
    assert len(from_primary["/tasks?q=bread"][1]["results"]) == 1
    assert from_replica == from_primary
    assert during == {"behind": number}
    assert after == {"served": number}


def test_the_primary_runs_only_the_query_that_authenticates(stack, alice):
    measured = 'todo_database_statements_total{method="GET",route="/api/v1/tasks"}'

    def count():
        logged = [server.log.count("execute todo_") for server in (stack.postgres, stack.standby)]
        return [*logged, stack.metrics().get(measured, 0)]

    with (
        stack.postgres.configured("log_statement", "all"),
        stack.standby.configured("log_statement", "all"),
    ):
        before = count()
        alice.get("/tasks")
        after = count()

    assert [number - earlier for number, earlier in zip(after, before, strict=True)] == [1, 1, 2]


def test_a_replica_that_shows_a_commit_before_the_primary_does_is_not_used(stack, alice):
    """As while a commit waits for another standby: a later read, from the primary, would not show it."""
    one = f"/tasks/{alice.task['id']}"
    waiting = "SELECT FROM pg_stat_activity WHERE wait_event = 'SyncRep'"
    with (
        ThreadPoolExecutor(1) as pool,
        stack.postgres.configured("synchronous_standby_names", "elsewhere"),
        psycopg.connect(stack.postgres.url, autocommit=True) as primary,
    ):
        for number in itertools.count():  # The first may not wait: the setting takes effect a moment later.
            writing = pool.submit(alice, "PATCH", one, {"title": str(number)})
            assert becomes_true(lambda: primary.execute(waiting).rowcount > 0 or writing.done())  # noqa: B023
            if not writing.done():
                break
        replayed = f"SELECT title = '{number}' FROM tasks_task WHERE id = '{alice.task['id']}'"
        assert becomes_true(lambda: stack.standby.execute(replayed))
        shown = alice.get(one)["title"]
        assert not writing.done()

    assert shown != str(number)
    assert alice.get(one)["title"] == str(number)


def test_another_users_object_does_not_exist_on_the_replica_either(stack, alice, new_user):
    bob = new_user()

    with counted(stack) as counts:
        found = answers(bob, [f"/tasks/{alice.task['id']}", f"/tasks/{UNKNOWN_ID}"])
        listed = bob.get("/tasks")["results"]

    assert counts == {"served": 3}
    assert [*found.values()] == [found[f"/tasks/{UNKNOWN_ID}"]] * 2
    assert listed == [bob.task]


def test_a_first_sync_goes_on_at_the_primary_though_the_replica_has_not_pruned_yet(stack, alice):
    """Its position says how often tombstones had been pruned."""
    for _ in range(2):
        alice("POST", "/tasks", {"title": "bread"})
    prune(stack)
    stack.standby.catch_up()
    with replay_paused(stack):
        prune(stack)
        since = alice.get("/sync?since=0&limit=1")["since"]
    stack.standby.catch_up()

    assert alice("GET", f"/sync?since={since}").status_code == 200


def prune(stack):
    """As `manage.py purge` does with an owner's tombstones."""
    with psycopg.connect(stack.postgres.url) as connection:
        connection.execute(
            "UPDATE ledger_clock SET prune_count = prune_count + 1, pruned_version = tick - 1 WHERE tick > 1"
        )


def test_a_sign_out_acts_at_once(stack, alice):
    with replay_paused(stack):
        assert alice("GET", "/tasks").status_code == 200
        alice("POST", "/auth/logout")

        assert alice("GET", "/tasks").status_code == 401


def test_the_replica_is_not_asked_for_a_user_who_has_written_nothing(stack):
    newcomer = sign_up(stack.gunicorn, Result())

    with counted(stack) as counts:
        assert newcomer.get("/tasks")["results"] == []
        assert newcomer.get("/sync?since=0")["changes"] == []

    assert counts == {}


def test_an_unchanged_list_needs_no_replica(stack, alice):
    etag = alice("GET", "/tasks")["ETag"]

    with counted(stack) as counts:
        assert alice("GET", "/tasks", **{"If-None-Match": etag}).status_code == 304

    assert counts == {}


def test_users_read_their_writes_and_followers_miss_nothing_while_the_replica_lags(stack):
    result = try_fault(stack, "replay paused", seconds=0.5)

    assert (result.stale, result.errors) == (0, 0)
    assert result.outcomes["served"] > 0
    assert result.outcomes["behind"] > 0


def test_a_replica_that_is_down_causes_no_errors_and_serves_again_after_its_start(stack, alice):
    with killed(stack), counted(stack) as counts:
        writer = Writer(alice)
        writer.tasks[alice.task["id"]] = alice.task
        for check in Writer.CHECKS * 6:
            writer.write()
            assert check(writer)
        ready = request(stack.gunicorn, "GET", "/readyz")

    assert ready.status_code == 200
    assert counts["served"] == 0
    assert alice.result.errors == 0
    assert alice.result.slowest < 2
    stack.wait_until_served()


def test_a_silent_replica_delays_reads_once_and_never_the_primary(stack, new_user):
    sessions = [new_user() for _ in range(4)]
    with suspended(stack), ThreadPoolExecutor(4) as pool:
        first = [*pool.map(lambda session: session.get(f"/tasks/{session.task['id']}"), sessions)]
        slowest = max(session.result.slowest for session in sessions)
        started = time.monotonic()
        for _ in range(5):
            for session in sessions:
                session.get("/tasks")
                session("POST", "/labels", {"name": str(time.monotonic())})
        later = time.monotonic() - started

    assert first == [session.task for session in sessions]
    assert slowest < 5
    assert later < 10, "every read waited"
    assert sum(session.result.errors for session in sessions) == 0


def test_a_replica_that_takes_too_long_is_left_alone(stack, alice):
    """It replays the lock of a table, and does not hear of the end of the lock."""
    locked = (
        "SELECT count(*) > 0 FROM pg_locks "
        "WHERE mode = 'AccessExclusiveLock' AND relation = 'tasks_task'::regclass"
    )
    with contextlib.ExitStack() as cleanup:
        with psycopg.connect(stack.postgres.url) as connection:
            connection.execute("LOCK TABLE tasks_task")
            alice("POST", "/labels", {"name": "home"})  # PostgreSQL sends a lock along with the next commit.
            assert becomes_true(lambda: stack.standby.execute(locked))
            stack.standby.catch_up()
            cleanup.enter_context(replay_paused(stack))
        with counted(stack) as counts:
            started = time.monotonic()
            page = alice.get("/tasks")
            first = time.monotonic() - started
            for _ in range(3):
                alice.get("/tasks")
            later = time.monotonic() - started - first

    assert page["results"] == [alice.task]
    assert first > 1
    assert later < 2.5
    assert counts == {"failed": 4}


def test_a_promoted_replica_serves_nothing_more_even_if_it_is_written_to(stack, alice, findings):
    with promoted(stack):
        with counted(stack) as counts:
            # After this write, the versions are equal again.
            alice("PATCH", f"/tasks/{alice.task['id']}", {"title": "bread"})
            for _ in range(3):
                assert alice.get("/tasks")["results"][0]["title"] == "bread"
        *_, finding = findings(stack.standby.url)

    assert counts["served"] == 0
    assert alice.result.errors == 0
    assert finding.startswith("DATABASE_REPLICA_URL does not lead to a read replica of this database")


def test_the_doctor_finds_a_replica_in_order(stack):
    report = Report(DATABASE_URL=stack.postgres.url, DATABASE_REPLICA_URL=stack.standby.url)

    *_, lag, migrations = report.of("DATABASE_REPLICA_URL")
    assert lag.startswith("ok: A read replica, ")
    assert migrations == "ok: Its migrations are those of the primary."


def test_the_doctor_finds_a_replica_that_is_down(findings):
    [finding] = findings("postgres://todo@127.0.0.1:1/todo")

    assert finding.startswith("Cannot be used: ")


def test_the_doctor_finds_a_replica_that_lags_and_has_other_migrations(stack, findings, monkeypatch):
    monkeypatch.setattr(replicas, "MAX_LAG", 0.2)
    applied = "INSERT INTO django_migrations (app, name, applied) VALUES ('tasks', '9999_later', now())"
    with replay_paused(stack), psycopg.connect(stack.postgres.url, autocommit=True) as connection:
        connection.execute(applied)
        *_, lag, migrations = findings(stack.standby.url)
        connection.execute("DELETE FROM django_migrations WHERE name = '9999_later'")

    assert lag.startswith("DATABASE_REPLICA_URL lags behind by more than 0.2 s; ")
    assert lag.endswith(" are missing.")
    assert migrations == "The migrations of DATABASE_REPLICA_URL differ from those of DATABASE_URL."


def test_the_doctor_finds_a_replica_of_another_database(stack, findings):
    with Postgres() as another:
        *_, finding = findings(stack.standby.url, primary=another)

    assert finding.startswith("DATABASE_REPLICA_URL does not lead to a read replica of this database")


def test_the_doctor_finds_that_both_urls_lead_to_the_same_server(stack, findings):
    *_, finding = findings(stack.postgres.url.replace("127.0.0.1", "localhost"))

    assert finding == "DATABASE_REPLICA_URL leads to the same server as DATABASE_URL."
