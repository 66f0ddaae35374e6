"""Create projects and labels over HTTP, and check what holds for all objects of a user."""

import json
from typing import Any

from tasks.ledger.counts import count_rows
from tasks.ledger.models import Clock
from tasks.models import TaskLabel
from tasks.positions import is_position

from .caller import Caller, download_export
from .follower import Follower

MAX_LEVELS = 5


def send(caller: Caller, method: str, path: str, body: Any = None) -> dict[str, Any]:
    response = caller(method, path, body)
    assert response.status_code in {200, 201}, response.content
    content: dict[str, Any] = response.json()
    return content


def bulk(caller: Caller, *operations: dict[str, Any]) -> list[dict[str, Any]]:
    results: list[dict[str, Any]] = send(caller, "post", "/bulk", {"operations": operations})["results"]
    return results


def create_project(caller: Caller, name: str = "Garden", **fields: Any) -> dict[str, Any]:
    return send(caller, "post", "/projects", {"name": name, **fields})


def create_label(caller: Caller, name: str = "errand", **fields: Any) -> dict[str, Any]:
    return send(caller, "post", "/labels", {"name": name, **fields})


def nested_projects(caller: Caller, *names: str) -> list[dict[str, Any]]:
    """Projects, each in the one before."""
    projects: list[dict[str, Any]] = []
    for name in names:
        projects.append(create_project(caller, name, parent=projects[-1]["id"] if projects else None))
    return projects


def titles(caller: Caller, query: str = "") -> list[str]:
    """The titles of tasks, or the names of projects or labels, in the order of their positions."""
    path, _, query = query.rpartition("?")
    page = send(caller, "get", f"{path or '/tasks'}?limit=200&ordering=position&{query}")
    return [each.get("title", each.get("name")) for each in page["results"]]


def read(caller: Caller, each: dict[str, Any], path: str = "/tasks") -> dict[str, Any]:
    """An object as it is now, wherever it is."""
    kind = path.strip("/").removesuffix("s")
    response = caller("get", f"{path}/{each['id']}")
    if response.status_code == 404:
        response = caller("get", f"/trash/{each['id']}?kind={kind}")
    assert response.status_code == 200, response.content
    content: dict[str, Any] = response.json()
    return content


def all_entries(caller: Caller) -> dict[str, dict[str, Any]]:
    """All objects of a user by id, live and trashed, as the feed has them."""
    exported = json.loads(download_export(caller)[1])
    return {
        each["id"]: {"kind": kind, **each}
        for kind in ("project", "label", "task")
        for each in exported[f"{kind}s"]
    }


def assert_consistent(caller: Caller, owner: Any) -> dict[str, dict[str, Any]]:
    """The counts, feed, references, levels, trash, positions and labels are right. Returns all objects."""
    entries = all_entries(caller)
    assert count_rows(owner) == Clock.objects.get(owner=owner).counts
    follower = Follower(caller, limit=200)
    while follower.step():
        pass
    assert follower.copy == entries
    for each in entries.values():
        containers = [entries[each[name]] for name in ("parent", "project") if each.get(name)]
        assert each["deleted_at"] or not any(one["deleted_at"] for one in containers)
        levels, above = 1, each
        while above := entries.get(above.get("parent") or "", {}):
            levels += 1
            assert levels <= MAX_LEVELS
            assert above["kind"] == each["kind"]
            assert above.get("project") == each.get("project")
        assert each.get("labels", []) == sorted({*each.get("labels", [])} & entries.keys())
    places = [
        (each["kind"], each.get("parent"), each.get("project"), each["position"]) for each in entries.values()
    ]
    assert len(places) == len(set(places))
    assert all(is_position(each["position"]) for each in entries.values())
    links = {(str(link.task_id), str(link.label_id)) for link in TaskLabel.objects.for_user(owner)}
    assert links == {(key, label) for key, each in entries.items() for label in each.get("labels", [])}
    return entries
