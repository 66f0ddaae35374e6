"""The admin's dashboard: permissions, caching, timeouts and charts."""

import pytest
from django.core.cache import cache
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.support.dashboard_page import index_page, panels, staff_with
from tests.support.notes import Note
from todo_project.admin import dashboard
from todo_project.admin.charts import Chart, Series
from todo_project.admin.dashboard import Tile, estimated_tile, panel
from todo_project.config.registry import Registry
from todo_project.db.counting import Sample

PERMISSIONS = {
    "Tasks": "tasks.view_task",
    "Users": "accounts.view_user",
    "Failed sign-ins": "accounts.view_failedlogin",
}


@pytest.fixture(autouse=True)
def empty_cache():
    cache.clear()


def test_a_superuser_sees_every_panel(superuser):
    shown = list(panels(index_page(superuser)))

    assert shown[:3] == ["Tasks", "Users", "Failed sign-ins"]


@pytest.mark.parametrize("title", PERMISSIONS)
def test_a_panel_requires_its_permission(db, title):
    assert list(panels(index_page(staff_with(PERMISSIONS[title])))) == [title]


def test_panels_without_permission_are_not_computed(db):
    staff = staff_with("accounts.view_session")
    with CaptureQueriesContext(connection) as queries:
        page = index_page(staff)

    assert panels(page) == {}
    assert "figures" not in page.replace("dashboard.css", "")
    statements = " ".join(query["sql"] for query in queries)
    assert "tasks_task" not in statements
    assert "failedlogin" not in statements


@pytest.mark.postgres
def test_the_size_of_a_postgresql_database_is_shown(superuser):
    size = panels(index_page(superuser))["Database"]["on disk"]

    assert size.endswith(("MB", "GB"))


@pytest.mark.parametrize(("is_file", "size"), [(True, {"on disk": "2.0 KB"}), (False, None)])
def test_the_size_of_sqlite_is_shown_if_it_is_a_file(superuser, tmp_path, monkeypatch, is_file, size):
    if connection.vendor != "sqlite":
        pytest.skip("PostgreSQL has a panel of its own size.")
    path = tmp_path / "db.sqlite3"
    path.write_bytes(b"x" * 2_048)
    monkeypatch.setitem(connection.settings_dict, "NAME", str(path) if is_file else ":memory:")

    assert panels(index_page(superuser)).get("Database") == size


# Caching


@pytest.fixture
def no_panels(monkeypatch):
    monkeypatch.setattr(dashboard, "panels", Registry("dashboard panels"))


@pytest.fixture
def notes_panel(no_panels):
    """A panel of the notes_panel, the only one."""
    panel("Notes", permission="tasks.view_task")(count_notes)


def count_notes(at):
    return [Tile("total", str(Note.objects.count()))]


def note_count(client):
    return panels(index_page(client))["Notes"]["total"]


def test_figures_are_cached_and_show_their_time(notes_panel, alice, monkeypatch):
    staff = staff_with("tasks.view_task")
    assert note_count(staff) == "0"
    Note.objects.create(owner=alice, title="milk")
    with CaptureQueriesContext(connection) as queries:
        page = index_page(staff)

    assert panels(page) == {"Notes": {"total": "0"}}
    assert Note._meta.db_table not in " ".join(query["sql"] for query in queries)
    assert f"as of {cache.get(f'dashboard:{__name__}.count_notes').at:%H:%M} UTC" in page


@pytest.mark.parametrize("is_reachable", [True, False])
def test_figures_of_an_expired_or_unreachable_cache_are_computed_again(
    notes_panel, alice, settings, monkeypatch, is_reachable
):
    staff = staff_with("tasks.view_task")
    if is_reachable:
        monkeypatch.setattr(dashboard, "CACHE_SECONDS", 0)
    else:
        redis = {
            "BACKEND": "django.core.cache.backends.redis.RedisCache",
            "LOCATION": "redis://127.0.0.1:1/0",
        }
        settings.CACHES = {"default": redis}
    assert note_count(staff) == "0"
    Note.objects.create(owner=alice, title="milk")

    assert note_count(staff) == "1"


# Timeouts


@pytest.fixture
def endless(no_panels, monkeypatch):
    panel("Endless", permission="tasks.view_task", order=1)(count_forever)
    monkeypatch.setattr(dashboard, "QUERY_TIMEOUT", 0.2)


def count_forever(at):
    with connection.cursor() as cursor:
        cursor.execute("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT 1 FROM n) SELECT COUNT(*) FROM n")
    return [Tile("total", "unreachable")]


def test_a_panel_that_times_out_does_not_hide_the_others(db, endless, notes_panel):
    page = index_page(staff_with("tasks.view_task"))

    assert panels(page) == {"Endless": {}, "Notes": {"total": "0"}}
    assert page.count("Not available right now.") == 1


def test_a_panel_that_timed_out_is_not_tried_again_immediately(db, endless):
    staff = staff_with("tasks.view_task")
    index_page(staff)
    with CaptureQueriesContext(connection) as queries:
        page = index_page(staff)

    assert "Not available right now." in page
    assert "RECURSIVE" not in " ".join(query["sql"] for query in queries)


# Registration


def test_a_panel_for_superusers_only_is_hidden_from_other_staff(no_panels, superuser):
    panel("Notes", permission=None)(count_notes)

    assert "Notes" in panels(index_page(superuser))
    assert panels(index_page(staff_with("tasks.view_task"))) == {}


def test_panels_are_sorted_by_order_and_not_by_registration(no_panels, superuser):
    panel("Second", permission=None, order=2)(count_notes)
    panel("First", permission=None, order=1)(lambda at: [Tile("total", "0")])

    assert list(panels(index_page(superuser))) == ["First", "Second"]


# Charts


def chart(*counts, limit=1_000_000):
    labels = [str(position) for position in range(len(counts))]
    return Chart("Notes", labels, [Series("made", list(counts))], limit=limit, empty="None.")


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
    assert chart(*counts).y_labels == scale


def test_a_bar_of_one_beside_thousands_is_visible():
    heights = [[bar["height"] for bar in group["bars"]] for group in chart(1_000, 1, 0).groups]

    assert heights == [[100], [1.5], []]


def test_without_statistics_an_estimate_uses_the_share_of_the_pages(db):
    sample = Sample(Note.objects.none())
    sample.is_all, sample.pages, sample.rows_per_page = False, 5_000, None

    assert sample.extrapolate({"open": 10}, among=40) == {"open": 50}


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0"), (47, "47"), (1_349, "1,300"), (635_870, "640,000"), (999_999, "1,000,000")]
)
def test_an_estimate_is_rounded_to_two_digits(db, count, text):
    sample = Sample(Note.objects.none())
    sample.is_all = False

    assert estimated_tile("open", count, sample) == Tile("open", text, is_estimate=True)
