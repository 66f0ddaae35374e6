"""A compiled query returns what its queryset returns, and is prepared once if there is no pooler."""

from functools import partial
from typing import Any

import psycopg
import pytest
from django.db import (
    DatabaseError,
    InternalError,
    OperationalError,
    connection,
    connections,
    models,
    transaction,
)
from django.utils import timezone

from accounts.models import User
from todo_project.db.compiled import (
    CompiledQuery,
    CompiledUpdate,
    execute,
    execute_all,
    insert_statement,
    update_many,
)
from todo_project.db.errors import Unavailable, diagnose
from todo_project.db.postgresql import connection as postgresql

FIND_BY_NAME = CompiledQuery(
    lambda name, at: (
        User.objects.filter(name=name, created_at__gt=at, is_active=True)
        .exclude(email="100%@example.com")
        .values_list("id", "name", "created_at", "is_active")
    ),
    name=models.CharField(),
    at=models.DateTimeField(),
)
FIND_BY_PART = CompiledQuery(
    lambda part: User.objects.filter(name__icontains=part).values_list("name"),
    prepare=False,
    part=models.TextField(),
)
RENAME = CompiledUpdate(
    lambda user, old_name: User.objects.filter(pk=user, name=old_name),
    [User._meta.get_field("name")],
    user=models.UUIDField(),
    old_name=models.CharField(),
)


def test_a_compiled_query_returns_the_rows_of_its_queryset(alice, bob):
    for user in (alice, bob, alice):
        rows = FIND_BY_NAME(name=user.name, at=user.created_at.replace(year=2000))

        assert rows == [(user.id, user.name, user.created_at, True)]


def test_a_value_is_never_part_of_the_sql(alice):
    for name in ("' OR 1=1 --", "%s", "100%", '"'):
        assert FIND_BY_NAME(name=name, at=alice.created_at.replace(year=2000)) == []


@pytest.mark.parametrize("part", ["50%", "a_b", "a\\b", "'", "%s"])
def test_the_characters_of_patterns_have_no_meaning_in_a_value(alice, bob, part):
    User.objects.filter(pk=alice.pk).update(name=f"Alice {part.upper()}")
    User.objects.filter(pk=bob.pk).update(name="Bob 50 aXb ab")

    assert FIND_BY_PART(part=part) == [(f"Alice {part.upper()}",)]


def test_an_insert_and_an_update_with_a_condition(db):
    user = User(email="carol@example.com", name="Carol")
    execute_all(insert_statement(user))
    user.name, user.email = "Caroline", "nobody@example.com"

    assert execute_all(RENAME.statement(user, user=user.id, old_name="Carol")) == 1
    assert execute_all(RENAME.statement(user, user=user.id, old_name="Carol")) == 0
    assert User.objects.values_list("name", "email").get() == ("Caroline", "carol@example.com")


@pytest.mark.postgres  # SQLite limits no texts.
def test_an_update_of_many_rows_does_not_cut_a_text_that_is_too_long(alice, bob):
    alice.name = "x" * 151
    with pytest.raises(DatabaseError, match="too long"), transaction.atomic():
        update_many([alice, bob], ["name"], key=["id"])

    assert User.objects.filter(name="Alice").exists()


def test_a_database_error_is_raised_as_a_django_exception(alice):
    with pytest.raises(DatabaseError), transaction.atomic():
        execute_all(insert_statement(User(id=alice.id, email="other@example.com")))


@pytest.mark.postgres
def test_the_statement_is_prepared_once_unless_there_is_a_pooler(alice):
    for _ in range(2):
        FIND_BY_NAME(name="Alice", at=alice.created_at)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE '%100\\%@example.com%'"
        )
        [(kept,)] = cursor.fetchall()

    assert kept == (0 if connection.settings_dict["DISABLE_SERVER_SIDE_CURSORS"] else 1)


@pytest.mark.postgres
def test_a_query_whose_plan_depends_on_its_values_is_not_prepared(alice):
    for _ in range(2):
        FIND_BY_PART(part="Alice")
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT statement FROM pg_prepared_statements WHERE statement LIKE '%\"accounts_user\"%LIKE%'"
        )

        assert cursor.fetchall() == []


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_a_connection_keeps_the_statements_that_were_used_last(monkeypatch):
    monkeypatch.setattr(postgresql, "MAX_STATEMENTS", 2)
    connection.close()
    for number in (1, 2, 1, 3):
        assert execute(f"SELECT {number}", [], lambda cursor: cursor.fetchall()) == [(number,)]
    with connection.cursor() as cursor:
        cursor.execute("SELECT statement FROM pg_prepared_statements")
        kept = {text for (text,) in cursor.fetchall()}

    pooled = connection.settings_dict["DISABLE_SERVER_SIDE_CURSORS"]  # then nothing is prepared
    assert kept == (set() if pooled else {"SELECT 1", "SELECT 3"})


