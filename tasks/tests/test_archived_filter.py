"""How lists of tasks leave out those in archived projects."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.support.tasks import create_task


def queries(caller, path="/tasks"):
    with CaptureQueriesContext(connection) as captured:
        assert caller("get", path).status_code == 200
    return [each["sql"] for each in captured]


@pytest.fixture
def project(as_alice):
    project = as_alice("post", "/projects", {"name": "Garden"}).json()["id"]
    create_task(as_alice, "in it", project=project)
    create_task(as_alice, "in the inbox")
    return project


def test_a_list_reads_no_projects_if_none_is_archived(as_alice, project):
    assert not any("tasks_project" in sql for sql in queries(as_alice))


def test_a_list_reads_only_the_owners_archived_projects(as_alice, project, alice):
    as_alice("post", f"/projects/{project}/archive")
    *_, page = queries(as_alice)
    assert "tasks_project" in page
    assert "EXISTS" not in page  # PostgreSQL would read the archived projects of all owners for it.
    assert [task["title"] for task in as_alice("get", "/tasks").json()["results"]] == ["in the inbox"]

    as_alice("post", f"/projects/{project}/unarchive")
    assert len(as_alice("get", "/tasks").json()["results"]) == 2
    assert not any("tasks_project" in sql for sql in queries(as_alice))


def test_a_personal_access_token_sees_no_tasks_of_archived_projects(as_alice, project, alice):
    as_alice("post", f"/projects/{project}/archive")
    body = {"name": "script", "scopes": ["tasks:read"]}
    token = as_alice("post", "/me/tokens", body).json()["token"]
    response = type(as_alice)(token)("get", "/tasks")

    assert [task["title"] for task in response.json()["results"]] == ["in the inbox"]
