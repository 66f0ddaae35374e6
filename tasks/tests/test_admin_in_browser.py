"""The admin in a real browser, on gunicorn and PostgreSQL.

Screenshots of the pages are written to the folder in TEST_PICTURES, for people to look at.
"""

import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.support.browser import chromium, clean_page
from tests.support.run_app import run_program
from tests.support.servers.gunicorn import Gunicorn
from tests.support.servers.postgres import Postgres

pytestmark = pytest.mark.own_servers

EMAIL, PASSWORD = "operator@example.com", "correct horse battery"

PREPARE = f"""
from datetime import timedelta
from django.core.management import call_command
from django.db import transaction
from django.utils import timezone
from accounts.models import FailedLogin, User
from tasks.kinds import LABEL, PROJECT, TASK
from tasks.ledger.models import Clock
from tasks.ledger.operations import Operation, perform
from tasks.models import Task
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
with transaction.atomic():
    home, label = perform(carol, [
        Operation(PROJECT, "create", values={{"name": "Home", "color": "#2e8b57"}}),
        Operation(LABEL, "create", values={{"name": "in town", "color": "#ff8c00"}}),
    ])
    values = {{"project": home.pk, "labels": [label.pk]}}
    perform(carol, [Operation(TASK, "update", task.pk, values) for task in carol.tasks.live()[:20]])
FailedLogin.objects.bulk_create(
    FailedLogin(email="carol@example.com", address="203.0.113.7", at=now - timedelta(hours=n * n // 9))
    for n in range(36)
)
"""


@pytest.fixture(scope="module")
def site() -> Iterator[str]:
    with Postgres() as database:
        prepared = run_program(
            [sys.executable, "manage.py", "shell", "-v0", "-c", PREPARE], DATABASE_URL=database.url
        )
        assert prepared.returncode == 0, prepared.stderr
        with Gunicorn(DATABASE_URL=database.url) as server:
            yield server.url


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture
def page(browser: Browser, site: str) -> Iterator[Page]:
    with clean_page(browser, site) as page:
        yield page


@pytest.fixture
def admin(page: Page) -> Page:
    """The index page of the admin, after signing in."""
    sign_in(page, EMAIL, PASSWORD)
    expect(page).to_have_title("Dashboard | Todo administration")
    return page


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = Path(os.environ.get("TEST_PICTURES") or tmp_path_factory.mktemp("pictures"))
    folder.mkdir(exist_ok=True)
    return folder


def sign_in(page: Page, email: str, password: str) -> None:
    page.goto("/admin/")
    page.get_by_label("Email").fill(email)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()


def search(page: Page, words: str) -> None:
    page.get_by_role("textbox", name="Search").fill(words)
    page.get_by_role("button", name="Search").click()


def run_action(page: Page, row: str, action: str) -> None:
    page.get_by_label(f"Select this object for an action - {row}").check()
    page.get_by_label("Action:").select_option(action)
    page.get_by_role("button", name="Go").click()


def body(page: Page) -> Locator:
    return page.locator("body")


def test_a_wrong_password_is_rejected(page):
    sign_in(page, "dave@example.com", "a wrong one")

    expect(body(page)).to_contain_text("The email or password is incorrect, or this is not a staff account.")


def test_the_index_page_shows_the_dashboard(admin):
    panels = admin.locator(".figures-panel")

    expect(panels.nth(0)).to_contain_text("open 120 completed 60 overdue 60 Created", use_inner_text=True)
    expect(panels.nth(1)).to_contain_text("total 3 new in 7 days 3", use_inner_text=True)
    expect(panels.filter(has_text="Objects")).to_contain_text("tasks 180", use_inner_text=True)
    expect(panels.last).to_contain_text("Database as of", use_inner_text=True)


def test_the_table_of_a_chart_opens(admin):
    table = admin.get_by_role("table", name="Created and completed per day")
    expect(table).to_be_hidden()
    admin.get_by_text("Show as table").first.click()

    expect(table).to_be_visible()


def test_a_user_is_found_and_renamed_and_the_history_has_an_entry(admin):
    admin.get_by_role("link", name="Users").click()
    search(admin, "carol@")
    expect(body(admin)).not_to_contain_text("dave@example.com")
    admin.get_by_role("link", name="carol@example.com").click()
    admin.get_by_label("Name:").fill("Caroline")
    admin.get_by_role("button", name="Save", exact=True).click()
    expect(body(admin)).to_contain_text("was changed successfully")
    expect(body(admin)).to_contain_text("Caroline")
    admin.get_by_role("link", name="carol@example.com").first.click()
    admin.get_by_role("link", name="History").click()

    expect(admin.get_by_role("row", name=EMAIL)).to_contain_text("Changed Name.")


