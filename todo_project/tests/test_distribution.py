"""The conditions of a distribution by owner with Citus, and the command, on a PostgreSQL without Citus."""

import re

import pytest
from django.contrib.admin.models import CHANGE, LogEntry
from django.core.management import CommandError
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.authentication import find_user
from tasks.kinds import TASK
from tasks.ledger.operations import perform_for_owners
from tasks.models import Task
from tests.support.admin_client import TASKS, run_action
from tests.support.caller import Caller
from tests.support.commands import run
from tests.support.one_owner import NotOfOneOwner, checked
from tests.support.tasks import create_task
from todo_project.db.distribution import is_distributed
from todo_project.operations.distribution import OWNER, account_models, owned_models
from todo_project.operations.doctor import postgres as postgres_checks

pytestmark = pytest.mark.django_db

OWNED = {
    "ledger_clock",
    "ledger_tombstone",
    "tasks_label",
    "tasks_project",
    "tasks_task",
    "tasks_tasklabel",
    "todo_project_idempotencykey",
    "todo_project_idempotencyusage",
}
ACCOUNTS = {"accounts_identity", "accounts_personaltoken", "accounts_session", "accounts_user"}

KEYS = """
SELECT indrelid::regclass::text, indexrelid::regclass::text, array_agg(attname ORDER BY attname) FROM pg_index
JOIN pg_attribute ON attrelid = indrelid AND attnum = ANY(indkey)
WHERE indisunique AND indrelid::regclass::text = ANY(%s) GROUP BY 1, 2
"""
FOREIGN_KEYS = """
SELECT conrelid::regclass::text, confrelid::regclass::text, conname, array_agg(attname ORDER BY attname)
FROM pg_constraint JOIN pg_attribute ON attrelid = conrelid AND attnum = ANY(conkey)
WHERE contype = 'f' AND (conrelid::regclass::text = ANY(%s) OR confrelid::regclass::text = ANY(%s))
GROUP BY 1, 2, 3
"""
CITUS = """
INSERT INTO pg_extension VALUES (1, 'citus', 10, 11, false, '13.0', NULL, NULL);
CREATE TABLE pg_dist_partition (logicalrelid regclass, partmethod "char", repmodel "char");
CREATE FUNCTION create_reference_table(text) RETURNS void LANGUAGE sql AS
    $$ INSERT INTO pg_dist_partition VALUES ($1::regclass, 'n', 't');
       ALTER SEQUENCE django_admin_log_id_seq RESTART $$;
CREATE FUNCTION create_distributed_table(text, text, colocate_with text) RETURNS void LANGUAGE sql AS
    $$ INSERT INTO pg_dist_partition VALUES ($1::regclass, 'h', 's') $$;
"""


def query(sql, *params):
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        return cursor.fetchall()


def tables(models):
    """Without those of the tests."""
    return {model._meta.db_table for model in models if not model.__module__.startswith("tests.")}


def test_all_objects_with_an_owner_are_distributed_and_users_are_on_each_node():
    assert tables(owned_models()) == OWNED
    assert tables(account_models()) == ACCOUNTS


@pytest.mark.postgres
def test_each_key_of_a_distributed_table_includes_the_owner():
    keys = query(KEYS, [*OWNED])

    assert {table for table, _, _ in keys} == OWNED
    assert [name for _, name, columns in keys if OWNER not in columns] == []


@pytest.mark.postgres
def test_foreign_keys_lead_to_users_or_to_objects_of_the_same_owner():
    keys = query(FOREIGN_KEYS, [*OWNED], [*OWNED])

    assert {table for table, _, _, _ in keys} == OWNED
    assert [name for table, _, name, _ in keys if table not in OWNED] == []
    assert [name for _, to, name, columns in keys if to not in ACCOUNTS and OWNER not in columns] == []
    assert [name for _, to, name, _ in keys if to not in ACCOUNTS | OWNED] == []


