"""The example client of docs/offline-clients.md, against a real server and a proxy that loses responses."""

import http.client
import importlib.util
import json
import random
import socket
import socketserver
import subprocess
import sys
import threading
import urllib.request
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.conf import settings

from tests.support.caller import API
from tests.support.processes import TIMEOUT
from tests.support.run_app import prepared_postgres
from tests.support.servers.gunicorn import Gunicorn
from tests.support.tasks import create_task, server_entries


def load_example():
    path = settings.BASE_DIR / "docs" / "examples" / "offline_client.py"
    spec: Any = importlib.util.spec_from_file_location("offline_client", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


offline_client = load_example()


@pytest.fixture(scope="module")
def gunicorn():
    with (
        prepared_postgres() as database,
        Gunicorn(DATABASE_URL=database.url, WEB_CONCURRENCY="2", WEB_THREADS="64") as server,
    ):
        yield server


class Person:
    """A registered user with offline clients, whose files are in one folder."""

    def __init__(self, server, folder):
        self.url, self.folder, self.token = server.url, folder, ""
        self.credentials = {"email": f"{folder.name}@example.com", "password": "correct horse battery"}
        self.call("POST", "/auth/register", self.credentials)
        self.token = self.sign_in()

    def sign_in(self):
        return self.call("POST", "/auth/token", self.credentials)["access"]

    def call(self, method, path, body=None):
        headers = {"Content-Type": "application/json"}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        content = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + API + path, content, headers, method=method)
        with urllib.request.urlopen(request, timeout=TIMEOUT) as response:
            return json.load(response)

    def client(self, name, *, url="", token=""):
        token = token or self.token
        client = offline_client.OfflineClient(url or self.url, self.folder / name, token, self.sign_in)
        if not client.state["user_id"]:
            client.sync()
        return client

    def state(self):
        return server_entries(lambda path: self.call("GET", path))


@pytest.fixture
def person(gunicorn, tmp_path):
    return Person(gunicorn, tmp_path)


@pytest.mark.parametrize(
    ("path", "reason"), [("", "The token is invalid or has expired."), ("/nope", "NOT_FOUND: Not found.")]
)
def test_a_sync_without_a_terminal_that_fails_says_why_and_exits_with_1(gunicorn, tmp_path, path, reason):
    run = [sys.executable, offline_client.__file__, "--url", gunicorn.url + path, "--token", "x", "sync"]
    result = subprocess.run(
        run, cwd=tmp_path, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=TIMEOUT
    )

    assert result.returncode == 1
    assert result.stderr.startswith(f"Sync failed; your changes are kept. {reason}")


class Proxy(socketserver.ThreadingTCPServer):
    """Passes each request to the server, and its response back unless `on_response` returns false."""

    def __init__(self, server):
        super().__init__(("127.0.0.1", 0), ProxyHandler)
        self.url, self.upstream = f"http://127.0.0.1:{self.server_address[1]}", server.port
        self.responses: list[bytes] = []
        self.on_response = lambda: True


class ProxyHandler(socketserver.StreamRequestHandler):
    server: Proxy

    def handle(self):
        head = [self.rfile.readline()]
        while head[-1].strip():
            head.append(self.rfile.readline())
        sizes = [int(line.split(b":")[1]) for line in head if line.lower().startswith(b"content-length:")]
        with socket.create_connection(("127.0.0.1", self.server.upstream), timeout=TIMEOUT) as upstream:
            upstream.sendall(b"".join(head) + self.rfile.read(sum(sizes)))
            with upstream.makefile("rb") as response:
                self.server.responses.append(response.read())
        if self.server.on_response():
            self.wfile.write(self.server.responses[-1])


@pytest.fixture
def proxy(gunicorn):
    with Proxy(gunicorn) as proxy:
        serving = threading.Thread(target=proxy.serve_forever, args=(0.05,))
        serving.start()
        yield proxy
        proxy.shutdown()
        serving.join(timeout=TIMEOUT)


def lose_response(person, proxy, name):
    """Push the outbox of a client; the server applies it and the client does not get the response."""
    proxy.on_response = lambda: False
    with pytest.raises(offline_client.RetryLater):
        person.client(name, url=proxy.url).push()
    proxy.on_response = lambda: True


