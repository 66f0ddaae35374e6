"""manage.py seed."""

import re
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import pairwise
from typing import Any
from uuid import UUID

import pytest
from django.contrib.auth import get_user_model
from django.core.management import CommandError
from django.db import connection
from django.db.models import AutoField, Count, F, Max, Q
from django.db.models.functions import Length

from tasks import positions
from tasks.demo.objects import GENERATORS, TASK_LABEL_COLUMNS, TOMBSTONES
from tasks.demo.world import CLOCK_COLUMNS, World
from tasks.ledger.counts import recount
from tasks.ledger.kinds import kinds
from tasks.ledger.models import Clock, Tombstone
from tasks.models import Label, Project, Task, TaskLabel
from tasks.recurrence import Repeat
from tests.support.caller import Caller, pages, sign_in
from tests.support.commands import run
from tests.support.processes import becomes_true
from tests.support.repeating import next_of, post
from tests.support.run_app import run_program
from tests.support.servers.gunicorn import ROOT, environment
from tests.support.servers.postgres import Postgres

User = get_user_model()
NOW = datetime(2025, 6, 1, tzinfo=UTC)
COUNTED = (User, Clock, Task, Tombstone)
MODELS = (*COUNTED, Project, Label, TaskLabel)


@pytest.fixture(autouse=True)
def debug_is_on(settings):
    settings.DEBUG = True


def seed(*arguments):
    """Its output."""
    return run("seed", "--now=2025-06-01", *arguments)[0]


def rows():
    return [list(model.objects.order_by("pk").values()) for model in MODELS]


def counts():
    return [model.objects.count() for model in COUNTED]


# The data


@pytest.mark.parametrize(
    ("arguments", "numbers"),
    [
        (["--users=7", "--tasks=333", "--no-staff"], [7, 7, 333, 3]),
        (["--users=1", "--tasks=60", "--no-staff"], [1, 1, 60, 1]),
        (["--users=0", "--tasks=0"], [1, 0, 0, 0]),
    ],
)
def test_it_creates_the_requested_numbers(db, arguments, numbers):
    output = seed(*arguments)

    assert counts() == numbers
    assert not User.objects.exclude(email__endswith="@example.com").exists()
    assert ("Staff login: staff@example.com" in output) == ("--no-staff" not in arguments)


def test_the_same_arguments_give_the_same_rows(db):
    seed()
    first = rows()
    User.objects.all().delete()
    assert counts() == [0, 0, 0, 0]
    seed()

    assert rows() == first
    task = Task.objects.get(pk="094feeca-bf37-44b9-84d0-c320ed585b29")
    assert task.title == "Update the slides for the audit"


@pytest.mark.parametrize("change", [{"seed": 2}, {"now": NOW + timedelta(days=1)}, {"tasks": 201}])
def test_another_argument_gives_other_rows(change):
    arguments = {"seed": 1, "users": 5, "tasks": 200, "now": NOW}

    first, same, other = (
        list(GENERATORS["task"].all_rows(World(**each)))
        for each in (arguments, arguments, {**arguments, **change})
    )
    assert first == same
    assert first != other


def test_every_column_is_written_that_the_database_cannot_fill(db):
    columns_by_model: dict[Any, str] = {
        **{kinds[name].model: generator.columns for name, generator in GENERATORS.items()},
        TaskLabel: TASK_LABEL_COLUMNS,
        Tombstone: TOMBSTONES.columns,
        Clock: CLOCK_COLUMNS,
    }
    for model, columns in columns_by_model.items():
        fields = [field for field in model._meta.concrete_fields if not isinstance(field, AutoField)]
        required = {field.column for field in fields if not field.null and not field.has_db_default()}

        assert required <= set(columns.split(", ")) <= {field.column for field in fields}


