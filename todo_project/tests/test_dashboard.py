"""The figures on the admin's first page: who sees which, how long they are kept, and what may fail."""

import pytest
from django.conf import settings as project
from django.core.cache import cache
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.support.dashboard_page import first_page, panels, signed_in, staff
from tests.support.notes import Note
from todo_project.admin import dashboard
from todo_project.admin.dashboard import Chart, Series, Tile, counted, panel
from todo_project.db.counting import Sample

SEEN_WITH = {
    "Tasks": "tasks.view_task",
    "Users": "accounts.view_user",
    "Failed sign-ins": "accounts.view_failedlogin",
}


@pytest.fixture
def operator(db, django_user_model):
    cache.clear()
    return signed_in(django_user_model.objects.create_superuser("operator@example.com"))


def test_a_superuser_sees_every_panel(operator):
    shown = list(panels(first_page(operator)))

    assert shown[:3] == ["Tasks", "Users", "Failed sign-ins"]


@pytest.mark.parametrize("title", SEEN_WITH)
def test_a_panel_takes_its_permission(db, title):
    assert list(panels(first_page(staff(SEEN_WITH[title])))) == [title]


def test_what_somebody_may_not_see_is_not_computed(db):
    looking = staff("accounts.view_session")
    with CaptureQueriesContext(connection) as queries:
        page = first_page(looking)

    assert panels(page) == {}
    assert "figures" not in page.replace("dashboard.css", "")
    asked = " ".join(query["sql"] for query in queries)
    assert "tasks_task" not in asked
    assert "failedlogin" not in asked


def test_nobody_else_gets_there(client, alice):
    client.force_login(alice)

    assert client.get("/admin/").status_code == 302


@pytest.mark.postgres
def test_the_size_of_the_database_is_told(operator):
    size = panels(first_page(operator))["Database"]["on disk"]

    assert size.endswith(("MB", "GB"))


def test_the_size_of_a_file_is_told(operator, tmp_path, monkeypatch):
    if connection.vendor != "sqlite":
        pytest.skip("PostgreSQL tells its size itself.")
    (tmp_path / "db.sqlite3").write_bytes(b"x" * 2_048)
    monkeypatch.setitem(connection.settings_dict, "NAME", str(tmp_path / "db.sqlite3"))

    assert panels(first_page(operator))["Database"] == {"on disk": "2.0 KB"}


def test_a_database_without_a_size_has_no_panel(operator, monkeypatch):
    if connection.vendor != "sqlite":
        pytest.skip("PostgreSQL tells its size.")
    monkeypatch.setitem(connection.settings_dict, "NAME", ":memory:")

    assert "Database" not in panels(first_page(operator))


# ----------------------------------------------------------------------------------- kept for a minute


@pytest.fixture
def notes(settings):
    """The tests' own panel, of the notes, for whoever may see tasks."""
    settings.DASHBOARD = ["todo_project.tests.test_dashboard.count_notes"]


@panel("Notes", permission="tasks.view_task")
def count_notes(at):
    return [Tile("in all", str(Note.objects.count()))]


def told(client):
    return panels(first_page(client))["Notes"]["in all"]


def test_figures_are_kept_and_tell_their_time(notes, alice, monkeypatch):
    looking = staff("tasks.view_task")
    assert told(looking) == "0"
    Note.objects.create(owner=alice, title="milk")
    with CaptureQueriesContext(connection) as queries:
        page = first_page(looking)

    assert panels(page) == {"Notes": {"in all": "0"}}
    assert Note._meta.db_table not in " ".join(query["sql"] for query in queries)
    assert f"as of {cache.get('dashboard:' + project.DASHBOARD[0]).at:%H:%M} UTC" in page


def test_figures_are_computed_anew_after_a_while(notes, alice, monkeypatch):
    monkeypatch.setattr(dashboard, "KEPT_FOR", 0)
    looking = staff("tasks.view_task")
    assert told(looking) == "0"
    Note.objects.create(owner=alice, title="milk")

    assert told(looking) == "1"


def test_without_the_shared_cache_figures_are_computed_each_time(notes, alice, settings):
    looking = staff("tasks.view_task")
    settings.CACHES = {
        "default": {
            "BACKEND": "django.core.cache.backends.redis.RedisCache",
            "LOCATION": "redis://127.0.0.1:1/0",
        }
    }
    assert told(looking) == "0"
    Note.objects.create(owner=alice, title="milk")

    assert told(looking) == "1"


# --------------------------------------------------------------------------------------- no slow page


@panel("Endless", permission="tasks.view_task")
def count_for_ever(at):
    with connection.cursor() as cursor:
        cursor.execute("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT 1 FROM n) SELECT COUNT(*) FROM n")
    return [Tile("in all", "never told")]


def test_a_panel_that_takes_too_long_is_missing_and_the_others_are_there(db, settings, monkeypatch):
    monkeypatch.setattr(dashboard, "PATIENCE", 0.2)
    settings.DASHBOARD = [
        f"todo_project.tests.test_dashboard.{name}" for name in ("count_for_ever", "count_notes")
    ]
    page = first_page(staff("tasks.view_task"))

    assert panels(page) == {"Endless": {}, "Notes": {"in all": "0"}}
    assert page.count("Not available right now.") == 1


def test_a_panel_that_was_missing_is_not_tried_again_at_once(db, settings, monkeypatch):
    monkeypatch.setattr(dashboard, "PATIENCE", 0.2)
    settings.DASHBOARD = ["todo_project.tests.test_dashboard.count_for_ever"]
    looking = staff("tasks.view_task")
    first_page(looking)
    with CaptureQueriesContext(connection) as queries:
        page = first_page(looking)

    assert "Not available right now." in page
    assert "RECURSIVE" not in " ".join(query["sql"] for query in queries)


# ----------------------------------------------------------------------------------------- the drawing


def chart(*counts, most=1_000_000):
    labels = [str(place) for place in range(len(counts))]
    return Chart("Things", labels, [Series("made", list(counts))], most=most, empty="None.")


@pytest.mark.parametrize(
    ("counts", "scale"),
    [
        ((0, 1), ["1", "", "0"]),
        ((2,), ["2", "1", "0"]),
        ((7, 5), ["8", "4", "0"]),
        ((9,), ["10", "5", "0"]),
        ((2_643,), ["3,000", "1,500", "0"]),
        ((1_000_000,), ["1,000,000", "500,000", "0"]),
    ],
)
def test_the_scale_ends_in_a_round_number(counts, scale):
    assert chart(*counts).scale == scale


def test_one_among_many_can_be_seen():
    heights = [[bar.height for bar in group.bars] for group in chart(1_000, 1, 0).groups]

    assert heights == [[100], [1.5], []]


def test_without_statistics_an_estimate_goes_by_the_share_of_the_pages(db):
    sample = Sample(Note.objects.none())
    sample.is_all, sample.pages, sample.rows_per_page = False, 5_000, None

    assert sample.of_all({"open": 10}, among=40) == {"open": 50}


@pytest.mark.parametrize(
    ("count", "said"), [(0, "0"), (47, "47"), (1_349, "1,300"), (635_870, "640,000"), (999_999, "1,000,000")]
)
def test_an_estimate_is_told_to_two_digits(db, count, said):
    sample = Sample(Note.objects.none())
    sample.is_all = False

    assert counted("open", count, sample) == Tile("open", said, is_estimate=True)