def crash_before_saving(person, proxy, name):
    """Push the outbox of a client; it gets the response and cannot write it to disk."""
    obstacle = person.folder / f"{name}.new"
    proxy.on_response = lambda: obstacle.mkdir() is None
    with pytest.raises(IsADirectoryError):
        person.client(name, url=proxy.url).push()
    obstacle.rmdir()
    proxy.on_response = lambda: True


OPERATIONS = {
    "task": ["create", "create", "update", "update", "move", "complete", "reopen", "delete", "restore"],
    "project": ["create", "create", "update", "move", "archive", "unarchive", "delete", "restore"],
    "label": ["create", "update", "delete"],
}


def make_random_changes(client, dice):
    for _ in range(15):
        kind = dice.choice(["task", "task", "task", "project", "label"])
        op = dice.choice(OPERATIONS[kind])
        objects = client.objects(kind).values()
        ids = [each["id"] for each in objects if bool(each["deleted_at"]) == (op == "restore")]
        if op == "create" or not ids:
            key = dice.choice(["", f"key {dice.randrange(3)}"])
            client.create(kind, key=key, **random_data(client, dice, kind))
        else:
            data = random_data(client, dice, kind) if op == "update" else {}
            if op == "move":
                data["after"] = [*dice.sample(ids, min(2, len(ids))), None]
            client.change(op, dice.choice(ids), kind, **data)


def random_data(client, dice, kind):
    def ids(kind):
        return [*client.objects(kind)] or [None]

    if kind == "label":
        return {"name": f"label {dice.randrange(20)}"}
    if kind == "project":
        return {"name": f"project {dice.random()}", "parent": dice.choice([None, *ids("project")])}
    place = dice.choice([{}, {"project": dice.choice(ids("project"))}, {"parent": dice.choice(ids("task"))}])
    labels = dice.choice([[], [{"name": f"Label {dice.randrange(20)}"}], [*client.objects("label")][:2]])
    repeat = {
        "due_date": "2999-01-31",
        "repeat": {"rule": dice.choice(["FREQ=DAILY", "FREQ=MONTHLY;COUNT=2"])},
    }
    return {
        "title": f"task {dice.random()}",
        "priority": dice.randrange(4),
        "add_labels": labels,
        **place,
        **dice.choice([{}, {}, repeat]),
    }


class InProcessClient(offline_client.OfflineClient):  # type: ignore[name-defined]
    """Calls the application without a server."""

    def __init__(self, file, caller):
        super().__init__("", file, "", lambda: "")
        self.caller = caller

    def _call(self, method, path, body="", key=""):
        headers = {"Idempotency-Key": key} if key else {}
        response = self.caller(method, path, body.encode(), **headers)
        if response.status_code >= 400:
            raise offline_client.Rejected(response.status_code, response.json()["error"])
        return response.json()


@pytest.mark.usefixtures("library")
def test_objects_of_unknown_kinds_are_kept_and_not_shown(as_alice, alice, tmp_path):
    book, gone = (as_alice("post", "/books", {"title": title}).json()["id"] for title in ("Emma", "Lady"))
    shelf = as_alice("post", "/shelves", {"name": "left"}).json()["id"]
    client = InProcessClient(tmp_path / "phone", as_alice)
    client.sync()
    client.create(title="milk")
    as_alice("post", f"/books/{book}/finish")
    as_alice("delete", f"/books/{gone}"), as_alice("delete", f"/trash/{gone}?kind=book")
    as_alice("delete", f"/shelves/{shelf}")
    client.sync()

    assert [task["title"] for task in client.objects().values()] == ["milk"]
    stored = InProcessClient(tmp_path / "phone", as_alice).state["objects"]
    assert stored == server_entries(lambda path: as_alice("get", path).json())
    assert {each["kind"] for each in stored.values()} == {"book", "task"}
    assert stored[book]["finished_at"]


def shown(client):
    """The tasks in their order, as a user sees them."""
    names = {id_: each["name"] for kind in ("project", "label") for id_, each in client.objects(kind).items()}
    return [
        (
            task["title"],
            names.get(task["project"]),
            task["completed"],
            sorted(names.get(each, each) for each in task["labels"]),
        )
        for task in sorted(client.objects().values(), key=lambda task: task["position"])
        if not task["deleted_at"]
    ]


