import time
import uuid
from datetime import UTC, datetime, timedelta
from itertools import islice
from random import Random
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.hashers import make_password
from django.core.exceptions import ValidationError
from django.core.management.base import CommandError, CommandParser
from django.core.validators import validate_email
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from tasks.demo.loading import fill, lock
from tasks.demo.world import DEFAULT_SEED, World
from todo_project.config.database import is_local
from todo_project.operations.commands import InvalidArgument, OperatorCommand
from todo_project.operations.progress import Progress

DEMO_PASSWORD = "demo-tasks-2468"  # noqa: S105 (only for databases that no other machine can reach)
MAX_USERS, MAX_TASKS, MAX_SEED = 1_000_000, 100_000_000, 999_999_999
YEARS = range(1971, 9000)
LISTED_LOGINS = 5


class Command(OperatorCommand):
    help = "Add demo data to the database: users, tasks, and logins, which it prints."
    examples = f"""\
The same arguments give the same rows, including ids. A few users have many tasks, most have few. There are
open, completed, overdue and trashed tasks, subtasks, and tombstones of purged ones. Users with many tasks
have a dozen nested projects, one of them archived, and some labels.

Everything is written in one transaction: if interrupted, it leaves nothing. If its data already exists, it
changes nothing.

examples:
  manage.py seed                                   a staff login, 5 users, 200 tasks
  manage.py seed --users 10000 --tasks 1000000     for benchmarks; takes a minute or two on PostgreSQL
  manage.py seed --seed 2 --add                    5 more users beside the existing ones
  manage.py seed --now 2025-06-01                  as if run on that day, so the same rows on every day
  manage.py seed --force neondb --staff-password … --password …
                                                   with DEBUG off, which requires the database's name

The passwords are required if other machines can reach the database; otherwise they default to
{DEMO_PASSWORD}.

exit codes: 0 success, or the data already exists; 1 error; 2 invalid arguments; 130 interrupted. After an
error nothing was changed, unless it was the output that failed: then run it again to see the logins.
"""

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--users", type=int, default=5, help="number of users (default: %(default)s)")
        parser.add_argument(
            "--tasks", type=int, default=200, help="total number of tasks (default: %(default)s)"
        )
        parser.add_argument(
            "--seed",
            type=int,
            default=DEFAULT_SEED,
            help="seed of the random generator (default: %(default)s)",
        )
        parser.add_argument(
            "--now",
            metavar="TIME",
            help="reference time, such as 2025-06-01 or 2025-06-01T12:00Z: tasks are created in the year "
            "before it and due around it (default: today at 00:00 UTC)",
        )
        parser.add_argument("--password", help="password of all demo users")
        parser.add_argument(
            "--staff-email",
            default="staff@example.com",
            help="email of the staff login (default: %(default)s)",
        )
        parser.add_argument("--staff-password", help="password of the staff login")
        parser.add_argument("--no-staff", action="store_true", help="create no staff login")
        parser.add_argument("--add", action="store_true", help="add demo data even if users exist")
        parser.add_argument(
            "--force", metavar="DATABASE_NAME", help="run with DEBUG off; must be the name of this database"
        )
        parser.add_argument(
            "--first-start",
            action="store_true",
            help="for `make run`: add data only on SQLite with DEBUG on and only if no users exist; "
            "print a demo user's login if there is one",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        self.verbosity, self.started = options["verbosity"], time.monotonic()
        world = parse_world(options)
        if options["first_start"] and (connection.vendor != "sqlite" or not settings.DEBUG):
            return
        refuse_production(options["force"])
        set_passwords(options)
        try:
            with transaction.atomic():
                self.is_new = self._seed(world, options)
        except IntegrityError as error:
            raise CommandError(
                f"Some of this demo data already exists. Choose another --seed. {self.state_after_failure}"
            ) from error
        self.state_after_failure = "The demo data is in the database; run this again to see the logins."
        self._print_results(world, options)

    def _seed(self, world: World, options: dict[str, Any]) -> bool:
        """Whether anything was added."""
        if not lock():
            raise CommandError(f"Another seed command is running. {self.state_after_failure}")
        users: Any = get_user_model().objects
        staff, first = users.filter(email=options["staff_email"]), next(world.people(), None)
        if (users.filter(pk=first.id) if first else staff).exists():
            return False
        if not options["add"] and users.exists():
            if options["first_start"]:
                return False
            raise CommandError("The database has users already. To add demo data to it, use --add.")
        progress = Progress(self.stderr)

        totals = {"users": world.users, "tasks": world.tasks}

        def report(kind: str, done: int) -> None:
            if self.verbosity > 0:
                total = f" of {totals[kind]:,}" if kind in totals else ""
                progress.report(f"{done:,} {kind}{total}")

        fill(world, password=hash_password(options["password"], world.random("salt")), report=report)
        if not options["no_staff"] and not staff.exists():
            create_staff(world, options["staff_email"], options["staff_password"])
        return True

    def _print_results(self, world: World, options: dict[str, Any]) -> None:
        if self.is_new:
            seconds = time.monotonic() - self.started
            self._print(f"Created {world.users:,} users and {world.tasks:,} tasks in {seconds:.1f} s.")
        elif not options["first_start"]:
            self._print(f"The demo data of seed {world.seed} already exists; nothing was changed.")
            self._print("To add more, use --add with another --seed.")
        if not options["no_staff"]:
            self._print_login("Staff login:", options["staff_email"], options["staff_password"])
        first, *others = [person.email for person in islice(world.people(), LISTED_LOGINS)] or [""]
        self._print_login("Demo login: ", first, options["password"])
        if self.is_new and others:
            more = " and so on" if world.users > LISTED_LOGINS else ""
            self._print(f"With the same password: {', '.join(others)}{more}")

    def _print_login(self, kind: str, email: str, password: str) -> None:
        """Only if it works: the account may be older, gone, or have another password by now."""
        user = get_user_model().objects.filter(email=email, is_active=True).first()
        if user and user.check_password(password):
            self._print(f"{kind} {email}\n   password: {password}")
        elif user and self.is_new:
            self._print(f"{kind} {email} already existed and is unchanged.")

    def _print(self, line: str) -> None:
        if self.verbosity > 0:
            self.stdout.write(line)
            self.stdout.flush()


def parse_world(options: dict[str, Any]) -> World:
    users, tasks = options["users"], options["tasks"]
    for name, maximum in {"seed": MAX_SEED, "users": MAX_USERS, "tasks": MAX_TASKS}.items():
        if not 0 <= options[name] <= maximum:
            raise InvalidArgument(f"--{name} must be from 0 to {maximum:,}, not {options[name]}.")
    if tasks and not users:
        raise InvalidArgument("Tasks need an owner: set --users to at least 1, or --tasks to 0.")
    if not users and options["no_staff"]:
        raise InvalidArgument("--users 0 with --no-staff leaves nothing to create.")
    options["staff_email"] = options["staff_email"].strip().lower()
    try:
        validate_email(options["staff_email"])
    except ValidationError as error:
        raise InvalidArgument(
            f"--staff-email must be an email address, not {options['staff_email']!r}."
        ) from error
    return World(seed=options["seed"], users=users, tasks=tasks, now=parse_time(options["now"]))


def parse_time(text: str | None) -> datetime:
    if text is None:
        return timezone.now().replace(hour=0, minute=0, second=0, microsecond=0)
    try:
        time = datetime.fromisoformat(text)
    except ValueError as error:
        raise InvalidArgument(
            f"--now must be a date or a time, such as 2025-06-01T12:00Z, not {text!r}."
        ) from error
    if time.year not in YEARS:
        raise InvalidArgument(f"--now must be in a year from {YEARS[0]} to {YEARS[-1]}.")
    return time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)