def test_versions_follow_the_last_changes_up_to_the_owners_clock(db):
    seed("--tasks=400")

    for clock in Clock.objects.all():
        changes = [
            *(
                each
                for model in (Task, Project, Label)
                for each in model.objects.filter(owner=clock.pk).values_list("version", "updated_at")
            ),
            *Tombstone.objects.filter(owner=clock.pk).values_list("version", "purged_at"),
        ]
        changes.sort()
        assert [version for version, _ in changes] == list(range(1, clock.tick + 1))
        assert all(earlier < later for (_, earlier), (_, later) in pairwise(changes))
    assert Clock.objects.aggregate(most=Max("tick")) == {"most": 198}


def test_times_are_consistent(db):
    seed("--tasks=1000")

    contradictions = (
        Q(created_at__gt=F("updated_at"))
        | Q(updated_at__gt=NOW)
        | Q(created_at__lt=F("owner__created_at"))
        | Q(created_at__lt=NOW - timedelta(days=366))
        | Q(completed_at__gt=F("updated_at"))
        | Q(completed_at__lt=F("created_at"))
        | (Q(deleted_at__isnull=False) & ~Q(deleted_at=F("updated_at")))
        | Q(due_at__lt=F("created_at"))
    )
    assert Task.objects.filter(contradictions).count() == 0
    for task in Task.objects.all():
        task.clean_fields()


def test_each_user_has_projects_and_labels_in_proportion(db):
    seed("--users=4", "--tasks=400")
    users = User.objects.annotate(
        n_projects=Count("projects", distinct=True), n_labels=Count("labels", distinct=True)
    )

    assert list(users.order_by("-n_projects", "-n_labels").values_list("n_projects", "n_labels")) == [
        (12, 8),
        (12, 7),
        (9, 6),
        (6, 4),
        (0, 0),
    ]
    assert Project.objects.archived().count() == 4
    assert Project.objects.filter(parent__parent__isnull=False).count() == 3
    assert Project.objects.exclude(color=None).exists()
    assert {user.time_zone for user in users} == {"Europe/London", "Asia/Tokyo", "UTC"}


def test_what_tasks_refer_to_is_their_owners_and_in_a_matching_state(db):
    seed("--tasks=1000")
    tasks = Task.objects.select_related("project", "parent")
    labels = {task.pk: set(task.labels) for task in tasks if task.labels}
    links: dict[UUID, set[UUID]] = {}
    for link in TaskLabel.objects.select_related("task", "label"):
        links.setdefault(link.task_id, set()).add(link.label_id)
        assert link.task.owner_id == link.label.owner_id == link.owner_id

    assert links == labels
    assert 0.2 < len(labels) / len(tasks) < 0.6
    assert max(map(len, labels.values())) == 2
    assert tasks.filter(project=None).count() > 50
    for task in tasks:
        if task.project:
            assert task.project.owner_id == task.owner_id
            assert not task.project.archived_at or task.completed
        if task.parent:
            assert (task.parent.owner_id, task.parent.project_id) == (task.owner_id, task.project_id)
            assert not task.parent.deleted_at
            assert not task.parent.completed or task.completed_at == task.parent.completed_at
    assert tasks.filter(parent__completed=False).exists()
    assert tasks.filter(parent__completed=True).exists()


def test_positions_are_valid_and_precede_that_of_a_new_task(db):
    seed("--tasks=1000")
    for model in (Task, Project, Label):
        for each in model.objects.select_related("owner__clock"):
            assert positions.is_position(each.position)
            assert each.position < positions.last(each.owner.clock.tick + 1)
        assert model.objects.values("owner", "position").distinct().count() == model.objects.count()
    assert any(
        positions.last(version) != position
        for version, position in Task.objects.values_list("version", "position")
    )


def test_the_counts_on_the_clocks_are_right(db):
    seed("--tasks=1000")

    assert set(recount(repair=False)) == {None}