def test_projects_labels_subtasks_and_moves_show_at_once_and_are_the_same_on_the_server(as_alice, tmp_path):
    client = InProcessClient(tmp_path / "phone", as_alice)
    client.sync()
    errand = as_alice("post", "/labels", {"name": "errand"}).json()["id"]
    client.sync()
    garden = client.create("project", name="Garden")
    phone = client.create("label", name="phone")
    dig = client.create(title="dig", project=garden, add_labels=[{"name": "Errand"}, {"name": "new"}, phone])
    bed = client.create(title="bed", parent=dig)
    plant = client.create(title="plant", project=garden)
    client.change("move", plant, after=[str(uuid.uuid4()), None])
    client.change("update", dig, add_labels=[phone], remove_labels=[errand])
    client.change("complete", dig)
    gone = client.create("project", name="Gone")
    client.create(title="in it", project=gone)
    client.change("delete", gone, "project")
    offline = shown(client)
    client.sync()

    assert (
        offline
        == shown(client)
        == [
            ("plant", "Garden", False, []),
            ("dig", "Garden", True, ["new", "phone"]),
            ("bed", "Garden", True, []),
        ]
    )
    assert client.objects()[bed]["completed_at"] == client.objects()[dig]["completed_at"]
    assert client.state["conflicts"] == []
    assert client.state["objects"] == server_entries(lambda path: as_alice("get", path).json())


@pytest.mark.parametrize(
    "due",
    [
        {"due_date": "2999-01-31"},
        {"due_at": "2999-01-31T12:00:00Z", "due_zone": "Pacific/Kiritimati"},
    ],
)
def test_two_clients_that_complete_a_repeating_task_show_one_next_occurrence(as_alice, tmp_path, due):
    task = create_task(as_alice, "water", repeat={"rule": "FREQ=DAILY;COUNT=3"}, **due)["id"]
    phone, laptop = (InProcessClient(tmp_path / name, as_alice) for name in ("phone", "laptop"))
    for client in (phone, laptop):
        client.sync()
        client.change("complete", task)

    def open_tasks(client):
        return [each["id"] for each in client.objects().values() if not each["completed"]]

    [following] = open_tasks(phone)
    assert open_tasks(laptop) == [following]
    phone.sync()
    assert open_tasks(phone) == [following]
    phone.change("complete", following)
    phone.sync()
    [last] = open_tasks(phone)
    laptop.sync()

    assert open_tasks(laptop) == [last]
    stored = server_entries(lambda path: as_alice("get", path).json())
    assert phone.objects() == laptop.objects() == stored
    assert phone.state["conflicts"] == laptop.state["conflicts"] == []
    phone.change("complete", last)
    assert open_tasks(phone) == []


def test_a_rule_that_was_changed_offline_is_left_to_the_server(as_alice, tmp_path):
    task = create_task(as_alice, "water", due_date="2999-01-31", repeat={"rule": "FREQ=DAILY"})["id"]
    client = InProcessClient(tmp_path / "phone", as_alice)
    client.sync()
    client.change("update", task, repeat={"rule": "FREQ=MONTHLY"})
    client.change("complete", task)
    assert [each["id"] for each in client.objects().values()] == [task]
    client.sync()

    assert [each["due_date"] for each in client.objects().values()] == ["2999-01-31", "2999-02-28"]


def test_the_next_occurrence_can_be_changed_before_the_server_has_created_it(as_alice, tmp_path):
    task = create_task(as_alice, "water", due_date="2999-01-31", repeat={"rule": "FREQ=MONTHLY"})["id"]
    client = InProcessClient(tmp_path / "phone", as_alice)
    client.sync()
    client.change("complete", task)
    [february] = [id_ for id_, each in client.objects().items() if not each["completed"]]
    client.change("update", february, title="water a lot")
    client.change("complete", february)
    offline = shown(client)
    client.sync()

    assert offline == shown(client)
    assert [(title, completed) for title, _, completed, _ in shown(client)] == [
        ("water", True),
        ("water a lot", True),
        ("water a lot", False),
    ]
    assert client.state["conflicts"] == []