def refuse_production(force: str | None) -> None:
    name = str(connection.settings_dict["NAME"])
    if force is not None and force != name:
        raise CommandError(f"--force names {force!r}, but this database is {name!r}.")
    if force is None and not settings.DEBUG:
        raise CommandError(
            f"DEBUG is off, so the database {name!r} may be in production. "
            f"To add demo data to it, use --force with its name."
        )


def set_passwords(options: dict[str, Any]) -> None:
    """The default is public, so it is used only for databases that no other machine can reach."""
    required = ["password"] if options["no_staff"] else ["password", "staff_password"]
    if settings.DEBUG and is_local(connection.settings_dict["HOST"] or ""):
        for option in required:
            options[option] = options[option] or DEMO_PASSWORD
    missing = [f"--{option.replace('_', '-')}" for option in required if not options[option]]
    if missing:
        raise CommandError(f"Other machines can reach this database: set {' and '.join(missing)}.")


def hash_password(password: str, random: Random) -> str:
    """With a salt from the seed, so that the same arguments give the same rows."""
    return make_password(password, salt=f"{random.getrandbits(128):032x}")


def create_staff(world: World, email: str, password: str) -> None:
    random = world.random("staff")
    get_user_model().objects.create(
        id=uuid.UUID(int=random.getrandbits(128), version=4),
        email=email,
        name="Demo Staff",
        password=hash_password(password, random),
        is_staff=True,
        is_superuser=True,
        created_at=world.now - timedelta(days=365),
    )
