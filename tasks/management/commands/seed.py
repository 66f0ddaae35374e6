"""Fill a database with demo data: to try things out, or to measure at a size."""

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
from django.db import DatabaseError, IntegrityError, connection, transaction
from django.utils import timezone

from tasks.demo.loading import fill, lock
from tasks.demo.world import DEFAULT_SEED, World
from todo_project.config.database import is_local
from todo_project.operations.commands import OperatorCommand
from todo_project.operations.progress import Progress

DEMO_PASSWORD = "demo-tasks-2468"  # noqa: S105 (of a database that only this machine reaches)
MOST_USERS, MOST_TASKS, HIGHEST_SEED = 1_000_000, 100_000_000, 999_999_999
YEARS = range(1971, 9000)
LOGINS_TOLD = 5

EXAMPLES = f"""\
The same arguments give the same rows, ids included. Few users have many tasks, most have few. There are open,
completed, overdue and trashed tasks, and what is left of some that were deleted for good.

All is one transaction: interrupted, it leaves nothing. Run again, it finds its own data and changes nothing.

examples:
  manage.py seed                                   a staff login, 5 users, 200 tasks
  manage.py seed --users 10000 --tasks 1000000     enough to measure on; a minute or two on PostgreSQL
  manage.py seed --seed 2 --add                    another 5 users beside those who are there
  manage.py seed --now 2025-06-01                  as if made on that day, the same on every day
  manage.py seed --force neondb --staff-password … --password …
                                                   with DEBUG off, where one must name the database

Where others can reach the database, choose the passwords; elsewhere they are {DEMO_PASSWORD}.
Exit codes: 0 made, or there already; 1 refused or failed, nothing was changed (but if it was the output that
failed, run it again for the logins); 130 interrupted.
"""


