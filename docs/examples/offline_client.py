"""A small offline client: keeps a user's tasks in a file, changes them offline, and syncs when online.

    python offline_client.py --token pat_… sync

Uses the standard library only. docs/offline-clients.md explains each step.
"""
# ruff: noqa: S310, T201  (the user chooses the URL and reads the output)

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

PAGE_SIZE, BATCH_SIZE = 500, 100
KEY_LIFETIME = 23 * 3600
"""Seconds. The server remembers an Idempotency-Key for 24 hours; an hour is left for the request itself."""

Task = dict[str, Any]
Change = dict[str, Any]

LOCAL_EFFECTS: dict[str, Task] = {
    "update": {},
    "complete": {"completed": True},
    "reopen": {"completed": False},
    "delete": {"deleted_at": "just now"},
    "restore": {"deleted_at": None},
}
"""What each operation changes in the local copy until the server has answered."""


class RetryLater(Exception):
    """The server is unreachable or busy. Nothing is lost: try again after `delay` seconds."""

    def __init__(self, reason: str, delay: int = 5) -> None:
        super().__init__(reason)
        self.delay = delay


class Rejected(Exception):
    """The server rejected the request and changed nothing."""

    def __init__(self, status: int, error: dict[str, Any]) -> None:
        self.status, self.details = status, error.get("details", {})
        self.reason = f"{error.get('code', status)}: {error.get('message', 'rejected')}"
        super().__init__(self.reason)