@pytest.mark.postgres
@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM tasks_task",
        "SELECT * FROM tasks_task WHERE id = '{0}'",
        "SELECT * FROM tasks_task WHERE owner_id = '{0}' OR title = ' AND owner_id = (1)'",
        "SELECT * FROM tasks_task WHERE owner_id = '{0}' UNION ALL SELECT * FROM tasks_task",
        "SELECT * FROM tasks_task WHERE owner_id IN ('{0}', '{1}')",
        "SELECT * FROM tasks_task AS task, ledger_clock AS clock "
        "WHERE task.owner_id = '{0}' AND clock.owner_id = '{1}'",
        "SELECT * FROM tasks_task AS task WHERE owner_id = '{0}' AND EXISTS "
        "(SELECT FROM tasks_project WHERE id = task.project_id)",
        "UPDATE tasks_task SET title = 'milk' WHERE id = '{0}'",
        "DELETE FROM tasks_task WHERE title = 'milk'",
        "SELECT pg_advisory_xact_lock(1); SELECT * FROM tasks_task WHERE title = 'milk'",
    ],
)
def test_a_statement_about_several_owners_is_noticed(alice, bob, sql):
    with pytest.raises(NotOfOneOwner), checked(), connection.cursor() as cursor:
        cursor.execute(sql.format(alice.pk, bob.pk))


@pytest.mark.postgres
@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM tasks_task WHERE owner_id = '{0}' AND (title = 'a' OR title = '((')",
        "SELECT * FROM accounts_user LEFT JOIN ledger_clock ON owner_id = id WHERE id = '{0}'",
        "UPDATE tasks_task SET title = 'milk' FROM ledger_clock AS clock "
        "WHERE tasks_task.owner_id = clock.owner_id AND clock.owner_id = '{0}'",
    ],
)
def test_a_statement_about_one_owner_is_accepted(alice, sql):
    with checked(), connection.cursor() as cursor:
        cursor.execute(sql.format(alice.pk))


def test_a_database_without_citus_is_refused():
    with pytest.raises(CommandError, match="no extension citus.* Nothing was changed"):
        run("distribute")


@pytest.fixture
def citus(monkeypatch):
    """What the command reads of Citus and calls, without nodes."""
    for name in ("owned_models", "account_models"):
        found = [model for model in globals()[name]() if not model.__module__.startswith("tests.")]
        monkeypatch.setattr(f"todo_project.operations.distribution.{name}", lambda found=found: found)
    is_distributed.cache_clear()
    with connection.cursor() as cursor:
        cursor.execute(CITUS)
    yield
    is_distributed.cache_clear()


def begin_session():
    """With the settings of the role in this database."""
    [(settings,)] = query(
        "SELECT setconfig FROM pg_db_role_setting JOIN pg_database ON pg_database.oid = setdatabase "
        "WHERE datname = current_database() AND setrole = current_user::regrole"
    )
    assert sorted(settings) == [
        "citus.enable_local_execution=off",
        "citus.multi_shard_modify_mode=sequential",
        "citus.propagate_set_commands=local",
    ]
    for each in settings:
        query("SELECT set_config(%s, %s, true)", *each.split("="))


@pytest.mark.postgres
def test_the_command_prints_the_statements_and_executes_them_once(citus):
    before = query(FOREIGN_KEYS, [*OWNED], [*OWNED])
    printed = run("distribute", "--dry-run")[0]
    undistributed = query("SELECT count(*) FROM pg_dist_partition")
    executed = run("distribute")[0]

    assert undistributed == [(0,)]
    assert executed == printed
    assert printed.startswith("ALTER ROLE ")
    assert "ALTER TABLE tasks_task DROP CONSTRAINT task_project_of_owner;\n" in printed
    assert printed.index("('accounts_user')") < printed.index("('tasks_task', 'owner_id', colocate_with => ")
    assert {
        table for (table,) in query("SELECT logicalrelid::text FROM pg_dist_partition")
    } == OWNED | ACCOUNTS
    assert sorted(query(FOREIGN_KEYS, [*OWNED], [*OWNED])) == sorted(before)
    begin_session()
    assert run("distribute")[0] == "All tables are distributed already.\n"


@pytest.mark.postgres
@pytest.mark.parametrize(
    ("new", "beside"),
    [
        ("tasks_tasklabel", "todo_project_idempotencykey"),
        ("todo_project_idempotencykey", "todo_project_idempotencyusage"),
    ],
)
def test_a_table_that_is_new_is_distributed_beside_the_others(citus, new, beside):
    run("distribute")
    query("DELETE FROM pg_dist_partition WHERE logicalrelid = %s::regclass RETURNING 1", new)

    statements = run("distribute", "--dry-run")[0].splitlines()

    distribution = f"SELECT create_distributed_table('{new}', 'owner_id', colocate_with => '{beside}');"
    assert [each for each in statements if each.startswith("SELECT create_")] == [distribution]
    assert len([each for each in statements if " ADD CONSTRAINT " in each]) == (new == "tasks_tasklabel") * 2