def test_there_are_tasks_in_every_state(db):
    seed("--users=6", "--tasks=1000")
    tasks = Task.objects.live()

    assert 0.5 < tasks.completed().count() / tasks.count() < 0.8
    assert 10 < tasks.overdue(at=NOW, today=NOW.date()).count() < tasks.open().count() / 2
    assert tasks.never_due().exists()
    assert tasks.filter(due_date__isnull=False).exists()
    assert tasks.filter(due_at__isnull=False, due_zone=None).exists()
    assert tasks.filter(due_zone__isnull=False).exists()
    assert tasks.filter(start_date__gt=NOW, completed=False).exists()
    assert Task.objects.trashed().count() > 10
    assert {task.priority for task in tasks} == {0, 1, 2, 3}
    assert tasks.filter(updated_at=F("created_at")).exists()
    lengths = tasks.aggregate(none=Count("pk", Q(description="")), longest=Max(Length("description")))
    assert lengths["none"] > 100
    assert 800 < lengths["longest"] <= 5000
    assert tasks.filter(description__contains="\n- ").exists()
    assert not Task.objects.filter(Q(title__contains="\\") | Q(description__contains="\\")).exists()
    titles = "".join(tasks.values_list("title", flat=True))
    assert {"Ł", "é", "買"} <= set(titles)


def test_some_open_tasks_repeat(db):
    seed("--users=2", "--tasks=1000")
    repeating = Task.objects.filter(repeat__isnull=False)

    assert 10 < repeating.count() < Task.objects.open().count() / 5
    assert {task.owner for task in repeating} == set(User.objects.filter(is_staff=False))
    for task in repeating:
        assert task.series == task.pk
        assert task.repeat["anchor"] == str(task.due_date)
        assert Repeat.read(task.repeat).as_json() == task.repeat
    assert len({task.repeat["rule"].partition(";")[0] for task in repeating}) == 4


def test_a_few_users_have_many_tasks_and_most_have_few(db):
    seed("--users=100", "--tasks=2000", "--no-staff")
    sizes = sorted(User.objects.annotate(n=Count("tasks")).values_list("n", flat=True))

    assert sizes[-1] > 350
    assert sizes[50] < 10
    assert sum(sizes) == 2000


def test_emails_are_unique_even_across_seeds():
    worlds = [World(seed=seed, users=5000, tasks=0, now=NOW) for seed in (1, 2)]

    assert len({person.email for world in worlds for person in world.people()}) == 10_000


# Using the data


def logins(output):
    return re.findall(r"login: +(\S+)\n +password: (\S+)", output)


def test_the_printed_logins_work(db):
    output = seed()
    (staff, staff_password), (person, password) = logins(output)
    others = re.findall(r"\S+@example.com", output.partition("With the same password")[2])

    assert (staff, len(others)) == ("staff@example.com", 4)
    assert sign_in(staff, staff_password).status_code == 200
    for email in [person, *[other.strip(",") for other in others]]:
        assert sign_in(email, password).status_code == 200


def test_the_staff_login_opens_the_admin(db, client):
    seed("--staff-email=Boss@Example.com", "--staff-password=their own words")
    client.login(username="boss@example.com", password="their own words")

    assert client.get("/admin/").status_code == 200


@pytest.fixture
def as_demo_user(db):
    [login] = logins(seed("--tasks=300", "--no-staff"))
    return Caller(sign_in(*login).json()["access"])


@pytest.mark.parametrize("ordering", ["-created_at", "updated_at", "due", "-priority", "title", "position"])
def test_a_list_returns_every_task_once(as_demo_user, ordering):
    path = f"/tasks?limit=25&ordering={ordering}&archived=true"
    seen = [task["id"] for page in pages(as_demo_user, path) for task in page]

    owner = Clock.objects.latest("tick").owner
    assert len(seen) == len(set(seen)) > 100
    assert set(map(UUID, seen)) == set(Task.objects.for_user(owner).live().values_list("pk", flat=True))