FAILING = ("SELECT 1 / %s::int", [0])
LOSING_THE_CONNECTION: Any = ("SELECT pg_terminate_backend(pg_backend_pid())", [])


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
class TestAStatementToRunFirst:
    def test_it_is_in_the_same_transaction(self):
        setting: Any = ("SELECT set_config('search_path', %s, true)", ["together"])
        for first, expected in ((setting, "together"), (None, '"$user", public')):
            rows = execute("SHOW search_path", [], lambda cursor: cursor.fetchall(), first=first)

            assert rows == [(expected,)]

    @pytest.mark.parametrize(("first", "then"), [(FAILING, ("SELECT 1", [])), (("SELECT 1", []), FAILING)])
    @pytest.mark.parametrize("prepare", [True, False])
    def test_the_connection_works_after_an_error_in_either(self, first, then, prepare):
        sql, params = then
        with pytest.raises(DatabaseError, match="division by zero"):
            execute(sql, params, lambda cursor: None, prepare=prepare, first=first)

        assert execute("SELECT 1", [], lambda cursor: cursor.fetchall()) == [(1,)]

    def test_a_connection_that_is_lost_is_an_operational_error(self):
        with pytest.raises(OperationalError):
            execute("SELECT 1", [], lambda cursor: None, first=LOSING_THE_CONNECTION)

        connection.close_if_unusable_or_obsolete()
        assert execute("SELECT 1", [], lambda cursor: cursor.fetchall()) == [(1,)]


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_two_results_of_one_statement_mean_that_a_pooler_has_lost_its_server():
    connection.ensure_connection()
    lower = connection.connection
    lower.pgconn.send_query(b"SELECT 1; SELECT 2")

    with pytest.raises(psycopg.InternalError) as caught:
        lower.wait(lower._receive())
    assert diagnose(InternalError(*caught.value.args)) == Unavailable()


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_two_connections_never_use_the_same_statement_name():
    """Otherwise a pooler that switches connections could execute another statement."""
    names = []
    for _ in range(2):
        connection.close()
        FIND_BY_NAME(name="Alice", at=timezone.now())
        with connection.cursor() as cursor:
            cursor.execute("SELECT name FROM pg_prepared_statements")
            names.append({name for (name,) in cursor.fetchall()})

    pooled = connection.settings_dict["DISABLE_SERVER_SIDE_CURSORS"]  # then nothing is prepared
    assert pooled or all(names)
    assert not names[0] & names[1]


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
class TestALostPreparedStatement:
    @pytest.fixture
    def find_alice(self, django_user_model):
        alice = django_user_model.objects.create_user("alice@example.com", name="Alice")
        return partial(FIND_BY_NAME, name="Alice", at=alice.created_at.replace(year=2000))

    @pytest.fixture
    def altered(self):
        alter("varchar(160)")
        yield
        alter("varchar(150)")

    def test_it_is_prepared_again_after_a_column_has_changed(self, find_alice, altered):
        before = find_alice()
        alter("varchar(180)")

        assert find_alice() == before

    def test_a_transaction_fails_as_unavailable_and_its_retry_succeeds(self, find_alice, altered):
        before = find_alice()
        alter("varchar(180)")
        if connection.settings_dict["DISABLE_SERVER_SIDE_CURSORS"]:
            return  # Behind a pooler nothing is prepared.
        with pytest.raises(DatabaseError) as caught, transaction.atomic():
            find_alice()

        assert diagnose(caught.value) == Unavailable()
        assert find_alice() == before

    def test_nothing_more_is_prepared_when_an_undeclared_pooler_is_detected(
        self, find_alice, monkeypatch, caplog
    ):
        """A pooler may switch to a connection on which the statement is not prepared."""
        monkeypatch.setattr("todo_project.db.postgresql.base.DatabaseWrapper.pooler_detected", False)
        before = find_alice()
        if connection.settings_dict["DISABLE_SERVER_SIDE_CURSORS"]:
            return  # This pooler is declared, so nothing is prepared.
        with connection.cursor() as cursor:
            # In a DO block, because the driver notices a plain DEALLOCATE and prepares again.
            cursor.execute("DO $$ BEGIN EXECUTE 'DEALLOCATE ALL'; END $$")

        assert find_alice() == before
        assert "DATABASE_POOLER=true" in caplog.text
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM pg_prepared_statements")
            assert cursor.fetchall() == [(0,)]


def alter(kind):
    """Change the type of a column on another connection, as a migration does."""
    other = connection.copy()
    with other.cursor() as cursor:
        cursor.execute(f"ALTER TABLE accounts_user ALTER COLUMN name TYPE {kind}")
    other.close()


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
class TestAConnectionKeptBetweenRequests:
    """At the start of a request, Django checks the health of a connection that it has kept."""

    @pytest.fixture
    def kept(self):
        """The connection, in the state between two requests."""
        kept: Any = connections["default"]
        kept.ensure_connection()
        kept.health_check_enabled, kept.used_at = True, 0
        yield kept
        kept.close()

    @pytest.fixture
    def checks(self, kept, monkeypatch):
        checks: list[bool] = []

        def is_usable(original=kept.is_usable):
            checks.append(original())
            return checks[-1]

        monkeypatch.setattr(kept, "is_usable", is_usable)
        return checks

    def begin_request(self, kept):
        kept.health_check_done = False
        return User.objects.count()

    def test_its_health_is_checked_once(self, kept, checks):
        for _ in range(3):
            self.begin_request(kept)

        assert checks == [True]

    def test_its_health_is_checked_again_after_an_idle_time(self, kept, checks):
        self.begin_request(kept)
        kept.used_at -= 31
        self.begin_request(kept)

        assert checks == [True, True]

    def test_it_is_replaced_when_the_server_has_closed_it(self, kept, postgres_url):
        self.begin_request(kept)
        with kept.cursor() as cursor:
            cursor.execute("SELECT pg_backend_pid()")
            [(pid,)] = cursor.fetchall()
        with psycopg.connect(postgres_url) as other:
            other.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])

        assert self.begin_request(kept) == 0
