"""The number of queries of each route, without BEGIN and COMMIT."""

import json
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.support.calls import python_calls
from tests.support.repeating import post, repeating
from tests.support.tasks import create_task, trashed

# A read loads the user and the rows. A write loads the user, locks the clock, loads the rows that it names,
# and writes the clock and the row: on PostgreSQL in one statement for one row. A write that depends on other
# rows, such as references, neighbours, subtasks or what is in a project, loads them in one query more.
SINGLE_STATEMENTS: list[tuple[str, str, Any, int]] = [
    ("post", "/tasks", {"title": "bread", "due_date": "2999-01-31"}, 3),
    ("post", "/projects", {"name": "Home"}, 3),
    ("patch", "/tasks/{live}", {"title": "bread"}, 4),
    ("patch", "/projects/{project}", {"name": "Home"}, 4),
    ("patch", "/labels/{label}", {"color": None}, 4),
]
"""On PostgreSQL, where these take no transaction, they load the user and write."""

BUDGETS: list[tuple[str, str, Any, int]] = [
    ("get", "/tasks", None, 2),
    ("get", "/tasks?q=milk&ordering=-due&completed=false", None, 2),
    ("get", "/tasks?project={project}&ordering=position", None, 2),
    ("get", "/tasks?label={label}&label=none&archived=true", None, 2),
    ("get", "/tasks?root={live}", None, 2),
    ("get", "/tasks/{live}", None, 2),
    ("get", "/tasks/stats", None, 2),
    ("get", "/projects", None, 2),
    ("get", "/labels", None, 2),
    ("get", "/trash", None, 2),
    ("get", "/trash/{gone}", None, 2),
    ("get", "/sync", None, 2),
    ("get", "/sync?since={since}", None, 1),
    ("post", "/tasks", {"title": "bread", "key": "bread"}, 5),
    ("post", "/tasks", {"title": "bread", "project": "{project}"}, 4),
    ("post", "/tasks", {"title": "bread", "parent": "{live}", "after": "{subtask}"}, 4),
    ("patch", "/tasks/{live}", {"due_date": "2999-01-31"}, 4),
    ("patch", "/tasks/{live}", {}, 3),
    ("patch", "/tasks/{live}", {"project": "{project}"}, 7),
    ("patch", "/tasks/{single}", {"project": "{project}"}, 5),
    ("patch", "/tasks/{single}", {"parent": "{live}"}, 5),
    ("put", "/tasks/{single}", {"title": "bread"}, 5),
    ("post", "/tasks/{single}/move", {"before": "{live}"}, 5),
    ("post", "/tasks/{single}/move", {"before": None}, 4),
    ("post", "/tasks/{single}/complete", None, 5),
    ("post", "/tasks/{live}/complete", None, 7),
    ("post", "/tasks/{done}/reopen", None, 5),
    ("delete", "/tasks/{single}", None, 5),
    ("delete", "/tasks/{live}", None, 7),
    ("post", "/trash/{gone}/restore", None, 5),
    # These two also look for stored responses that contain the objects, and for labels of the tasks.
    ("delete", "/trash/{gone}", None, 8),
    ("delete", "/trash", None, 7),
    ("post", "/projects", {"name": "Home", "parent": "{project}"}, 4),
    ("post", "/projects/{project}/archive", None, 5),
    ("delete", "/projects/{project}", None, 7),
    ("post", "/labels", {"name": "shop"}, 4),
    ("post", "/bulk", {"operations": [{"op": "create", "data": {"title": "bread"}}] * 20}, 4),
    (
        "post",
        "/bulk",
        {"operations": [{"op": "move", "id": "{single}", "data": {"before": "{live}"}}] * 20},
        6,
    ),
]
# Completing a repeating task also looks for the next occurrence, writes both rows, and deletes a tombstone.
REPEAT_BUDGETS: list[tuple[str, str, Any, int]] = [
    ("get", "/tasks/{repeating}/occurrences", None, 2),
    ("post", "/tasks/{repeating}/complete", None, 9),
    ("patch", "/tasks/{repeating}", {"completed": True}, 9),
    ("post", "/tasks/{repeating}/skip", {"due_date": "2999-01-31"}, 4),
    ("post", "/tasks/{continued}/reopen", None, 7),
]
# With labels, there is one statement more, which writes the links.
LABEL_BUDGETS: list[tuple[str, str, Any, int]] = [
    ("post", "/tasks", {"title": "bread", "project": "{project}", "labels": ["{label}"]}, 5),
    ("patch", "/tasks/{live}", {"add_labels": ["{label}"]}, 6),
    ("patch", "/tasks/{labelled}", {"remove_labels": ["{label}"]}, 5),
    ("delete", "/labels/{label}", None, 11),
]


@pytest.mark.parametrize(
    ("method", "path", "body", "budget"), [*SINGLE_STATEMENTS, *BUDGETS, *REPEAT_BUDGETS, *LABEL_BUDGETS]
)
def test_a_route_makes_this_number_of_queries(as_alice, method, path, body, budget):
    is_single = (method, path, body, budget) in SINGLE_STATEMENTS and connection.vendor == "postgresql"
    project = as_alice("post", "/projects", {"name": "Garden"}).json()["id"]
    label = as_alice("post", "/labels", {"name": "errand"}).json()["id"]
    live, single, gone = create_task(as_alice)["id"], create_task(as_alice)["id"], trashed(as_alice)["id"]
    names = {
        "project": project,
        "label": label,
        "live": live,
        "single": single,
        "gone": gone,
        "done": create_task(as_alice, completed=True)["id"],
        "subtask": create_task(as_alice, parent=live)["id"],
        "labelled": create_task(as_alice, project=project, labels=[label])["id"],
        "repeating": repeating(as_alice)["id"],
        "continued": post(as_alice, repeating(as_alice), "complete")["id"],
    }
    trashed(as_alice)
    create_task(as_alice, parent=live), create_task(as_alice, project=project)
    names["since"] = as_alice("get", "/sync").json()["since"]
    path, text = path.format(**names), json.dumps(body)
    for name, object_id in names.items():
        text = text.replace(f"{{{name}}}", object_id)
    body = json.loads(text)
    with CaptureQueriesContext(connection) as captured:
        response = as_alice(method, path, body)

    queries = [query["sql"] for query in captured if query["sql"] not in {"BEGIN", "COMMIT"}]
    # In the transaction of a test, savepoints take the place of BEGIN and COMMIT.
    savepoints = [sql for sql in queries if "SAVEPOINT" in sql]
    assert response.status_code in {200, 201}
    # SQLite cannot write the clock and the row in one statement.
    separate = connection.vendor == "sqlite" and any("UPDATE" in sql and "clock" in sql for sql in queries)
    assert len(queries) - len(savepoints) <= (2 if is_single else budget + separate), queries
    assert len(savepoints) in ({0} if is_single else {0, 2})


@pytest.mark.parametrize("path", ["/tasks?q=milk", "/tasks/stats"])
def test_searches_and_stats_make_hardly_more_calls_than_a_page(as_alice, path):
    """Compiling their SQL each time would make them two and four times as many."""
    create_task(as_alice, title="milk")

    assert python_calls(as_alice, "get", path) < 1.4 * python_calls(as_alice, "get", "/tasks")
