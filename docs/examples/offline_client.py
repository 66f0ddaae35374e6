"""A small offline client: one person's tasks in a file, changed without a network, synced when there is one.

    python offline_client.py --token pat_… sync

Standard library only. docs/offline-clients.md says why each step is as it is.
"""
# ruff: noqa: S310, T201  (the person chooses the URL, and reads what is printed)

import argparse
import getpass
import http.client
import json
import os
import re
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

PAGE, BATCH = 500, 100
REMEMBERED_FOR = 23 * 3600
"""Seconds for which the server surely knows an Idempotency-Key again; it promises 24 hours."""

Task = dict[str, Any]
Change = dict[str, Any]

SHOWS: dict[str, Task] = {
    **{"update": {}, "complete": {"completed": True}, "reopen": {"completed": False}},
    **{"delete": {"deleted_at": "just now"}, "restore": {"deleted_at": None}},
}


class TryLater(Exception):
    """The server cannot be reached or is busy. Nothing is lost: call again `after` so many seconds."""

    def __init__(self, why: str, after: int = 5) -> None:
        super().__init__(why)
        self.after = after


class Refused(Exception):
    """The server understood, and did nothing."""

    def __init__(self, status: int, error: dict[str, Any]) -> None:
        self.status, self.details = status, error.get("details", {})
        self.why = f"{error.get('code', status)}: {error.get('message', 'refused')}"
        super().__init__(self.why)


