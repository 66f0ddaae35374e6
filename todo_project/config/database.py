"""Converts a database URL to an entry for DATABASES that is safe on Neon. Connects to nothing."""

import ipaddress
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import certifi
import dj_database_url
from django.core.exceptions import ImproperlyConfigured
from psycopg import ProgrammingError
from psycopg.conninfo import make_conninfo

Config = dict[str, Any]

POSTGRESQL_SCHEMES = {"postgres", "postgresql"}
STRONG_TLS = {"require", "verify-ca", "verify-full"}

# Neon suspends a compute after 300 s without a query, which closes its connections.
MAX_AGE = 240

CONNECTION: Config = {
    "connect_timeout": 7,
    "keepalives": 1,
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    # Keepalives detect only idle connections; this closes one whose peer disappeared during a query.
    "tcp_user_timeout": 10_000,
    "application_name": "todo",
}


def configure(
    url: str,
    *,
    base_dir: Path,
    variable: str,
    pooler: bool = False,
    direct: bool = False,
    connection: Config = CONNECTION,
) -> Config:
    """The entry for DATABASES. Raises ImproperlyConfigured, naming the variable.

    Neon's pooler is recognized by its host name. `pooler` declares another one; `direct` allows none.
    `connection` has the options that the URL may replace.
    """
    scheme = url.partition(":")[0]
    if scheme not in POSTGRESQL_SCHEMES | {"sqlite"}:
        raise ImproperlyConfigured(f"{variable} must begin with postgresql:// or sqlite://.")
    try:
        config: Config = dict(dj_database_url.parse(url))
    except ValueError:
        # The parser's message may contain the password.
        raise ImproperlyConfigured(
            f"{variable} is not a valid URL. Percent-encode special characters in the password."
        ) from None
    if scheme == "sqlite":
        return sqlite(config, base_dir=base_dir, variable=variable)
    pooler = pooler or is_pooled(config["HOST"])
    if direct and pooler:
        raise ImproperlyConfigured(
            f"{variable} must not be the pooled endpoint; remove '-pooler' from the host."
        )
    return postgresql(config, variable=variable, pooler=pooler, connection=connection)


def configure_replica(url: str, *, primaries: Iterable[Config], variable: str, **options: Any) -> Config:
    """The same for a read replica of the database that the other URLs lead to."""
    if url.partition(":")[0] not in POSTGRESQL_SCHEMES:
        raise ImproperlyConfigured(f"{variable} must begin with postgresql://.")
    config = configure(url, variable=variable, connection=CONNECTION | {"connect_timeout": 2}, **options)
    for primary in primaries:
        if "HOST" not in primary:
            raise ImproperlyConfigured(f"{variable} needs a DATABASE_URL that begins with postgresql://.")
        if place_of(primary) == place_of(config):
            raise ImproperlyConfigured(
                f"{variable} leads to the same server as DATABASE_URL; use the URL of a read replica."
            )
    return {**config, "ENGINE": "todo_project.db.postgresql_replica"}


def place_of(config: Config) -> tuple[str, str, str]:
    """Neon's pooled and direct endpoints lead to the same database."""
    name, dot, domain = host_of(config).partition(".")
    return f"{name.removesuffix('-pooler')}{dot}{domain}", str(config["PORT"] or 5432), config["NAME"]


def host_of(config: Config) -> str:
    options = config.get("OPTIONS", {})
    return str(options.get("hostaddr") or config.get("HOST") or options.get("host") or "")


def sqlite(config: Config, *, base_dir: Path, variable: str) -> Config:
    """With WAL, so that readers do not wait for a writer; a second writer waits instead of failing."""
    if config.get("OPTIONS"):
        raise ImproperlyConfigured(
            f"{variable} must not have options for SQLite; remove the '?' and everything after it."
        )
    in_memory = config["NAME"] == ":memory:"
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": config["NAME"] if in_memory else str(base_dir / config["NAME"]),
        "OPTIONS": {
            # Otherwise a transaction that reads before it writes would fail instead of waiting.
            "transaction_mode": "IMMEDIATE",
            "timeout": 5,
            "init_command": "PRAGMA foreign_keys=ON" if in_memory else "PRAGMA journal_mode=WAL",
        },
    }


def postgresql(config: Config, *, variable: str, pooler: bool, connection: Config) -> Config:
    if not config["NAME"]:
        raise ImproperlyConfigured(
            f"{variable} must contain the name of the database after the host, as in …/neondb."
        )
    options = {**connection, **config.get("OPTIONS", {})}
    refuse_unknown_options(options, variable)
    if pooler:
        refuse_startup_options(options, variable)
    return {
        **config,
        "ENGINE": "todo_project.db.postgresql",
        "OPTIONS": {**options, **tls(options, host=host_of(config), variable=variable)},
        "CONN_MAX_AGE": MAX_AGE,
        "CONN_HEALTH_CHECKS": True,
        "DISABLE_SERVER_SIDE_CURSORS": pooler,
    }


def refuse_unknown_options(options: dict[str, Any], variable: str) -> None:
    """Without this, libpq rejects an unknown option only at the first connection."""
    repeated = [name for name, value in options.items() if isinstance(value, list)]
    if repeated:
        raise ImproperlyConfigured(f"{variable} contains the option {repeated[0]} twice; remove one.")
    for name, value in options.items():
        try:
            make_conninfo("", **{name: value})
        except ProgrammingError:
            raise ImproperlyConfigured(f"{variable} contains the unknown option {name}; remove it.") from None


def refuse_startup_options(options: dict[str, Any], variable: str) -> None:
    """A pooler rejects them or leaks them to other clients, except Neon's endpoint=… and project=…."""
    startup = str(options.get("options", ""))
    if startup and not re.fullmatch(r"(endpoint|project)=[\w-]+", startup):
        raise ImproperlyConfigured(
            f"{variable} must not have startup options with a pooler; use ALTER ROLE … SET … instead."
        )


def tls(options: dict[str, Any], *, host: str, variable: str) -> dict[str, str]:
    """The TLS options: encrypted unless local, and a CA bundle that exists."""
    if is_local(host):
        mode = str(options.get("sslmode", "prefer"))
    else:
        mode = str(options.get("sslmode", "require"))
        if mode not in STRONG_TLS:
            raise ImproperlyConfigured(
                f"{variable} has sslmode={mode}, which allows unencrypted connections; "
                "use sslmode=require or sslmode=verify-full."
            )
    bundle = str(options.get("sslrootcert", ""))
    if mode.startswith("verify-") and bundle in {"", "system"}:
        # The OpenSSL in psycopg's binary wheel does not find the system's bundle.
        bundle = certifi.where()
    if bundle and not Path(bundle).is_file():
        raise ImproperlyConfigured(f"{variable} has sslrootcert={bundle}, which is not a file.")
    return {"sslmode": mode, **({"sslrootcert": bundle} if bundle else {})}


def is_pooled(host: str) -> bool:
    """Whether this is Neon's pooled endpoint, such as ep-cool-1-pooler.eu-central-1.aws.neon.tech."""
    return host.partition(".")[0].endswith("-pooler")


def is_local(host: str) -> bool:
    """Whether every host is a Unix socket or a loopback address."""
    return all(_is_loopback(one) for one in host.split(","))


def _is_loopback(host: str) -> bool:
    if not host or host.startswith("/") or host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