@pytest.mark.own_servers
@pytest.mark.parametrize("seed", range(5))
def test_two_offline_clients_of_one_user_end_with_the_state_of_the_server(person, proxy, seed):
    dice = random.Random(seed)
    phone, laptop = person.client("phone"), person.client("laptop", token="an-expired-token")
    for _ in range(4):
        make_random_changes(phone, dice)
        make_random_changes(laptop, dice)
        lose_response(person, proxy, "phone")
        person.call("DELETE", "/trash")
        phone = person.client("phone")
        make_random_changes(phone, dice)
        with ThreadPoolExecutor(2) as pool:
            for syncing in [pool.submit(phone.sync), pool.submit(laptop.sync)]:
                syncing.result(timeout=TIMEOUT)
    phone.pull()
    laptop.pull()

    assert phone.state["objects"] == laptop.state["objects"] == person.state()
    assert len(person.state()) > 10
    assert {entry["kind"] for entry in person.state().values()} == {"task", "project", "label"}
    assert phone.state["outbox"] == laptop.state["outbox"] == []
    conflicts = phone.state["conflicts"] + laptop.state["conflicts"]
    codes = {conflict["reason"].partition(":")[0] for conflict in conflicts}
    assert {"PRECONDITION_FAILED", "VALIDATION_ERROR"} <= codes
    assert codes <= {"PRECONDITION_FAILED", "VALIDATION_ERROR", "NOT_FOUND", "GONE"}


@pytest.mark.own_servers
@pytest.mark.parametrize(
    ("meanwhile", "code", "titles"),
    [
        ([("PATCH", "/tasks/{}", {"title": "theirs"})], "PRECONDITION_FAILED", ["theirs", "new", "bread"]),
        ([("DELETE", "/tasks/{}", None)], "NOT_FOUND", ["milk", "new", "bread"]),
        ([("DELETE", "/tasks/{}", None), ("DELETE", "/trash/{}", None)], "NOT_FOUND", ["new", "bread"]),
    ],
)
def test_a_conflicting_change_is_set_aside_and_the_rest_is_sent(person, meanwhile, code, titles):
    milk, client = person.call("POST", "/tasks", {"title": "milk"})["id"], person.client("phone")
    client.pull()
    client.create(title="new")
    client.change("update", milk, title="mine")
    client.create(title="bread")
    for method, path, body in meanwhile:
        person.call(method, path.format(milk), body)
    client.sync()

    assert client.objects() == person.state()
    assert sorted(task["title"] for task in person.state().values()) == sorted(titles)
    [conflict] = client.state["conflicts"]
    assert (conflict["op"], conflict["data"], conflict["id"]) == ("update", {"title": "mine"}, milk)
    assert conflict["reason"].startswith(code)


@pytest.mark.own_servers
def test_a_completion_that_open_subtasks_forbid_is_set_aside_and_not_repeated(person):
    client = person.client("phone")
    milk = client.create(title="milk")
    client.create(title="oat milk", parent=milk)
    client.change("complete", milk, subtasks="refuse")
    client.create(title="bread")
    client.sync(max_wait=0)

    assert sorted(task["title"] for task in person.state().values()) == ["bread", "milk", "oat milk"]
    [conflict] = client.state["conflicts"]
    assert conflict["op"] == "complete"
    assert conflict["reason"].startswith("CONFLICT")


def forget_idempotency_keys(client):
    """Use others, which the server knows as little as keys that are older than 24 hours."""
    for change in client.state["outbox"]:
        change["idempotency_key"] = str(uuid.uuid4())


@pytest.mark.own_servers
@pytest.mark.parametrize("fail", [lose_response, crash_before_saving])
def test_a_push_without_a_saved_response_creates_no_duplicates_when_repeated(person, proxy, fail):
    client = person.client("phone")
    milk, bread = client.create(title="milk"), client.create(title="bread")
    client.change("complete", milk)
    fail(person, proxy, "phone")
    done = person.state()
    client = person.client("phone", url=proxy.url)  # A client that crashed has only its file.
    later = client.create(title="later")
    client.change("update", bread, title="rye bread")
    client.pull()

    first, repeated = proxy.responses[:2]
    assert first.startswith(b"HTTP/1.1 200")
    assert b"Idempotent-Replayed: true" in repeated
    assert first.partition(b"\r\n\r\n")[2] == repeated.partition(b"\r\n\r\n")[2]
    assert done.keys() == {milk, bread}
    assert client.objects() == person.state()
    assert {id_: (task["title"], task["completed"]) for id_, task in person.state().items()} == {
        milk: ("milk", True),
        bread: ("rye bread", False),
        later: ("later", False),
    }
    assert client.state["conflicts"] == []