class OfflineClient:
    """Use it from one thread, and one process, at a time."""

    def __init__(self, url: str, file: str | Path, token: str, new_token: Callable[[], str]) -> None:
        self.api, self.file = url.rstrip("/") + "/api/v1", Path(file)
        self.token, self.new_token = token, new_token
        self.state: dict[str, Any] = {"since": 0, "tasks": {}, "outbox": [], "conflicts": []}
        self.state |= {"batch": None, "batch_size": BATCH}
        if self.file.exists():
            self.state = json.loads(self.file.read_text(encoding="utf-8"))

    # What the person does; none of it needs a network.

    def tasks(self) -> dict[str, Task]:
        """By id, the trashed ones too: the copy, and on it at once what the outbox will do."""
        seen = {id_: dict(task) for id_, task in self.state["tasks"].items()}
        for change in self.state["outbox"]:
            id_ = change["id"]
            if change["op"] == "create":
                seen[id_] = {"id": id_, "completed": False, "deleted_at": None, **change["data"]}
            elif id_ in seen:
                seen[id_] |= {**SHOWS[change["op"]], **(change["data"] or {})}
        return seen

    def create(self, **data: Any) -> str:
        """Gives back the id that the task has here until the server gives it another."""
        id_ = f"local-{uuid.uuid4()}"
        self._record({"op": "create", "id": id_, "data": data, "if_match": None})
        return id_

    def change(self, op: str, id_: str, **data: Any) -> None:
        """`op` is update (with the new values as `data`), complete, reopen, delete or restore."""
        if op not in SHOWS or id_ not in self.tasks():
            raise KeyError(op, id_)
        # The version that the person saw: if the server's is another one by then, that is a conflict.
        version = self.state["tasks"].get(id_, {}).get("version")
        self._record({"op": op, "id": id_, "data": data or None, "if_match": version})

    def _record(self, change: Change) -> None:
        self.state["outbox"].append(change)
        self._save()

    # What needs a network. Each may raise TryLater, and is then called again.

    def sync(self, patience: int = 60) -> None:
        """Push and pull; wait when the server asks for it, but not longer than `patience` seconds in all."""
        while True:
            try:
                self.push()
                return self.pull()
            except TryLater as later:
                patience -= later.after
                if patience < 0:
                    raise
                time.sleep(later.after)

    def push(self) -> None:
        """Send the outbox, in order. A batch stays on disk, under one key, until it is answered."""
        while self.state["outbox"]:
            if self.state["batch"] and time.time() - self.state["batch"]["made_at"] > REMEMBERED_FOR:
                self._give_up_batch()
                continue
            batch = self.state["batch"] or self._new_batch()
            try:
                answer = self._call("POST", "/tasks/bulk", batch["body"], batch["key"])
            except Refused as refusal:
                self._take_out(refusal)
            else:
                self._settle(answer["results"])

    def pull(self) -> None:
        """Follow the feed to its end."""
        if self.state["batch"]:
            self.push()  # The feed may tell of its new tasks, whose ids nobody here knows.
        self._follow()

    def _follow(self) -> None:
        has_more = True
        while has_more:
            try:
                page = self._call("GET", f"/sync?since={self.state['since']}&limit={PAGE}")
            except Refused as refusal:
                if refusal.status != 410 or self.state["since"] == 0:
                    raise
                page = {"changes": [], "since": 0, "has_more": True}
                self.state["tasks"] = {}
            for change in page["changes"]:
                if change.get("purged"):
                    self.state["tasks"].pop(change["id"], None)
                else:
                    self._keep(change)
            self.state["since"], has_more = page["since"], page["has_more"]
            self._save()  # The copy and its place in the feed, together.

    def _new_batch(self) -> dict[str, Any]:
        created: set[str] = set()
        operations: list[Change] = []
        for change in self.state["outbox"][: self.state["batch_size"]]:
            if change["id"] in created:
                break  # It must wait for the id that the server gives.
            if change["op"] == "create":
                created.add(change["id"])
                operations.append({"op": "create", "data": change["data"]})
            else:
                names = ("op", "id", "data", "if_match")
                operations.append({name: change[name] for name in names if change[name] is not None})
        body = json.dumps({"operations": operations}, ensure_ascii=False)
        key, size = str(uuid.uuid4()), len(operations)
        self.state["batch"] = {"key": key, "body": body, "size": size, "made_at": time.time()}
        self._save()
        return dict(self.state["batch"])

    def _settle(self, results: list[Task]) -> None:
        """The batch is done: keep what came of it; what waits behind it builds on that."""
        outbox, size = self.state["outbox"], self.state["batch"]["size"]
        for change, task in zip(outbox[:size], results, strict=True):
            for later in outbox[size:]:
                if same_ground(later, change):
                    later |= {"id": task["id"], "if_match": task["version"]}
            self._keep(task)
        self.state |= {"outbox": outbox[size:], "batch": None, "batch_size": BATCH}
        self._save()

    def _take_out(self, refusal: Refused) -> None:
        """All of the batch was refused because of one change: set it aside, so that the rest can go."""
        named = re.match(r"operations\.(\d+)", str(refusal.details.get("field")))
        size = self.state["batch"]["size"]
        if not named and refusal.status not in (400, 413):
            raise refusal
        if not named and size > 1:
            # Too large, or not even to be read: in halves it shows which one it is.
            self.state |= {"batch": None, "batch_size": size // 2}
        else:
            self._set_aside([self.state["outbox"][int(named[1]) if named else 0]], refusal.why)
        if current := refusal.details.get("current"):
            self._keep(current)
        self._save()
        if refusal.status == 404:
            self._follow()  # In the trash, or gone: the feed tells which.

    def _give_up_batch(self) -> None:
        """Too late to ask what became of it. Changes may be repeated, thanks to if_match; new tasks not."""
        sent = self.state["outbox"][: self.state["batch"]["size"]]
        created = [change for change in sent if change["op"] == "create"]
        self._set_aside(created, "Perhaps done: the answer never came. Look before you add it again.")
        self._save()
        self._follow()

    def _set_aside(self, changes: list[Change], why: str) -> None:
        """For the person to decide, with the later changes that build on them."""
        aside = [each for each in self.state["outbox"] if any(same_ground(each, one) for one in changes)]
        self.state["outbox"] = [each for each in self.state["outbox"] if each not in aside]
        self.state["conflicts"] += [{**each, "why": why} for each in aside]
        self.state["batch"] = None

    def _keep(self, task: Task) -> None:
        """A repeated answer may be older than the copy."""
        held = self.state["tasks"].get(task["id"])
        if held is None or held["version"] <= task["version"]:
            self.state["tasks"][task["id"]] = task

    def _save(self) -> None:
        """A crash leaves the file as it was or as it is now, never half of it."""
        new = self.file.with_name(f"{self.file.name}.new")
        with new.open("w", encoding="utf-8") as file:
            json.dump(self.state, file)
            file.flush()
            os.fsync(file.fileno())
        new.replace(self.file)

    def _call(self, method: str, path: str, body: str = "", key: str = "", *, again: bool = True) -> Any:
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        headers |= {"Idempotency-Key": key} if key else {}
        request = urllib.request.Request(
            self.api + path, body.encode(errors="surrogatepass") or None, headers, method=method
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as response:
                return json.load(response)
        except urllib.error.HTTPError as error:
            refusal = understand(error)
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise TryLater(f"No answer: {error}") from error
        if isinstance(refusal, Refused) and refusal.status == 401 and again:
            self.token = self.new_token()
            return self._call(method, path, body, key, again=False)
        raise refusal


def same_ground(change: Change, other: Change) -> bool:
    """Whether both change the same task, from the same version of it."""
    return bool(change["id"] == other["id"] and change["if_match"] == other["if_match"])


def understand(response: urllib.error.HTTPError) -> TryLater | Refused:
    try:
        with response:
            error = dict(json.load(response)["error"])
    except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError):
        error = {}  # From something between here and the server.
    if response.code >= 500 or response.code in (409, 429):
        told = response.headers.get("Retry-After", "")
        after = max(1, int(told)) if told.isdecimal() else 5
        return TryLater(f"{response.code} {error.get('code', '')}", after)
    return Refused(response.code, error)


def main() -> None:
    parser = argparse.ArgumentParser(description="Your tasks, with or without a network.")
    parser.add_argument("--url", default="http://127.0.0.1:8000")
    parser.add_argument("--token", default="", help="an access token, or a personal access token")
    parser.add_argument("--file", default="tasks.json", help="where your copy is kept")
    parser.add_argument("command", choices=["add", "list", "complete", "sync"])
    parser.add_argument("what", nargs="?", default="", help="a title to add, or an id to complete")
    given = parser.parse_args()
    client = OfflineClient(given.url, given.file, given.token, lambda: getpass.getpass("A new token: "))
    if given.command == "add":
        client.create(title=given.what)
    elif given.command == "complete":
        if given.what not in client.tasks():
            parser.error(f"There is no task {given.what!r} here. `list` tells the ids.")
        client.change("complete", given.what)
    elif given.command == "sync":
        try:
            client.sync(patience=10)
        except (TryLater, Refused) as error:
            print(f"Not synced, but nothing is lost. {error}")
    for task in client.tasks().values():
        if not task["deleted_at"]:
            print("[x]" if task["completed"] else "[ ]", task["id"], task["title"])
    for conflict in client.state["conflicts"]:
        print("Set aside:", conflict["op"], conflict["data"] or conflict["id"], "-", conflict["why"])


if __name__ == "__main__":
    main()