def test_a_task_is_found_edited_and_completed_and_the_history_has_entries(admin):
    admin.goto("/admin/tasks/task/")
    search(admin, "Errand 007")
    expect(body(admin)).not_to_contain_text("Errand 008")
    admin.get_by_role("link", name="Errand 007").click()
    admin.get_by_label("Title:").fill("Errand 007, in town")
    admin.get_by_role("button", name="Save", exact=True).click()
    expect(body(admin)).to_contain_text("was changed successfully")

    admin.goto("/admin/tasks/task/?q=in+town")
    run_action(admin, "Errand 007, in town", "Complete")
    admin.get_by_role("button", name="Complete 1 task").click()
    expect(body(admin)).to_contain_text("1 task completed.")
    admin.goto("/admin/tasks/task/?q=in+town")
    admin.get_by_role("link", name="Errand 007, in town").click()
    admin.get_by_role("link", name="History").click()

    expect(body(admin)).to_contain_text("Changed Title.")
    expect(body(admin)).to_contain_text("Completed.")


def test_a_task_gets_a_parent_a_project_and_a_label(admin):
    admin.goto("/admin/tasks/task/?q=Errand+100")
    admin.get_by_role("link", name="Errand 100").click()
    admin.get_by_label("Project:").select_option("Home")
    admin.get_by_role("checkbox", name="in town").check()
    admin.locator(".field-parent .select2-selection").click()
    admin.locator(".select2-search__field").fill("errand 101")
    admin.get_by_role("option", name="Errand 101").click()
    admin.get_by_role("button", name="Save and continue editing").click()
    # The parent is in no project.
    expect(admin.locator(".field-project")).to_contain_text("A subtask is in the project of its parent.")
    admin.get_by_label("Project:").select_option("---------")
    admin.get_by_role("button", name="Save", exact=True).click()
    admin.goto("/admin/tasks/task/?q=Errand+100")

    expect(admin.get_by_role("row", name="Errand 100")).to_contain_text("in town")


def test_signing_out_ends_the_session(admin):
    admin.get_by_role("button", name="Sign out").click()
    expect(admin.get_by_role("button", name="Sign in")).to_be_visible()
    admin.goto("/admin/")

    expect(admin).to_have_url(re.compile("/admin/login/[?]next=/admin/$"))


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_each_page_fits_the_width_of_the_screen(admin, pictures, width, scheme):
    admin.set_viewport_size({"width": width, "height": 900})
    admin.emulate_media(color_scheme=scheme)

    def check(name):
        admin.screenshot(path=pictures / f"{name}-{width}-{scheme}.png", full_page=True)
        assert admin.evaluate("document.documentElement.scrollWidth") <= width, name
        if admin.locator("#result_list").count():
            table = admin.locator("#changelist-form .results")
            assert table.evaluate("table => table.scrollWidth <= table.clientWidth"), name
            are_filters_below = top_of("#changelist-filter") > top_of("#result_list")
            assert are_filters_below == (width < 768), name

    def top_of(selector):
        return admin.locator(selector).evaluate("element => element.getBoundingClientRect().top")

    for name, path in {
        "index": "/admin/",
        "users": "/admin/accounts/user/",
        "tasks": "/admin/tasks/task/",
        "search": "/admin/tasks/task/?q=Errand+008",
        "projects": "/admin/tasks/project/",
        "labels": "/admin/tasks/label/",
        "sessions": "/admin/accounts/session/",
        "roles": "/admin/auth/group/",
        "second-factor": "/admin/second_factor/",
    }.items():
        admin.goto(path)
        check(name)
    admin.goto("/admin/tasks/task/?q=Errand+008")
    admin.get_by_role("link", name="Errand 008").click()
    expect(admin.get_by_label("Title:")).to_be_visible()
    check("task")
    admin.goto("/admin/tasks/task/?q=Errand+008")
    run_action(admin, "Errand 008", "Move to the trash")
    expect(admin.get_by_role("button", name="Move 1 task to the trash")).to_be_visible()
    check("confirmation")
    admin.goto("/admin/tasks/task/?q=Errand+008")
    run_action(admin, "Errand 008", "Move to a project")
    expect(admin.get_by_label("Project:")).to_be_visible()
    check("move")
    admin.goto("/admin/accounts/user/")
    admin.get_by_role("link", name="carol@example.com").click()
    expect(admin.get_by_label("Email:")).to_be_visible()
    check("user")