@pytest.mark.postgres
def test_identity_columns_continue_after_the_distribution(citus, alice):
    first, second = (LogEntry(user=alice, action_flag=CHANGE, object_repr="milk") for _ in range(2))
    first.save()
    run("distribute")
    second.save()

    assert second.pk > first.pk


def diagnosed():
    return [f"{each.msg} {each.hint}" for each in postgres_checks.citus(connection)]


@pytest.mark.postgres
def test_the_doctor_reports_missing_settings_and_tables_that_are_not_distributed(citus):
    missing, undistributed = diagnosed()
    run("distribute")
    begin_session()
    well = diagnosed()
    query("DELETE FROM pg_dist_partition WHERE logicalrelid = 'tasks_task'::regclass RETURNING 1")

    assert "Run once: ALTER ROLE " in missing
    assert " SET citus.multi_shard_modify_mode = 'sequential'; ALTER ROLE " in missing
    assert {*re.findall(r"\w+_\w+", undistributed)} == OWNED | ACCOUNTS
    assert well == ["The tables are distributed, and the role has the settings that it needs. None"]
    [again] = diagnosed()
    assert again.startswith("These tables are not distributed: tasks_task. Stop the server, and run ")


@pytest.mark.postgres
def test_the_doctor_says_nothing_about_a_database_without_citus():
    assert diagnosed() == []


@pytest.mark.postgres
def test_a_distributed_database_gets_no_write_that_returns_expressions(citus, as_alice):
    with CaptureQueriesContext(connection) as queries:
        create_task(as_alice)

    assert [query["sql"] for query in queries if "INSERT" in query["sql"]] != []
    assert [query["sql"] for query in queries if "RETURNING" in query["sql"]] == []


@pytest.mark.postgres
def test_a_personal_token_is_found_without_the_clocks_of_other_users(citus, as_alice):
    body = {"name": "script", "scopes": ["tasks:read"]}
    token = as_alice("post", "/me/tokens", body).json()["token"]
    create_task(as_alice)

    assert len(Caller(token)("get", "/tasks").json()["results"]) == 1


@pytest.mark.postgres
def test_an_identity_of_no_user_is_looked_up_in_one_query(citus):
    with CaptureQueriesContext(connection) as queries:
        assert find_user("https://id.example.com", "unknown") is None

    assert len(queries) == 1


def owners_in(sql, *users):
    return [user.email for user in users if user.pk.hex in sql.replace("-", "")]


@pytest.mark.postgres
def test_an_action_of_staff_locks_the_clocks_of_one_owner_at_a_time(citus, as_alice, as_bob, alice, bob):
    tasks = [create_task(caller)["id"] for caller in (as_alice, as_bob)]
    with CaptureQueriesContext(connection) as queries:
        changed = perform_for_owners(TASK, "complete", tasks)

    locks = [query["sql"] for query in queries if "FOR NO KEY UPDATE" in query["sql"]]
    assert {task.owner_id for task in changed if task.completed} == {alice.pk, bob.pk}
    assert sorted(owners_in(sql, alice, bob) for sql in locks) == [[alice.email], [bob.email]]


@pytest.mark.postgres
def test_the_confirmation_of_an_action_of_staff_follows_references_of_one_owner_at_a_time(
    citus, superuser, as_alice, as_bob, alice, bob
):
    for caller in (as_alice, as_bob):
        create_task(caller, "in it", parent=create_task(caller, "milk")["id"])
    tasks = Task.objects.filter(title="milk")
    with CaptureQueriesContext(connection) as queries:
        page = run_action(superuser, TASKS, "trash", tasks, confirm=False)

    recursive = [query["sql"] for query in queries if "RECURSIVE" in query["sql"]]
    assert "Also affected: 2 tasks." in page.content.decode()
    assert sorted(owners_in(sql, alice, bob) for sql in recursive) == [[alice.email], [bob.email]]
