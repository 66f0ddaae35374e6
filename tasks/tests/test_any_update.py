"""Generated updates agree with a model: they change what was sent, and nothing else."""

import datetime as dt
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.generated import one_example, texts
from tests.support.tasks import create_task

pytestmark = pytest.mark.django_db

MIDNIGHT = dt.datetime(2000, 1, 1, tzinfo=dt.UTC)
offsets = st.integers(-14 * 60, 14 * 60).map(lambda minutes: dt.timezone(dt.timedelta(minutes=minutes)))
instants = st.datetimes(dt.datetime(2, 1, 1), dt.datetime(9998, 12, 31), timezones=offsets)  # noqa: DTZ001
changes = st.fixed_dictionaries(
    {},
    optional={
        "title": st.builds("{}x{}".format, texts, texts),
        "description": texts,
        "completed": st.booleans(),
        "priority": st.integers(0, 3),
        "due_at": st.none() | instants,
    },
)


def as_body(changes):
    due_at = {"due_at": changes["due_at"].isoformat()} if changes.get("due_at") else {}
    return {**changes, **due_at}


def apply(model, changes):
    """What the server stores."""
    stored = dict(changes)
    if "title" in changes:
        stored["title"] = unicodedata.normalize("NFC", changes["title"].strip())
    if "description" in changes:
        stored["description"] = unicodedata.normalize("NFC", changes["description"])
    return {**model, **stored}


def values_of(task):
    due_at = task["due_at"] and dt.datetime.fromisoformat(task["due_at"])
    return {
        **{name: task[name] for name in ("title", "description", "completed", "priority")},
        "due_at": due_at,
    }


@given(changes, st.lists(st.tuples(changes, st.booleans()), max_size=6))
def test_any_updates_leave_the_task_as_in_the_model(as_alice, first, updates):
    with one_example():
        task = create_task(as_alice, **{"title": "milk", **as_body(first)})
        model = apply(
            {"title": "milk", "description": "", "completed": False, "priority": 0, "due_at": None}, first
        )
        assert values_of(task) == model

        for changed, in_bulk in updates:
            before = task
            if in_bulk:
                operation = {"op": "update", "id": task["id"], "data": as_body(changed)}
                response = as_alice("post", "/bulk", {"operations": [operation]})
                task = response.json()["results"][0]
                assert task.pop("kind") == "task"
            else:
                task = as_alice("patch", f"/tasks/{task['id']}", as_body(changed)).json()
            model = apply(model, changed)

            assert values_of(task) == model
            assert task == as_alice("get", f"/tasks/{task['id']}").json()
            assert (task["completed_at"] is not None) == model["completed"]
            if before["completed"] and model["completed"]:
                assert task["completed_at"] == before["completed_at"]
            is_repeated = changed == {"completed": before["completed"]}
            assert task["version"] == before["version"] + (bool(changed) and not is_repeated)
            unchanged = ("id", "user_id", "created_at", "deleted_at")
            assert [task[name] for name in unchanged] == [before[name] for name in unchanged]
