"""A small offline client: keeps a user's objects in a file, changes them offline, and syncs when online.

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
import sys
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

PAGE_SIZE, BATCH_SIZE = 500, 100

Entry = dict[str, Any]
Change = dict[str, Any]

NEW: dict[str, Entry] = {
    "task": {"completed": False, "completed_at": None, "project": None, "parent": None, "labels": []},
    "project": {"archived_at": None, "parent": None},
    "label": {},
}
"""What a new object of each kind has in the local copy until the server has answered."""

LOCAL_EFFECTS: dict[str, Entry] = {
    "update": {},
    "move": {},
    "complete": {"completed": True, "completed_at": "just now"},
    "reopen": {"completed": False, "completed_at": None},
    "archive": {"archived_at": "just now"},
    "unarchive": {"archived_at": None},
    "delete": {"deleted_at": "just now"},
    "restore": {"deleted_at": None},
}
"""What each operation changes there, also of what is in the object and has the same time as it."""

NOT_FIELDS = {"key", "after", "add_labels", "remove_labels", "subtasks"}
"""Names in the data of a change that are not fields of the object."""


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
        self.state |= {"outbox": [], "batch_size": 0, "conflicts": [], "series": {}}
        if self.file.exists():
            self.state |= json.loads(self.file.read_text(encoding="utf-8"))

    # Changes by the user, which need no network.

    def objects(self, kind: str = "task") -> dict[str, Entry]:
        """The objects of a kind by id, trashed ones included: the copy with the changes in the outbox.

        The copy also has the objects of unknown kinds, for a later version of this client.
        """
        objects = {id_: dict(entry) for id_, entry in self.state["objects"].items()}
        for change in self.state["outbox"]:
            apply(change, objects)
        return {id_: entry for id_, entry in objects.items() if entry["kind"] == kind}

    def find(self, kind: str, name: str) -> str | None:
        """The id of a project or label, regardless of case."""
        found = (each for each in self.objects(kind).values() if not each["deleted_at"])
        return next((each["id"] for each in found if each["name"].casefold() == name.casefold()), None)

    def create(self, kind: str = "task", *, key: str = "", **data: Any) -> str:
        """Return the id, which the object will have on the server too. Requires one sync before."""
        key = key or str(uuid.uuid4())
        id_ = str(uuid.uuid5(uuid.UUID(self.state["user_id"]), f"{kind}:{key}"))
        self._record("create", kind, id_, {**data, "key": key})
        return id_

    def change(self, op: str, id_: str, kind: str = "task", **data: Any) -> None:
        """Record an operation other than create, such as an update with the new values as `data`."""
        if op not in LOCAL_EFFECTS or id_ not in self.objects(kind):
            raise KeyError(op, id_)
        following = self.next_occurrence(self.objects(kind)[id_]) if op == "complete" else None
        self._record(op, kind, id_, data, following)

    def next_occurrence(self, task: Entry) -> Entry | None:
        """What the server creates, with this id, if a task is completed now; None if the day is unknown."""
        known = self.state["series"].get(task.get("series"))
        if not known or "anchor" not in (task.get("repeat") or {}):
            return None  # Unknown, or changed offline.
        today = datetime.now(zone_of(task)).date().isoformat()
        for occurrence in known["ahead"]:
            following = {**task, **occurrence, "start_date": None, "version": 0}
            day = due_day(following)
            if day > max(task["repeat"]["anchor"], today):
                id_ = str(uuid.uuid5(uuid.UUID(task["series"]), day))
                return {**following, "id": id_, "repeat": {**task["repeat"], "anchor": day}}
        return None

    def _record(
        self, op: str, kind: str, id_: str, data: dict[str, Any], following: Entry | None = None
    ) -> None:
        # The version that the user saw: 0 if the object is not on the server yet. Another one is a conflict.
        version = self.state["objects"].get(id_, {}).get("version", 0)
        change = {"op": op, "kind": kind, "id": id_, "data": data, "if_match": version, "next": following}
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
        self._look_ahead()

    def _look_ahead(self) -> None:
        """Ask for the next days of repeating tasks, unless they are known for this occurrence and rule."""
        for id_, task in self.state["objects"].items():
            repeat = task.get("repeat")
            if not repeat or repeat["from"] != "due" or task["completed"] or task["deleted_at"]:
                continue  # From completion, the next day depends on the day of completion.
            if self.state["series"].get(task["series"], {}).get("repeat") != repeat:
                ahead = self._call("GET", f"/tasks/{id_}/occurrences?limit=50")["results"]
                self.state["series"][task["series"]] = {"repeat": repeat, "ahead": ahead}
                self._save()

    def _store(self, entry: Entry) -> None:
        if entry.get("purged"):
            self.state["objects"].pop(entry["id"], None)
        else:
            self.state["objects"][entry["id"]] = entry

    def _apply_results(self, batch: list[Change], results: list[Entry]) -> None:
        """Store the objects of an accepted batch, and base later changes in the outbox on them."""
        outbox = self.state["outbox"][len(batch) :]
        for change, entry in zip(batch, results, strict=True):
            if "updated_at" not in entry and not entry.get("purged"):
                continue  # Changed or purged since the first try: the feed tells, and later changes conflict.
            self._store(entry)
            if change["op"] == "create" and entry.get("updated_at") != entry.get("created_at"):
                continue  # The object existed and another client has changed it: later changes conflict.
            for later in outbox:
                if have_same_base(later, change):
                    later["if_match"] = entry["version"]
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
            change = batch[int(index[1]) if index else 0]
            if change["op"] == "complete" and error.details.get("current", {}).get("completed"):
                self.state["outbox"].remove(change)  # Another client has completed it.
                self.state["batch_size"] = 0
            else:
                self._set_aside(batch.index(change), error.reason)
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


def apply(change: Change, objects: dict[str, Entry]) -> None:
    """Show a change in the local copy, before the server has answered."""
    id_, kind, data = change["id"], change["kind"], change["data"]
    if (change["op"] == "create") == (id_ in objects):
        return  # It has gone, or another client has created it with the same key.
    if change["op"] == "create":
        objects[id_] = {"kind": kind, "id": id_, "deleted_at": None, "position": "~", **NEW[kind]}
    entry, effect = objects[id_], LOCAL_EFFECTS.get(change["op"], {})
    for name in effect.keys() & {"completed_at", "archived_at", "deleted_at"}:
        before = entry[name]
        for each in contents(objects, id_):
            if name in each and each[name] == before:
                each.update(effect)
    if following := change.get("next"):
        entry["repeat"] = None
        objects.setdefault(following["id"], following)  # Another client may have created it.
    entry |= {name: value for name, value in data.items() if name not in NOT_FIELDS}
    if kind == "task" and data.get("parent") in objects:
        entry["project"] = objects[data["parent"]]["project"]
    if "after" in data:
        entry["position"] = position_after(data["after"], objects)
    if data.keys() & {"add_labels", "remove_labels"}:
        # A new label is shown by its name until the server has answered with its id.
        ids = {each["name"].casefold(): each["id"] for each in objects.values() if each["kind"] == "label"}
        names = [each["name"] for each in data.get("add_labels", ()) if isinstance(each, dict)]
        added = {each for each in data.get("add_labels", ()) if isinstance(each, str)}
        added |= {ids.get(name.casefold(), name) for name in names}
        entry["labels"] = [*({*entry["labels"]} | added) - {*data.get("remove_labels", ())}]


def zone_of(task: Entry) -> ZoneInfo | None:
    """None: the time zone of this device. It should be that of the user's profile."""
    return ZoneInfo(task["due_zone"]) if task.get("due_zone") else None


