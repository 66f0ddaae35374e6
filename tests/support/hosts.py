"""Three gunicorns behind nginx, as on three hosts, with one PostgreSQL and one Redis."""

import http.client
import random
import ssl
import time
from collections.abc import Callable
from typing import Any

from .chaos import SILENCE, Servers, kill_database
from .processes import TIMEOUT
from .run_app import prepared_postgres
from .servers.gunicorn import Gunicorn
from .servers.nginx import Nginx
from .servers.redis import Redis

HOSTS = 3


class Hosts(Servers):
    def start(self, enter: Callable[[Any], Any]) -> None:
        self.postgres, self.redis = enter(prepared_postgres()), enter(Redis())
        settings = {
            "DATABASE_URL": self.postgres.url,
            "CACHE_URL": self.redis.url,
            "RATE_LIMIT_USER": "100000/minute",
            "TRUSTED_PROXY_COUNT": "1",
            "TRUSTED_PROXIES": "127.0.0.1",
        }
        self.hosts = [enter(Gunicorn(**settings)) for _ in range(HOSTS)]
        self.nginx = enter(Nginx(*(host.port for host in self.hosts)))

    def connect(self) -> http.client.HTTPConnection:
        # The certificate is for localhost.
        context = ssl._create_unverified_context()
        return http.client.HTTPSConnection("127.0.0.1", self.nginx.port, timeout=TIMEOUT, context=context)


def kill_host(servers: Hosts) -> None:
    host = random.choice(servers.hosts)
    host.kill()
    time.sleep(SILENCE)
    host.start()


def suspend_host(servers: Hosts) -> None:
    host = random.choice(servers.hosts)
    host.suspend()
    time.sleep(SILENCE)
    host.resume()


def restart_each_host(servers: Hosts) -> None:
    for host in servers.hosts:
        host.stop()
        host.start()


def kill_redis(servers: Hosts) -> None:
    servers.redis.kill()
    time.sleep(SILENCE)
    servers.redis.start()


Hosts.faults = {
    "kill -9 of a host": kill_host,
    "a host suspended": suspend_host,
    "restart of one host after the other": restart_each_host,
    "kill -9 of Redis": kill_redis,
    "kill -9 of PostgreSQL": kill_database,
}
