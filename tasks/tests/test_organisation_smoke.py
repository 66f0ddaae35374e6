import pytest

from tests.support.assertions import assert_error
from tests.support.tasks import create_task, server_entries
from tests.support.follower import *  # noqa


def post(c, path, body=None, status=None):
    r = c("post", path, body)
    assert status is None or r.status_code == status, (path, body, r.content)
    assert r.status_code < 300 or status, (path, body, r.content)
    return r.json()


def titles(c, query):
    r = c("get", f"/tasks?{query}")
    assert r.status_code == 200, r.content
    return [t["title"] for t in r.json()["results"]]


def test_smoke(as_alice, as_bob):
    c = as_alice
    garden = post(c, "/projects", {"name": "Garden", "color": "#2E8B57"})
    assert garden["color"] == "#2e8b57"
    home = post(c, "/projects", {"name": "Home", "parent": garden["id"]})
    t = post(c, "/tasks", {"title": "a", "project": home["id"], "add_labels": [{"name": "Errand"}]})
    assert t["project"] == home["id"] and len(t["labels"]) == 1
    t2 = post(c, "/tasks", {"title": "b", "parent": t["id"], "add_labels": [{"name": "errand"}]})
    assert t2["labels"] == t["labels"] and t2["project"] == home["id"]
    t3 = post(c, "/tasks", {"title": "c", "project": home["id"], "after": t["id"]})
    t4 = post(c, "/tasks", {"title": "d", "project": home["id"], "after": t["id"]})
    t5 = post(c, "/tasks", {"title": "e", "project": home["id"], "before": t["id"]})
    assert titles(c, f"project={home['id']}&parent=none&ordering=position") == ["e", "a", "d", "c"]
    post(c, f"/tasks/{t['id']}/move", {"before": None})
    assert titles(c, f"project={home['id']}&parent=none&ordering=position") == ["e", "d", "c", "a"]
    post(c, f"/tasks/{t3['id']}/move", {"after": [t["id"], None]})
    assert titles(c, f"project={home['id']}&parent=none&ordering=position") == ["e", "d", "a", "c"]
    v = post(c, f"/tasks/{t3['id']}/move", {"after": t["id"]})["version"]
    assert v == post(c, f"/tasks/{t3['id']}/move", {"after": t["id"]})["version"]
    assert titles(c, f"label={t['labels'][0]}&ordering=title") == ["a", "b"]
    assert titles(c, "label=none&ordering=title") == ["c", "d", "e"]
    assert titles(c, f"root={t['id']}&ordering=title") == ["a", "b"]
    done = post(c, f"/tasks/{t['id']}/complete")
    assert c("get", f"/tasks/{t2['id']}").json()["completed_at"] == done["completed_at"]
    post(c, f"/tasks/{t2['id']}/reopen")
    assert not c("get", f"/tasks/{t['id']}").json()["completed"]
    moved = post(c, f"/tasks/{t['id']}/move", {"project": None})
    assert c("get", f"/tasks/{t2['id']}").json()["project"] is None and moved["project"] is None
    assert_error(c("post", f"/tasks/{t['id']}/move", {"parent": t2["id"]}), 400, "VALIDATION_ERROR", field="parent")
    gone = c("delete", f"/projects/{garden['id']}").json()
    assert gone["deleted_at"]
    assert c("get", f"/projects/{home['id']}").status_code == 404
    assert {x["deleted_at"] for x in c("get", "/trash?kind=task").json()["results"]} == {gone["deleted_at"]}
    post(c, f"/trash/{home['id']}/restore?kind=project")
    assert c("get", f"/projects/{home['id']}").json()["parent"] is None
    assert len(titles(c, f"project={home['id']}")) == 3
    post(c, f"/trash/{garden['id']}/restore?kind=project")
    post(c, f"/projects/{home['id']}/archive")
    assert titles(c, "ordering=title") == ["a", "b"]
    assert len(titles(c, f"project={home['id']}")) == 3
    assert len(titles(c, "archived=true")) == 5
    assert_error(c("post", "/tasks", {"title": "x", "project": home["id"]}), 400, "VALIDATION_ERROR", field="project")
    post(c, f"/projects/{home['id']}/unarchive")
    label = t["labels"][0]
    c("delete", f"/labels/{label}")
    assert c("get", f"/tasks/{t['id']}").json()["labels"] == []
    c("delete", f"/projects/{home['id']}")
    assert c("delete", f"/trash/{home['id']}?kind=project").json()["purged"]
    assert c("get", "/trash").json()["results"] == []
    r = c("post", "/bulk", {"operations": [
        {"op": "create", "kind": "project", "data": {"name": "P", "key": "p"}},
        {"op": "create", "data": {"title": "1", "key": "1"}},
    ]}).json()["results"]
    p, one = r
    r = post(c, "/bulk", {"operations": [
        {"op": "create", "kind": "label", "data": {"name": "x", "key": "x"}},
        {"op": "move", "id": one["id"], "data": {"project": p["id"]}},
        {"op": "create", "data": {"title": "2", "project": p["id"], "before": one["id"], "add_labels": [{"name": "X"}, {"name": "y"}]}},
        {"op": "delete", "kind": "project", "id": p["id"]},
    ]})["results"]
    assert r[2]["deleted_at"] == r[3]["deleted_at"] == r[1]["deleted_at"]
    assert len(r[2]["labels"]) == 2
    assert c("delete", "/trash?kind=project&dry_run=true").json() == {"purged": 3}
    assert c("delete", "/trash?kind=project").json() == {"purged": 3}
    entries = server_entries(lambda path: c("get", path).json())
    feed = c("get", "/sync?limit=500").json()["changes"]
    assert {e["id"]: e for e in feed if not e.get("purged")} == entries
    from tasks.ledger.counts import count_rows
    from tasks.ledger.models import Clock
    clock = Clock.objects.get()
    class O: pk = clock.pk
    assert count_rows(O) == clock.counts, (count_rows(O), clock.counts)
