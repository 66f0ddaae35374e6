"""Random changes of projects, tasks and labels keep what holds for them, and followers see the same."""

import random

import pytest

from tests.support.follower import Follower
from tests.support.organisation import all_entries, assert_consistent
from tests.support.tasks import create_task

CREATE, UPDATE = "create", "update"
VERBS = {
    "task": [CREATE, CREATE, UPDATE, "move", "move", "complete", "reopen", "delete", "restore"],
    "project": [CREATE, UPDATE, "move", "archive", "unarchive", "delete", "restore"],
    "label": [CREATE, UPDATE, "delete"],
}


class Walk:
    def __init__(self, caller, seed):
        self.caller, self.chance = caller, random.Random(seed)
        self.number = 0

    def any_id(self, kind):
        ids = [key for key, each in self.entries.items() if each["kind"] == kind]
        return self.chance.choice([*ids, None]) if ids else None

    def data(self, kind, verb):
        """Some of the fields; often with values that are refused."""
        self.number += 1
        fields = {"parent": self.any_id(kind), self.chance.choice(["after", "before"]): self.any_id(kind)}
        if kind == "label":
            del fields["parent"]
        elif kind == "task":
            fields["project"] = self.any_id("project")
        if verb == "complete":
            return {"subtasks": self.chance.choice(["complete", "leave", "refuse"])}
        if verb != "move":
            fields["title" if kind == "task" else "name"] = f"{kind} {self.number % 20}"
            label = self.any_id("label") or {"name": f"label {self.number % 20}"}
            if kind == "task":
                fields["add_labels"] = [label]
                fields["remove_labels"] = [each for each in [self.any_id("label")] if each]
                fields["completed"] = self.chance.random() < 0.3
        needed = {"title", "name"} if verb == CREATE else set()
        chosen = {name for name in fields if self.chance.random() < 0.4} | (needed & fields.keys())
        return {name: fields[name] for name in sorted(chosen)} or {"before": None}

    def operation(self):
        kind = self.chance.choice(["task", "task", "task", "project", "project", "label"])
        verb = self.chance.choice(VERBS[kind])
        operation = {"op": verb, "kind": kind}
        if verb in {CREATE, UPDATE, "move", "complete"}:
            operation["data"] = self.data(kind, verb)
        if verb != CREATE:
            operation["id"] = self.any_id(kind)
        return operation

    def step(self):
        self.entries = all_entries(self.caller)
        if self.chance.random() < 0.08:
            response = self.caller("delete", self.chance.choice(["/trash", "/trash?kind=project"]))
        else:
            operations = [self.operation() for _ in range(self.chance.randrange(1, 5))]
            operations = [each for each in operations if each.get("id", "new")]
            response = self.caller("post", "/bulk", {"operations": operations or [{"op": CREATE}]})
        assert response.status_code in {200, 400, 404, 409}, response.content
        return response.status_code


@pytest.mark.parametrize("seed", range(3))
def test_random_changes_keep_everything_consistent(as_alice, alice, seed):
    create_task(as_alice)
    walk, follower = Walk(as_alice, seed), Follower(as_alice, limit=3)
    statuses = []
    for _ in range(40):
        statuses.append(walk.step())
        while follower.step():
            pass
        assert follower.copy == assert_consistent(as_alice, alice)

    assert statuses.count(200) > 10
