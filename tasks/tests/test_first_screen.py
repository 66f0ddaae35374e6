"""The requests of a front-end's first screen: projects, labels, and the number of tasks in each project."""

import pytest

from tests.support.tasks import create_task

PATHS = ["/projects?limit=200", "/labels?limit=200", "/tasks/stats?by=project"]


@pytest.fixture
def garden(as_alice):
    garden = as_alice("post", "/projects", {"name": "Garden"}).json()["id"]
    create_task(as_alice, "dig", project=garden, add_labels=[{"name": "weekend"}])
    create_task(as_alice, "milk")
    return garden


def test_three_requests_show_projects_and_labels_with_numbers_of_tasks(as_alice, garden):
    projects, labels, stats = (as_alice("get", path).json() for path in PATHS)

    assert [project["name"] for project in projects["results"]] == ["Garden"]
    assert [label["name"] for label in labels["results"]] == ["weekend"]
    assert stats["by"] == [
        {"project": None, "open": 1, "completed": 0, "overdue": 0},
        {"project": garden, "open": 1, "completed": 0, "overdue": 0},
    ]


@pytest.mark.parametrize("path", PATHS)
def test_polling_costs_one_query_until_something_changes(as_alice, garden, path, django_assert_num_queries):
    etag = as_alice("get", path).headers["ETag"]
    # Authentication, which also loads the clock.
    with django_assert_num_queries(1):
        unchanged = as_alice("get", path, **{"If-None-Match": etag})
    assert (unchanged.status_code, unchanged.content) == (304, b"")

    as_alice("post", "/projects", {"name": "House"})
    assert as_alice("get", path, **{"If-None-Match": etag}).status_code == 200
