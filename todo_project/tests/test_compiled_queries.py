"""A prepared query gives what its sentence gives, is planned once where that can be, and is not mistaken."""

from functools import partial
from typing import Any

import psycopg
import pytest
from django.db import DatabaseError, connection, connections, models, transaction

from accounts.models import User
from todo_project.db.compiled import CompiledQuery, CompiledUpdate, insert
from todo_project.db.errors import Unavailable, diagnose
from todo_project.db.keyset import MIN_DATETIME

NAMED = CompiledQuery(
    lambda name, at: (
        User.objects.filter(name=name, created_at__gt=at, is_active=True)
        .exclude(email="100%@example.com")
        .values_list("id", "name", "created_at", "is_active")
    ),
    name=models.CharField(),
    at=models.DateTimeField(),
)
RENAME = CompiledUpdate(
    lambda user, old_name: User.objects.filter(pk=user, name=old_name),
    [User._meta.get_field("name")],
    user=models.UUIDField(),
    old_name=models.CharField(),
)


def test_a_compiled_query_returns_the_rows_of_its_queryset(alice, bob):
    for user in (alice, bob, alice):
        rows = NAMED(name=user.name, at=user.created_at.replace(year=2000))

        assert rows == [(user.id, user.name, user.created_at, True)]


def test_a_value_is_never_part_of_the_sql(alice):
    for name in ("' OR 1=1 --", "%s", "100%", '"'):
        assert NAMED(name=name, at=alice.created_at.replace(year=2000)) == []


def test_an_insert_and_a_guarded_update(db):
    user = User(email="carol@example.com", name="Carol")
    insert(user)
    user.name, user.email = "Caroline", "nobody@example.com"

    assert RENAME(user, user=user.id, old_name="Carol") == 1
    assert RENAME(user, user=user.id, old_name="Carol") == 0
    assert User.objects.values_list("name", "email").get() == ("Caroline", "carol@example.com")


def test_errors_are_djangos(alice):
    with pytest.raises(DatabaseError), transaction.atomic():
        insert(User(id=alice.id, email="other@example.com"))


@pytest.mark.postgres
def test_the_server_keeps_the_plan_unless_there_is_a_pooler(alice):
    for _ in range(2):
        NAMED(name="Alice", at=alice.created_at)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE '%100\\%@example.com%'"
        )
        [(kept,)] = cursor.fetchall()

    assert kept == (0 if connection.settings_dict["DISABLE_SERVER_SIDE_CURSORS"] else 1)


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_two_connections_give_no_statement_the_same_name():
    """A pooler leads from one to the other, and what the name means there would be done."""
    names = []
    for _ in range(2):
        connection.close()
        NAMED(name="Alice", at=MIN_DATETIME)
        with connection.cursor() as cursor:
            cursor.execute("SELECT name FROM pg_prepared_statements")
            names.append({name for (name,) in cursor.fetchall()})

    pooled = connection.settings_dict["DISABLE_SERVER_SIDE_CURSORS"]  # Then nothing is prepared.
    assert pooled or all(names)
    assert not names[0] & names[1]


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
class TestALostPlan:
    @pytest.fixture
    def named(self, django_user_model):
        alice = django_user_model.objects.create_user("alice@example.com", name="Alice")
        return partial(NAMED, name="Alice", at=alice.created_at.replace(year=2000))

    @pytest.fixture
    def altered(self):
        alter("varchar(160)")
        yield
        alter("varchar(150)")

    def test_is_made_anew_after_a_migration_has_changed_a_column(self, named, altered):
        before = named()
        alter("varchar(180)")

        assert named() == before

    def test_costs_a_transaction_one_retry(self, named, altered):
        before = named()
        alter("varchar(180)")
        if connection.settings_dict["DISABLE_SERVER_SIDE_CURSORS"]:
            return  # Behind a pooler nothing is prepared.
        with pytest.raises(DatabaseError) as caught, transaction.atomic():
            named()

        assert diagnose(caught.value) == Unavailable()
        assert named() == before

    def test_of_a_pooler_that_nobody_told_of_ends_preparing(self, named, monkeypatch, caplog):
        """Another server than the one that knows the statement is what a pooler may lead to."""
        monkeypatch.setattr("todo_project.db.postgresql.base.DatabaseWrapper.pooler_detected", False)
        before = named()
        if connection.settings_dict["DISABLE_SERVER_SIDE_CURSORS"]:
            return  # Of this one it was told, so nothing is prepared.
        with connection.cursor() as cursor:
            # Wrapped, because the driver would notice a plain one and prepare anew by itself.
            cursor.execute("DO $$ BEGIN EXECUTE 'DEALLOCATE ALL'; END $$")

        assert named() == before
        assert "DATABASE_POOLER=true" in caplog.text
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM pg_prepared_statements")
            assert cursor.fetchall() == [(0,)]


def alter(kind):
    """As a migration does, on a connection of its own."""
    other = connection.copy()
    with other.cursor() as cursor:
        cursor.execute(f"ALTER TABLE accounts_user ALTER COLUMN name TYPE {kind}")
    other.close()


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
class TestAConnectionInUse:
    """At the start of a request, Django asks a connection that it kept whether it is alive."""

    @pytest.fixture
    def kept(self):
        """The connection, as it is kept from one request to the next."""
        kept: Any = connections["default"]
        kept.ensure_connection()
        kept.health_check_enabled, kept.used_at = True, 0
        yield kept
        kept.close()

    @pytest.fixture
    def asked(self, kept, monkeypatch):
        asked: list[bool] = []

        def is_usable(original=kept.is_usable):
            asked.append(original())
            return asked[-1]

        monkeypatch.setattr(kept, "is_usable", is_usable)
        return asked

    def begin_request(self, kept):
        kept.health_check_done = False
        return User.objects.count()

    def test_is_asked_once(self, kept, asked):
        for _ in range(3):
            self.begin_request(kept)

        assert asked == [True]

    def test_is_asked_again_after_a_while(self, kept, asked):
        self.begin_request(kept)
        kept.used_at -= 31
        self.begin_request(kept)

        assert asked == [True, True]

    def test_is_replaced_when_the_server_has_ended_it(self, kept, postgres_url):
        self.begin_request(kept)
        with kept.cursor() as cursor:
            cursor.execute("SELECT pg_backend_pid()")
            [(pid,)] = cursor.fetchall()
        with psycopg.connect(postgres_url) as other:
            other.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])

        assert self.begin_request(kept) == 0