class Command(OperatorCommand):
    help = "Fill a database with demo data: users, tasks, and logins that it prints."
    examples = EXAMPLES

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--users", type=int, default=5, help="how many (default: %(default)s)")
        parser.add_argument("--tasks", type=int, default=200, help="of all users (default: %(default)s)")
        parser.add_argument(
            "--seed",
            type=int,
            default=DEFAULT_SEED,
            help="a number that everything is made from (default: %(default)s)",
        )
        parser.add_argument(
            "--now",
            metavar="TIME",
            help="when it should look like made, such as 2025-06-01 or 2025-06-01T12:00Z: the tasks are of "
            "the year before and due around it (default: the beginning of today, UTC)",
        )
        parser.add_argument("--password", help="of every demo user")
        parser.add_argument("--staff-email", default="staff@example.com", help="default: %(default)s")
        parser.add_argument("--staff-password", help="of the staff login")
        parser.add_argument("--no-staff", action="store_true", help="make no staff login")
        parser.add_argument("--add", action="store_true", help="although there are users already")
        parser.add_argument(
            "--force", metavar="DATABASE_NAME", help="although DEBUG is off; the name must be this database's"
        )
        parser.add_argument(
            "--first-start",
            action="store_true",
            help="for `make run`: only on SQLite with DEBUG on, and only when there are no users; else "
            "change nothing. Either way tell a demo user's login, if there is one",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        self.verbosity, self.started = options["verbosity"], time.monotonic()
        world = asked_for(options)
        if options["first_start"] and (connection.vendor != "sqlite" or not settings.DEBUG):
            return
        refuse_production(options["force"])
        choose_passwords(options)
        try:
            with transaction.atomic():
                self._seed(world, options)
        except KeyboardInterrupt:
            raise CommandError("Interrupted; nothing is half done.", returncode=130) from None
        except IntegrityError as error:
            raise CommandError(
                "Nothing was changed: some of this demo data is there already. Choose another --seed."
            ) from error
        except DatabaseError as error:
            raise CommandError(
                f"Nothing was changed, because the database said: {str(error).strip()}. "
                "Is it migrated, and does nobody else write to it for long?"
            ) from error
        self._tell_results(world, options)

    def _seed(self, world: World, options: dict[str, Any]) -> None:
        self.made = False
        if not lock():
            raise CommandError("Another seed is at work in this database; nothing was changed.")
        users: Any = get_user_model().objects
        staff, first = users.filter(email=options["staff_email"]), next(world.people(), None)
        if (users.filter(pk=first.id) if first else staff).exists():
            return
        if not options["add"] and users.exists():
            if options["first_start"]:
                return
            raise CommandError("There are users already. To put demo data beside them: --add")
        progress = Progress(self.stderr)

        def tell(done: int, what: str) -> None:
            if self.verbosity > 0:
                progress.tell(f"{done:,} {what} of {getattr(world, what):,}")

        fill(world, password=hashed(options["password"], world.chance("salt")), tell=tell)
        self.made = True
        if not options["no_staff"] and not staff.exists():
            make_staff(world, options["staff_email"], options["staff_password"])

    def _tell_results(self, world: World, options: dict[str, Any]) -> None:
        if self.made:
            seconds = time.monotonic() - self.started
            self._say(f"Made {world.users:,} users and {world.tasks:,} tasks in {seconds:.1f} s.")
        elif not options["first_start"]:
            self._say(f"The demo data of seed {world.seed} is there already; nothing was changed.")
            self._say("For more of it: --add, with another --seed.")
        if not options["no_staff"]:
            self._tell_login("Staff login:", options["staff_email"], options["staff_password"])
        first, *others = [person.email for person in islice(world.people(), LOGINS_TOLD)] or [""]
        self._tell_login("Demo login: ", first, options["password"])
        if self.made and others:
            more = " and so on" if world.users > LOGINS_TOLD else ""
            self._say(f"With the same password: {', '.join(others)}{more}")

    def _tell_login(self, kind: str, email: str, password: str) -> None:
        """Only a true one: they may have been there before, have changed the password since, or be gone."""
        user = get_user_model().objects.filter(email=email, is_active=True).first()
        if user and user.check_password(password):
            self._say(f"{kind} {email}\n   password: {password}")
        elif user and self.made:
            self._say(f"{kind} {email} was there already, and is as before.")

    def _say(self, line: str) -> None:
        if self.verbosity > 0:
            self.stdout.write(line)
            self.stdout.flush()


def asked_for(options: dict[str, Any]) -> World:
    users, tasks = options["users"], options["tasks"]
    if not 0 <= options["seed"] <= HIGHEST_SEED:
        raise CommandError(f"--seed is a number from 0 to {HIGHEST_SEED:,}, not {options['seed']}.")
    if not 0 <= users <= MOST_USERS:
        raise CommandError(f"--users is a number from 0 to {MOST_USERS:,}, not {users}.")
    if not 0 <= tasks <= MOST_TASKS:
        raise CommandError(f"--tasks is a number from 0 to {MOST_TASKS:,}, not {tasks}.")
    if tasks and not users:
        raise CommandError("Tasks need somebody to own them: --users must be at least 1, or --tasks 0.")
    if not users and options["no_staff"]:
        raise CommandError("--users 0 and --no-staff leave nothing to make.")
    options["staff_email"] = options["staff_email"].strip().lower()
    try:
        validate_email(options["staff_email"])
    except ValidationError as error:
        raise CommandError(f"--staff-email: {options['staff_email']!r} is no email.") from error
    return World(seed=options["seed"], users=users, tasks=tasks, now=moment(options["now"]))


def moment(text: str | None) -> datetime:
    if text is None:
        return timezone.now().replace(hour=0, minute=0, second=0, microsecond=0)
    try:
        time = datetime.fromisoformat(text)
    except ValueError as error:
        raise CommandError(f"--now is a day or a time, such as 2025-06-01T12:00Z, not {text!r}.") from error
    if time.year not in YEARS:
        raise CommandError(f"--now lies in the years from {YEARS[0]} to {YEARS[-1]}.")
    return time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)


def refuse_production(force: str | None) -> None:
    name = str(connection.settings_dict["NAME"])
    if force is not None and force != name:
        raise CommandError(f"--force names {force!r}, but this is the database {name!r}.")
    if force is None and not settings.DEBUG:
        raise CommandError(
            f"DEBUG is off, so the database {name!r} may be in production. "
            "If demo data belongs there, name it after --force."
        )


def choose_passwords(options: dict[str, Any]) -> None:
    """Everybody can read the usual one here, so it is for databases that nobody else can reach."""
    wanted = ["password"] if options["no_staff"] else ["password", "staff_password"]
    if settings.DEBUG and is_local(connection.settings_dict["HOST"] or ""):
        for option in wanted:
            options[option] = options[option] or DEMO_PASSWORD
    missing = [f"--{option.replace('_', '-')}" for option in wanted if not options[option]]
    if missing:
        raise CommandError(f"Others can reach this database, so choose {' and '.join(missing)}.")


def hashed(password: str, chance: Random) -> str:
    """The salt, too, comes from the seed: the same arguments, the same rows."""
    return make_password(password, salt=f"{chance.getrandbits(128):032x}")


def make_staff(world: World, email: str, password: str) -> None:
    chance = world.chance("staff")
    get_user_model().objects.create(
        id=uuid.UUID(int=chance.getrandbits(128), version=4),
        email=email,
        name="Demo Staff",
        password=hashed(password, chance),
        is_staff=True,
        is_superuser=True,
        created_at=world.now - timedelta(days=365),
    )
