"""A small offline client: keeps a user's objects in a file, changes tasks offline, and syncs when online.

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

Entry = dict[str, Any]
Change = dict[str, Any]

LOCAL_EFFECTS: dict[str, Entry] = {
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
        self.state: dict[str, Any] = {"user_id": None, "since": "0", "objects": {}}
        self.state |= {"outbox": [], "batch_size": 0, "conflicts": []}
        if self.file.exists():
            self.state = json.loads(self.file.read_text(encoding="utf-8"))

    # Changes by the user, which need no network.

    def tasks(self) -> dict[str, Entry]:
        """All tasks by id, trashed ones included: the copy with the changes in the outbox applied to it.

        The copy also has the objects of other kinds, for a later version of this client.
        """
        objects = self.state["objects"].items()
        tasks = {id_: dict(entry) for id_, entry in objects if entry["kind"] == "task"}
        for change in self.state["outbox"]:
            id_ = change["id"]
            if change["op"] == "create":
                tasks.setdefault(id_, {"id": id_, "completed": False, "deleted_at": None, **change["data"]})
            elif id_ in tasks:
                tasks[id_] |= {**LOCAL_EFFECTS[change["op"]], **change["data"]}
        return tasks

    def create(self, *, key: str = "", **data: Any) -> str:
        """Return the id, which the task will have on the server too. Requires one sync before."""
        key = key or str(uuid.uuid4())
        id_ = str(uuid.uuid5(uuid.UUID(self.state["user_id"]), f"task:{key}"))
        self._record("create", id_, {**data, "key": key})
        return id_

    def change(self, op: str, id_: str, **data: Any) -> None:
        """Record an update (with the new values as `data`), complete, reopen, delete or restore."""
        if op not in LOCAL_EFFECTS or id_ not in self.tasks():
            raise KeyError(op, id_)
        self._record(op, id_, data)

    def _record(self, op: str, id_: str, data: dict[str, Any]) -> None:
        # The version that the user saw: 0 if the task is not on the server yet. Another one is a conflict.
        version = self.state["objects"].get(id_, {}).get("version", 0)
        change = {"op": op, "id": id_, "data": data, "if_match": version}
        self.state["outbox"].append({**change, "idempotency_key": str(uuid.uuid4())})
        self._save()

    # Requests to the server. Each may raise RetryLater and can then be repeated.

    def sync(self, max_wait: int = 60) -> None:
        """Push and pull. Wait if the server is busy, for at most `max_wait` seconds in total."""
        while True:
            try:
                self.state["user_id"] = self.state["user_id"] or self._call("GET", "/me")["id"]
                self.push()
                return self.pull()
            except RetryLater as error:
                max_wait -= error.delay
                if max_wait < 0:
                    raise
                time.sleep(error.delay)

    def push(self) -> None:
        """Send the outbox in order. The size of a batch stays on disk until the server answers."""
        while self.state["outbox"]:
            self.state["batch_size"] = self.state["batch_size"] or min(len(self.state["outbox"]), BATCH_SIZE)
            self._save()
            batch = self.state["outbox"][: self.state["batch_size"]]
            body = json.dumps({"operations": [as_operation(change) for change in batch]}, ensure_ascii=False)
            try:
                response = self._call("POST", "/bulk", body, batch[0]["idempotency_key"])
            except Rejected as error:
                self._handle_rejection(error, batch)
            else:
                self._apply_results(batch, response["results"])

    def pull(self) -> None:
        """Follow the feed to its end."""
        if self.state["batch_size"]:
            self.push()  # Its response may be older than the feed and bring back a purged task.
        has_more = True
        while has_more:
            try:
                page = self._call("GET", f"/sync?since={self.state['since']}&limit={PAGE_SIZE}")
            except Rejected as error:
                if error.status != 410 or self.state["since"] == "0":
                    raise
                page = {"changes": [], "since": "0", "has_more": True}
                self.state["objects"] = {}
            for entry in page["changes"]:
                self._store(entry)
            self.state["since"], has_more = page["since"], page["has_more"]
            self._save()  # The copy and its position in the feed together.

    def _store(self, entry: Entry) -> None:
        if entry.get("purged"):
            self.state["objects"].pop(entry["id"], None)
        else:
            self.state["objects"][entry["id"]] = entry

    def _apply_results(self, batch: list[Change], results: list[Entry]) -> None:
        """Store the tasks of an accepted batch, and base later changes in the outbox on them."""
        outbox = self.state["outbox"][len(batch) :]
        for change, task in zip(batch, results, strict=True):
            if "updated_at" not in task and not task.get("purged"):
                continue  # Changed or purged since the first try: the feed tells, and later changes conflict.
            self._store(task)
            if change["op"] == "create" and task["updated_at"] != task["created_at"]:
                continue  # The task existed and another client has changed it: later changes conflict.
            for later in outbox:
                if have_same_base(later, change):
                    later["if_match"] = task["version"]
        self.state |= {"outbox": outbox, "batch_size": 0}
        self._save()

    def _handle_rejection(self, error: Rejected, batch: list[Change]) -> None:
        """Set aside the change that caused the rejection of the batch, so that the rest can be sent."""
        index = re.match(r"operations\.(\d+)", str(error.details.get("field")))
        if not index and error.status not in (400, 413):
            raise error
        if not index and len(batch) > 1:
            # The body is too large or unreadable: halve the batch until the change at fault is alone.
            self.state["batch_size"] = len(batch) // 2
        else:
            self._set_aside(int(index[1]) if index else 0, error.reason)
        if current := error.details.get("current"):
            self._store(current)
        self._save()

    def _set_aside(self, index: int, reason: str) -> None:
        """Move a change, and later ones with the same base, from the outbox to the conflicts."""
        outbox = self.state["outbox"]
        aside = [change for change in outbox[index:] if have_same_base(change, outbox[index])]
        self.state["conflicts"] += [{**change, "reason": reason} for change in aside]
        self.state |= {"outbox": [change for change in outbox if change not in aside], "batch_size": 0}

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


def as_operation(change: Change) -> dict[str, Any]:
    names = {"create": ("op", "data"), "update": ("op", "id", "data", "if_match")}
    return {name: change[name] for name in names.get(change["op"], ("op", "id", "if_match"))}


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
        if not client.state["user_id"]:
            parser.error("Sync once before you add a task: its id is computed from yours.")
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