@pytest.mark.own_servers
@pytest.mark.parametrize("fail", [lose_response, crash_before_saving])
def test_a_push_repeated_after_its_idempotency_key_expired_overwrites_nothing(person, proxy, fail):
    client = person.client("phone")
    milk, bread = client.create(title="milk"), client.create(title="bread")
    client.change("complete", milk)
    fail(person, proxy, "phone")
    person.call("POST", f"/tasks/{milk}/reopen")
    done = person.state()
    client = person.client("phone")
    forget_idempotency_keys(client)
    client.sync()

    assert client.objects() == person.state() == done
    assert done.keys() == {milk, bread}
    assert not done[milk]["completed"]
    [conflict] = client.state["conflicts"]
    assert (conflict["op"], conflict["id"]) == ("complete", milk)
    assert conflict["reason"].startswith("PRECONDITION_FAILED")


@pytest.mark.own_servers
def test_a_creation_repeated_after_its_task_was_purged_is_set_aside_with_its_changes(person, proxy):
    client = person.client("phone")
    milk = client.create(title="milk")
    client.change("complete", milk)
    lose_response(person, proxy, "phone")
    person.call("DELETE", f"/tasks/{milk}")
    person.call("DELETE", f"/trash/{milk}")
    client = person.client("phone")
    forget_idempotency_keys(client)
    bread = client.create(title="bread")
    client.sync()

    assert client.objects() == person.state()
    assert person.state().keys() == {bread}
    assert [conflict["op"] for conflict in client.state["conflicts"]] == ["create", "complete"]
    assert all(conflict["reason"].startswith("GONE") for conflict in client.state["conflicts"])


@pytest.mark.own_servers
@pytest.mark.parametrize("batch_size", [1, 2])
def test_two_clients_that_create_with_the_same_key_create_one_task(person, batch_size):
    phone, laptop = person.client("phone"), person.client("laptop")
    milk = phone.create(title="milk", key="shopping")
    phone.sync()
    phone.change("complete", milk)
    phone.sync()
    assert laptop.create(title="bread", key="shopping") == milk
    laptop.change("update", milk, priority=3)
    laptop.state["batch_size"] = batch_size
    laptop.sync()

    assert phone.objects() == laptop.objects() == person.state()
    [task] = person.state().values()
    assert (task["title"], task["completed"], task["priority"]) == ("milk", True, 0)
    assert phone.state["conflicts"] == []
    [conflict] = laptop.state["conflicts"]
    assert conflict["data"] == {"priority": 3}
    assert conflict["reason"].startswith("PRECONDITION_FAILED")


@pytest.mark.own_servers
@pytest.mark.parametrize("bad", ["a\0b", "a\ud800b"])
def test_a_change_that_the_server_cannot_parse_is_set_aside_and_the_rest_is_sent(person, bad):
    client = person.client("phone")
    for title in ("milk", "bread", bad, "eggs"):
        client.create(title=title)
    client.sync()

    assert {task["title"] for task in person.state().values()} == {"milk", "bread", "eggs"}
    assert [conflict["data"]["title"] for conflict in client.state["conflicts"]] == [bad]
    assert client.objects() == person.state()
    assert client.state["outbox"] == []


@pytest.mark.own_servers
def test_an_outbox_too_large_for_one_request_is_sent_in_parts(person):
    client = person.client("phone")
    for number in range(30):
        client.create(title=str(number), description="\U0001f95b" * 5000)
    for change in client.state["outbox"][:10]:
        change["data"]["description"] = "\x01" * 5000
    client.sync()

    assert len(person.state()) == 30
    assert client.state["conflicts"] == []


@pytest.mark.own_servers
def test_repeated_retries_of_a_creation_whose_response_was_lost_create_one_task(person, proxy):
    def create(url, key="k"):
        headers = {"Content-Type": "application/json", "Idempotency-Key": key}
        headers["Authorization"] = f"Bearer {person.token}"
        request = urllib.request.Request(url + API + "/tasks", b'{"title": "milk"}', headers)
        with urllib.request.urlopen(request, timeout=TIMEOUT) as response:
            return response.status, response.read()

    proxy.on_response = lambda: False
    with pytest.raises((OSError, http.client.HTTPException)):
        create(proxy.url)
    (done,) = person.state().values()
    with ThreadPoolExecutor(20) as pool:
        responses = list(pool.map(create, [person.url] * 20))

    assert proxy.responses[0].startswith(b"HTTP/1.1 201")
    assert responses == [(201, proxy.responses[0].partition(b"\r\n\r\n")[2])] * 20
    assert person.state() == {done["id"]: done}
