"""From a URL to a Django database that is safe on Neon. Pure functions: they connect to nothing."""

import ipaddress
import re
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

# Neon suspends a compute after 300 s without a query; a connection that is older is most likely dead.
MAX_AGE = 240

CONNECTION: dict[str, Any] = {
    "connect_timeout": 10,
    "keepalives": 1,
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    # Keepalives watch an idle connection only; this ends one whose peer vanished under a query.
    "tcp_user_timeout": 10_000,
    "application_name": "todo",
}


def configure(
    url: str, *, base_dir: Path, variable: str, pooler: bool = False, direct: bool = False
) -> Config:
    """The entry for DATABASES, or ImproperlyConfigured with one sentence that names the variable.

    A pooler is known by Neon's host name; `pooler` tells of another one, `direct` forbids any.
    """
    scheme = url.partition(":")[0]
    if scheme not in POSTGRESQL_SCHEMES | {"sqlite"}:
        raise ImproperlyConfigured(f"{variable} must begin with postgresql:// or sqlite://.")
    try:
        config: Config = dict(dj_database_url.parse(url))
    except ValueError:
        # The parser's own words may repeat the password.
        raise ImproperlyConfigured(
            f"{variable} cannot be read as a URL. Percent-encode special characters in the password."
        ) from None
    if scheme == "sqlite":
        return sqlite(config, base_dir=base_dir, variable=variable)
    pooler = pooler or is_pooled(config["HOST"])
    if direct and pooler:
        raise ImproperlyConfigured(f"{variable} names the pooled endpoint; write the host without '-pooler'.")
    return postgresql(config, variable=variable, pooler=pooler)


def sqlite(config: Config, *, base_dir: Path, variable: str) -> Config:
    """SQLite as embedded default: readers beside one writer, and a second writer waits instead of failing."""
    if config.get("OPTIONS"):
        raise ImproperlyConfigured(f"{variable} takes no options for SQLite; remove what follows the '?'.")
    in_memory = config["NAME"] == ":memory:"
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": config["NAME"] if in_memory else str(base_dir / config["NAME"]),
        "OPTIONS": {
            # A transaction that reads first and writes later would fail at once instead of waiting.
            "transaction_mode": "IMMEDIATE",
            "timeout": 5,
            "init_command": "PRAGMA foreign_keys=ON" if in_memory else "PRAGMA journal_mode=WAL",
        },
    }


def postgresql(config: Config, *, variable: str, pooler: bool) -> Config:
    if not config["NAME"]:
        raise ImproperlyConfigured(f"{variable} names no database; write it after the host, as in …/neondb.")
    options = {**CONNECTION, **config.get("OPTIONS", {})}
    refuse_unknown_options(options, variable)
    if pooler:
        refuse_what_a_pooler_cannot_keep(options, variable)
    host = str(options.get("hostaddr") or config["HOST"] or options.get("host") or "")
    return {
        **config,
        "ENGINE": "todo_project.db.postgresql",
        "OPTIONS": {**options, **tls(options, host=host, variable=variable)},
        "CONN_MAX_AGE": MAX_AGE,
        "CONN_HEALTH_CHECKS": True,
        "DISABLE_SERVER_SIDE_CURSORS": pooler,
    }


def refuse_unknown_options(options: dict[str, Any], variable: str) -> None:
    """libpq refuses an option it does not know, but only at the first connection."""
    repeated = [name for name, value in options.items() if isinstance(value, list)]
    if repeated:
        raise ImproperlyConfigured(f"{variable} gives the option {repeated[0]} twice; keep one.")
    for name, value in options.items():
        try:
            make_conninfo("", **{name: value})
        except ProgrammingError:
            raise ImproperlyConfigured(
                f"{variable} has the option {name}, which PostgreSQL does not know; remove it."
            ) from None


def refuse_what_a_pooler_cannot_keep(options: dict[str, Any], variable: str) -> None:
    """Neon itself reads endpoint=… or project=… there; a setting would fail or leak to other clients."""
    startup = str(options.get("options", ""))
    if startup and not re.fullmatch(r"(endpoint|project)=[\w-]+", startup):
        raise ImproperlyConfigured(
            f"{variable} passes start-up options through a pooler; set them with ALTER ROLE … SET … instead."
        )


def tls(options: dict[str, Any], *, host: str, variable: str) -> dict[str, str]:
    """TLS for this host: encrypted unless local, and verified against a bundle that exists."""
    if is_local(host):
        mode = str(options.get("sslmode", "prefer"))
    else:
        mode = str(options.get("sslmode", "require"))
        if mode not in STRONG_TLS:
            raise ImproperlyConfigured(
                f"{variable} asks for sslmode={mode}, which may talk in the clear; "
                "write sslmode=require or sslmode=verify-full."
            )
    bundle = str(options.get("sslrootcert", ""))
    if mode.startswith("verify-") and bundle in {"", "system"}:
        # psycopg's binary wheel brings its own OpenSSL, which does not look where the system has its bundle.
        bundle = certifi.where()
    if bundle and not Path(bundle).is_file():
        raise ImproperlyConfigured(f"{variable} names sslrootcert={bundle}, which is not a file.")
    return {"sslmode": mode, **({"sslrootcert": bundle} if bundle else {})}


def is_pooled(host: str) -> bool:
    """Whether it is Neon's pooled endpoint, such as ep-cool-name-123456-pooler.eu-central-1.aws.neon.tech."""
    return host.partition(".")[0].endswith("-pooler")


def is_local(host: str) -> bool:
    """A Unix socket or a loopback address; of several hosts, all."""
    return all(_is_loopback(one) for one in host.split(","))


def _is_loopback(host: str) -> bool:
    if not host or host.startswith("/") or host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