def test_a_repeating_task_of_a_demo_user_goes_on(as_demo_user):
    task = next(each for each in as_demo_user("get", "/tasks?limit=200").json()["results"] if each["repeat"])
    post(as_demo_user, task, "complete")

    following = next_of(as_demo_user, task)
    assert following["due_date"] > task["due_date"]
    assert following["repeat"]["rule"] == task["repeat"]["rule"]


def test_sync_returns_every_change_and_a_write_is_the_next_one(as_demo_user):
    page = as_demo_user("get", "/sync?limit=200").json()
    assert [change["version"] for change in page["changes"]] == list(range(1, 154))
    assert [change["version"] for change in page["changes"] if "purged" in change] == [69, 119]

    task = as_demo_user("post", "/tasks", {"title": "one more"}).json()

    assert task["version"] == 154
    assert as_demo_user("get", f"/sync?since={page['since']}").json()["changes"] == [{"kind": "task", **task}]
    seeded = as_demo_user("get", "/tasks?completed=false&ordering=created_at").json()["results"][0]
    assert as_demo_user("post", f"/tasks/{seeded['id']}/complete").json()["version"] == 155


# Running it again


def test_a_second_run_changes_nothing(db):
    seed()
    before = rows()

    output = seed("--tasks=500")

    emails = ["staff@example.com", "tess.novak@example.com"]
    assert "already exists; nothing was changed" in output
    assert logins(output) == [(email, "demo-tasks-2468") for email in emails]
    assert rows() == before


def test_if_users_exist_it_requires_add(alice):
    with pytest.raises(CommandError, match="The database has users already.*--add"):
        seed()
    assert counts() == [1, 0, 0, 0]

    seed("--add")

    assert counts() == [7, 5, 200, 1]


def test_another_seed_adds_other_rows_and_keeps_the_staff_login(db):
    seed("--staff-password=the first")
    before = rows()
    output = seed("--seed=2", "--add", "--staff-password=the second")

    assert "staff@example.com already existed" in output
    assert counts()[:3] == [11, 10, 400]
    assert all(row in after for model, after in zip(before, rows(), strict=True) for row in model)


def test_a_login_with_another_password_is_not_printed(db):
    seed()
    user = User.objects.get(email="tess.novak@example.com")
    user.set_password("something else")
    user.save()

    assert logins(seed()) == [("staff@example.com", "demo-tasks-2468")]


# --first-start


def test_a_first_start_with_users_changes_nothing_and_prints_nothing(alice):
    assert seed("--first-start", "--no-staff") == ""
    assert counts() == [1, 0, 0, 0]


@pytest.mark.parametrize("debug", [pytest.param(True, marks=pytest.mark.postgres), False])
def test_a_first_start_on_postgresql_or_in_production_changes_nothing(db, settings, debug):
    settings.DEBUG = debug

    assert seed("--first-start", "--no-staff") == ""
    assert counts() == [0, 0, 0, 0]


# Errors


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--tasks=-1"], "--tasks must be from 0 to 100,000,000, not -1."),
        (["--tasks=100000001"], "--tasks must be from 0 to 100,000,000, not 100000001."),
        (["--users=-1"], "--users must be from 0 to 1,000,000, not -1."),
        (["--users=1000001"], "--users must be from 0 to 1,000,000, not 1000001."),
        (["--users=0"], "Tasks need an owner"),
        (["--users=0", "--tasks=0", "--no-staff"], "leaves nothing to create"),
        (["--seed=-1"], "--seed must be from 0 to 999,999,999, not -1."),
        (["--now=yesterday"], "--now must be a date or a time, such as 2025-06-01T12:00Z, not 'yesterday'."),
        (["--now=0001-01-01"], "--now must be in a year from 1971 to 8999."),
        (["--staff-email=boss"], "--staff-email must be an email address, not 'boss'."),
    ],
)
def test_invalid_arguments_are_rejected(db, arguments, message):
    with pytest.raises(CommandError) as error:
        seed(*arguments)

    assert message in str(error.value)
    assert error.value.returncode == 2
    assert counts() == [0, 0, 0, 0]