class OfflineClient:
    """Use it from one thread and one process only."""

    def __init__(self, url: str, file: str | Path, token: str, new_token: Callable[[], str]) -> None:
        self.api, self.file = url.rstrip("/") + "/api/v1", Path(file)
        self.token, self.new_token = token, new_token
        self.state: dict[str, Any] = {"since": 0, "tasks": {}, "outbox": [], "conflicts": []}
        self.state |= {"batch": None, "batch_size": BATCH_SIZE}
        if self.file.exists():
            self.state = json.loads(self.file.read_text(encoding="utf-8"))

    # Changes by the user, which need no network.

    def tasks(self) -> dict[str, Task]:
        """All tasks by id, trashed ones included: the copy with the changes in the outbox applied to it."""
        tasks = {id_: dict(task) for id_, task in self.state["tasks"].items()}
        for change in self.state["outbox"]:
            id_ = change["id"]
            if change["op"] == "create":
                tasks[id_] = {"id": id_, "completed": False, "deleted_at": None, **change["data"]}
            elif id_ in tasks:
                tasks[id_] |= {**LOCAL_EFFECTS[change["op"]], **(change["data"] or {})}
        return tasks

    def create(self, **data: Any) -> str:
        """Return the local id of the task, which is valid until the server assigns another."""
        id_ = f"local-{uuid.uuid4()}"
        self._record({"op": "create", "id": id_, "data": data, "if_match": None})
        return id_

    def change(self, op: str, id_: str, **data: Any) -> None:
        """Record an update (with the new values as `data`), complete, reopen, delete or restore."""
        if op not in LOCAL_EFFECTS or id_ not in self.tasks():
            raise KeyError(op, id_)
        # The version that the user saw. If the server has another one by the time of the push, they conflict.
        version = self.state["tasks"].get(id_, {}).get("version")
        self._record({"op": op, "id": id_, "data": data or None, "if_match": version})

    def _record(self, change: Change) -> None:
        self.state["outbox"].append(change)
        self._save()

    # Requests to the server. Each may raise RetryLater and can then be repeated.

    def sync(self, max_wait: int = 60) -> None:
        """Push and pull. Wait if the server is busy, for at most `max_wait` seconds in total."""
        while True:
            try:
                self.push()
                return self.pull()
            except RetryLater as error:
                max_wait -= error.delay
                if max_wait < 0:
                    raise
                time.sleep(error.delay)

    def push(self) -> None:
        """Send the outbox in order. A batch stays on disk, with one key, until the server answers."""
        while self.state["outbox"]:
            if self.state["batch"] and time.time() - self.state["batch"]["made_at"] > KEY_LIFETIME:
                self._abandon_batch()
                continue
            batch = self.state["batch"] or self._new_batch()
            try:
                response = self._call("POST", "/tasks/bulk", batch["body"], batch["key"])
            except Rejected as error:
                self._handle_rejection(error)
            else:
                self._apply_results(response["results"])

    def pull(self) -> None:
        """Follow the feed to its end."""
        if self.state["batch"]:
            self.push()  # The feed may list the tasks that the batch creates, whose ids are still unknown.
        self._follow()

    def _follow(self) -> None:
        has_more = True
        while has_more:
            try:
                page = self._call("GET", f"/sync?since={self.state['since']}&limit={PAGE_SIZE}")
            except Rejected as error:
                if error.status != 410 or self.state["since"] == 0:
                    raise
                page = {"changes": [], "since": 0, "has_more": True}
                self.state["tasks"] = {}
            for change in page["changes"]:
                if change.get("purged"):
                    self.state["tasks"].pop(change["id"], None)
                else:
                    self._store(change)
            self.state["since"], has_more = page["since"], page["has_more"]
            self._save()  # The copy and its position in the feed together.

    def _new_batch(self) -> dict[str, Any]:
        created: set[str] = set()
        operations: list[Change] = []
        for change in self.state["outbox"][: self.state["batch_size"]]:
            if change["id"] in created:
                break  # It must wait for the id that the server assigns.
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

    def _apply_results(self, results: list[Task]) -> None:
        """Store the tasks of an accepted batch, and base later changes in the outbox on them."""
        outbox, size = self.state["outbox"], self.state["batch"]["size"]
        for change, task in zip(outbox[:size], results, strict=True):
            for later in outbox[size:]:
                if have_same_base(later, change):
                    later |= {"id": task["id"], "if_match": task["version"]}
            self._store(task)
        self.state |= {"outbox": outbox[size:], "batch": None, "batch_size": BATCH_SIZE}
        self._save()

    def _handle_rejection(self, error: Rejected) -> None:
        """Set aside the change that caused the rejection of the batch, so that the rest can be sent."""
        index = re.match(r"operations\.(\d+)", str(error.details.get("field")))
        size = self.state["batch"]["size"]
        if not index and error.status not in (400, 413):
            raise error
        if not index and size > 1:
            # The body is too large or unreadable: halve the batch until the change at fault is alone.
            self.state |= {"batch": None, "batch_size": size // 2}
        else:
            self._set_aside([self.state["outbox"][int(index[1]) if index else 0]], error.reason)
        if current := error.details.get("current"):
            self._store(current)
        self._save()
        if error.status == 404:
            self._follow()  # The feed says whether the task was trashed or deleted permanently.

    def _abandon_batch(self) -> None:
        """The server has forgotten the key: only changes with if_match are safe to repeat."""
        sent = self.state["outbox"][: self.state["batch"]["size"]]
        created = [change for change in sent if change["op"] == "create"]
        self._set_aside(
            created, "The server did not answer. Check whether the task exists before adding it again."
        )
        self._save()
        self._follow()

    def _set_aside(self, changes: list[Change], reason: str) -> None:
        """Move changes, and later ones based on them, from the outbox to the conflicts."""
        outbox = self.state["outbox"]
        aside = [change for change in outbox if any(have_same_base(change, other) for other in changes)]
        self.state["outbox"] = [change for change in outbox if change not in aside]
        self.state["conflicts"] += [{**change, "reason": reason} for change in aside]
        self.state["batch"] = None

    def _store(self, task: Task) -> None:
        """Keep the newer version: a repeated response may be older than the copy."""
        stored = self.state["tasks"].get(task["id"])
        if stored is None or stored["version"] <= task["version"]:
            self.state["tasks"][task["id"]] = task

    def _save(self) -> None:
        """Replace the file atomically, so that a crash leaves either the old or the new one."""
        new = self.file.with_name(f"{self.file.name}.new")
        with new.open("w", encoding="utf-8") as file:
            json.dump(self.state, file)
            file.flush()
            os.fsync(file.fileno())
        new.replace(self.file)

    def _call(self, method: str, path: str, body: str = "", key: str = "", *, renew: bool = True) -> Any:
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        headers |= {"Idempotency-Key": key} if key else {}
        request = urllib.request.Request(
            self.api + path, body.encode(errors="surrogatepass") or None, headers, method=method
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as response:
                return json.load(response)
        except urllib.error.HTTPError as error:
            failure = parse_error(error)
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise RetryLater(f"No response: {error}") from error
        if isinstance(failure, Rejected) and failure.status == 401 and renew:
            self.token = self.new_token()
            return self._call(method, path, body, key, renew=False)
        raise failure


def have_same_base(change: Change, other: Change) -> bool:
    """Whether both change the same version of the same task."""
    return bool(change["id"] == other["id"] and change["if_match"] == other["if_match"])


def parse_error(response: urllib.error.HTTPError) -> RetryLater | Rejected:
    try:
        with response:
            error = dict(json.load(response)["error"])
    except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError):
        error = {}  # A proxy answered.
    if response.code >= 500 or response.code in (409, 429):
        retry_after = response.headers.get("Retry-After", "")
        delay = max(1, int(retry_after)) if retry_after.isdecimal() else 5
        return RetryLater(f"{response.code} {error.get('code', '')}", delay)
    return Rejected(response.code, error)


def main() -> None:
    parser = argparse.ArgumentParser(description="Manage tasks offline and sync them.")
    parser.add_argument("--url", default="http://127.0.0.1:8000")
    parser.add_argument("--token", default="", help="an access token or a personal access token")
    parser.add_argument("--file", default="tasks.json", help="the local copy (default: %(default)s)")
    parser.add_argument("command", choices=["add", "list", "complete", "sync"])
    parser.add_argument("value", nargs="?", default="", help="the title to add or the id to complete")
    options = parser.parse_args()
    client = OfflineClient(options.url, options.file, options.token, lambda: getpass.getpass("New token: "))
    if options.command == "add":
        client.create(title=options.value)
    elif options.command == "complete":
        if options.value not in client.tasks():
            parser.error(f"There is no task {options.value!r}. `list` shows the ids.")
        client.change("complete", options.value)
    elif options.command == "sync":
        try:
            client.sync(max_wait=10)
        except (RetryLater, Rejected) as error:
            print(f"Sync failed; your changes are kept. {error}")
    for task in client.tasks().values():
        if not task["deleted_at"]:
            print("[x]" if task["completed"] else "[ ]", task["id"], task["title"])
    for conflict in client.state["conflicts"]:
        print("Conflict:", conflict["op"], conflict["data"] or conflict["id"], "-", conflict["reason"])


if __name__ == "__main__":
    main()