def due_day(task: Entry) -> str:
    if task["due_date"]:
        return str(task["due_date"])
    return datetime.fromisoformat(task["due_at"]).astimezone(zone_of(task)).date().isoformat()


def contents(objects: dict[str, Entry], id_: str) -> list[Entry]:
    """An object and what is in it, at all levels. Changes that the server will reject can make cycles."""
    ids = [id_]
    for container in ids:
        inside = (each for each in objects.values() if container in (each.get("parent"), each.get("project")))
        ids += [each["id"] for each in inside if each["id"] not in ids]
    return [objects[each] for each in ids]


def position_after(wanted: Any, objects: dict[str, Entry]) -> str:
    """Right after the first of the wanted objects that is there; null is the beginning."""
    ids = wanted if isinstance(wanted, list) else [wanted]
    return next((objects[each]["position"] + "~" for each in ids if each in objects), "")


def as_operation(change: Change) -> dict[str, Any]:
    names = ["op", "kind"] + (["id", "if_match"] if change["op"] != "create" else [])
    names += ["data"] if change["data"] or change["op"] == "update" else []
    return {name: change[name] for name in names}


def have_same_base(change: Change, other: Change) -> bool:
    """Whether both change the same version of the same object."""
    return bool(change["id"] == other["id"] and change["if_match"] == other["if_match"])