def test_the_name_of_another_database_is_refused(db):
    with pytest.raises(CommandError, match="--force names 'neondb', but this database is") as error:
        seed("--force=neondb")

    assert error.value.returncode == 1
    assert counts() == [0, 0, 0, 0]


def test_production_requires_the_databases_name_and_passwords(db, settings):
    settings.DEBUG = False
    name = f"--force={connection.settings_dict['NAME']}"
    passwords = ["--password=their-own", "--staff-password=my-own"]

    for arguments, message in (
        (passwords, "DEBUG is off"),
        ([*passwords, name + "x"], "but this database is"),
        ([name], "set --password and --staff-password"),
        ([name, passwords[1]], "set --password."),
    ):
        with pytest.raises(CommandError, match=re.escape(message)):
            seed(*arguments)
    assert counts() == [0, 0, 0, 0]

    assert logins(seed(*passwords, name))[0] == ("staff@example.com", "my-own")
    assert counts()[0] == 6


def test_a_remote_database_requires_passwords(db, settings, monkeypatch):
    monkeypatch.setitem(connection.settings_dict, "HOST", "db.example.com")

    with pytest.raises(CommandError, match="Other machines can reach this database"):
        seed()


def test_a_failure_at_the_end_leaves_nothing(alice):
    with connection.cursor() as cursor:
        cursor.execute("CREATE UNIQUE INDEX only_one ON ledger_clock (pruned_version)")
    before = rows()

    with pytest.raises(CommandError, match="Some of this demo data already exists.*Nothing was changed."):
        seed("--add")

    assert rows() == before


# Output and interruption


def test_verbosity_0_prints_nothing(db):
    assert seed("--verbosity=0") == ""


@pytest.fixture(params=["sqlite", "postgres"])
def url(request, tmp_path):
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/db.sqlite3"
        return
    with Postgres() as server:
        yield server.url


SEED = [sys.executable, "manage.py", "seed"]
COUNT = """
from django.contrib.auth import get_user_model
from tasks.models import Task
print(get_user_model().objects.count(), Task.objects.count())
"""


@pytest.mark.own_servers
def test_an_interrupted_or_killed_run_leaves_nothing_and_excludes_other_runs(url):
    machine = {"DATABASE_URL": url, "DEBUG": "true"}
    assert run_program([sys.executable, "manage.py", "migrate", "-v0"], **machine).returncode == 0

    for end, code in ((signal.SIGINT, 130), (signal.SIGKILL, -9)):
        with subprocess.Popen(
            [*SEED, "--tasks=5000000"],
            cwd=ROOT,
            env=environment(**machine),
            stdout=-1,
            stderr=-1,
            text=True,
            # A shell that starts the tests in the background makes them ignore SIGINT, which is inherited.
            preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
        ) as running:
            assert running.stderr is not None
            progress = next(line for line in running.stderr if "tasks of" in line)
            other = run_program(SEED, **machine) if end == signal.SIGINT else None
            running.send_signal(end)
            _, stderr = running.communicate(timeout=300)

        assert re.fullmatch(r"[\d,]+ tasks of 5,000,000\n", progress)
        assert running.returncode == code
        if other:
            assert other.returncode == 1
            assert re.search("Another seed command is running|database is locked", other.stderr)
            assert stderr.splitlines()[-1] == "CommandError: Interrupted. Nothing was changed."
        shell = run_program([sys.executable, "manage.py", "shell", "-v0", "-c", COUNT], **machine)
        assert shell.stdout == "0 0\n"

    # Retried, because PostgreSQL takes a moment to notice that the client is gone.
    assert becomes_true(lambda: run_program(SEED, **machine).returncode == 0)
