"""Clients in a process of their own, and the processor time of servers."""

import ctypes
import itertools
import json
import re
import selectors
import socket
import time
import urllib.parse
import urllib.request
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from email.message import Message
from http.cookiejar import CookieJar
from typing import Any

import psutil

TIMEOUT = 30

COUNTER = "########"
"""Each request has another number instead, so that each write changes something."""

numbers = itertools.count()


@dataclass
class Load:
    seconds: list[float] = field(default_factory=list)
    """How long each request took."""
    statuses: Counter[int] = field(default_factory=Counter)
    size: int = 0
    """Bytes of all responses."""

    def percentile(self, percent: int) -> float:
        """In milliseconds."""
        return sorted(self.seconds)[len(self.seconds) * percent // 100] * 1000


def encode(method: str, path: str, headers: Mapping[str, str], body: Any = None) -> bytes:
    content = b"" if body is None else json.dumps(body).encode()
    head = {"Host": "127.0.0.1", "Accept": "*/*", **headers}
    if content:
        head |= {"Content-Type": "application/json", "Content-Length": str(len(content))}
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in head.items())]
    return "\r\n".join([*lines, "", ""]).encode() + content


class Connection:
    """A client that sends its next request as soon as it has the response to the last, and repeats them."""

    def __init__(self, port: int, requests: Iterable[bytes]) -> None:
        self.requests, self.response = itertools.cycle(requests), b""
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT)

    def send(self) -> None:
        self.started = time.perf_counter()
        self.socket.sendall(next(self.requests).replace(COUNTER.encode(), b"%08d" % next(numbers)))

    def receive(self) -> bytes | None:
        """The whole response, or None if a part of it is still to come."""
        if not (data := self.socket.recv(1 << 18)):
            raise ConnectionError(f"The server closed the connection after {self.response!r}.")
        self.response += data
        head, end, body = self.response.partition(b"\r\n\r\n")
        length = re.search(rb"(?i)\r\ncontent-length: (\d+)", head)
        if not end or (length and len(body) < int(length[1])):
            return None
        response, self.response = self.response, b""
        return response


def send(port: int, clients: Iterable[Iterable[bytes]], seconds: float) -> Load:
    """Send the requests of each client, at least one, on a connection of its own."""
    load, selector = Load(), selectors.DefaultSelector()
    for requests in clients:
        connection = Connection(port, requests)
        selector.register(connection.socket, selectors.EVENT_READ, connection)
        connection.send()
    end = time.perf_counter() + seconds
    while selector.get_map():
        if not (ready := selector.select(TIMEOUT)):
            raise TimeoutError(f"The server has not responded for {TIMEOUT} seconds.")
        for key, _ in ready:
            connection = key.data
            if (response := connection.receive()) is None:
                continue
            now = time.perf_counter()
            load.seconds.append(now - connection.started)
            load.statuses[int(response[9:12])] += 1
            load.size += len(response)
            if now < end:
                connection.send()
            else:
                selector.unregister(connection.socket)
                connection.socket.close()
    return load


def call(url: str, body: Any = None, *, token: str = "") -> tuple[Any, Message]:
    """The JSON of a response, and its headers."""
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
    content = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(urllib.request.Request(url, content, headers), timeout=TIMEOUT) as response:
        return json.load(response), response.headers


def sign_in_to_admin(url: str, email: str, password: str) -> str:
    """The Cookie header of a session."""
    jar = CookieJar()
    opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(jar))
    opener.open(f"{url}/admin/login/", timeout=TIMEOUT)
    [token] = [cookie.value for cookie in jar if cookie.name == "csrftoken"]
    form = {"username": email, "password": password, "csrfmiddlewaretoken": token, "next": "/admin/"}
    opener.open(f"{url}/admin/login/", urllib.parse.urlencode(form).encode(), timeout=TIMEOUT)
    return "; ".join(f"{cookie.name}={cookie.value}" for cookie in jar)


def processor_times(processes: Iterable[psutil.Process]) -> dict[int, float]:
    """Seconds that each process has used. The times in /proc advance in steps of ten milliseconds."""
    libc, clock = ctypes.CDLL(None), ctypes.c_int()
    return {
        process.pid: time.clock_gettime(clock.value)
        for process in processes
        if libc.clock_getcpuclockid(process.pid, ctypes.byref(clock)) == 0
    }


def seconds_between(before: Mapping[int, float], after: Mapping[int, float]) -> float:
    return sum(seconds - before.get(pid, 0) for pid, seconds in after.items())


def integers(text: str) -> list[int]:
    """For argparse: numbers that commas separate."""
    return [int(each) for each in text.split(",")]