def parse_error(response: urllib.error.HTTPError) -> RetryLater | Rejected:
    try:
        with response:
            error = dict(json.load(response)["error"])
    except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError):
        error = {}  # A proxy answered.
    has_field = bool(error.get("details", {}).get("field"))
    if response.code >= 500 or response.code == 429 or (response.code == 409 and not has_field):
        retry_after = response.headers.get("Retry-After", "")
        delay = max(1, int(retry_after)) if retry_after.isdecimal() else 5
        return RetryLater(f"{response.code} {error.get('code', '')}", delay)
    return Rejected(response.code, error)


def print_tasks(client: OfflineClient) -> None:
    projects, labels = client.objects("project"), client.objects("label")
    for task in sorted(client.objects().values(), key=lambda task: (task["project"] or "", task["position"])):
        if not task["deleted_at"]:
            project = f" ({projects[task['project']]['name']})" if task["project"] in projects else ""
            names = [labels[each]["name"] if each in labels else each for each in task["labels"]]
            title = task["title"] + project + "".join(f" #{name}" for name in names)
            print("[x]" if task["completed"] else "[ ]", task["id"], title)


def ask_for_token() -> str:
    if not sys.stdin.isatty():
        sys.exit("Sync failed; your changes are kept. The token is invalid or has expired.")
    return getpass.getpass("New token: ")


def main() -> None:
    parser = argparse.ArgumentParser(description="Manage tasks offline and sync them.")
    parser.add_argument("--url", default="http://127.0.0.1:8000")
    parser.add_argument("--token", default="", help="an access token or a personal access token")
    parser.add_argument("--file", default="tasks.json", help="the local copy (default: %(default)s)")
    parser.add_argument("command", choices=["add", "list", "complete", "move", "sync"])
    parser.add_argument("value", nargs="?", default="", help="a title to add, or an id to complete or move")
    parser.add_argument("--project", help="add to the project with this name, which is created if needed")
    parser.add_argument("--parent", help="add as a subtask of the task with this id")
    parser.add_argument("--label", action="append", default=[], help="add with a label; repeatable")
    parser.add_argument("--after", action="append", default=[], help="move after the first of these ids")
    options = parser.parse_args()
    client = OfflineClient(options.url, options.file, options.token, ask_for_token)
    if options.command == "add":
        if not client.state["user_id"]:
            parser.error("Sync once before you add a task: its id is computed from yours.")
        data = {"title": options.value, "parent": options.parent}
        data["add_labels"] = [{"name": name} for name in options.label]
        if name := options.project:
            data["project"] = client.find("project", name) or client.create("project", name=name)
        client.create(**{name: value for name, value in data.items() if value})
    elif options.command in ("complete", "move"):
        if options.value not in client.objects():
            parser.error(f"There is no task {options.value!r}. `list` shows the ids.")
        # Without one of these neighbours, the task comes first.
        data = {"after": [*options.after, None]} if options.command == "move" else {}
        client.change(options.command, options.value, **data)
    elif options.command == "sync":
        try:
            client.sync(max_wait=10)
        except (RetryLater, Rejected) as error:
            sys.exit(f"Sync failed; your changes are kept. {error}")
    print_tasks(client)
    for conflict in client.state["conflicts"]:
        print("Conflict:", conflict["op"], conflict["data"] or conflict["id"], "-", conflict["reason"])


if __name__ == "__main__":
    main()
