"""Imports run one way, and a few habits that the eye would miss."""

import ast
from pathlib import Path

import pytest
from django.conf import settings

from tests.support.sources import sources

LAYERS = ["querysets", "models", "serializers", "views", "urls"]
"""Each may import those before it."""
BESIDE = {"filters": "serializers", "admin": "views", "dashboard": "views", "commands": "views"}
"""Each stands where the layer named stands."""


def imports(path: Path) -> set[str]:
    """The dotted names a file imports, the relative ones made absolute."""
    package = path.relative_to(settings.BASE_DIR).parent.parts
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package[: len(package) + 1 - node.level]) if node.level else ""
            module = ".".join(filter(None, [base, node.module]))
            found |= {f"{module}.{alias.name}" for alias in node.names}
    return found


@pytest.mark.parametrize(
    ("room", "strangers"),
    [("todo_project", ("accounts", "tasks")), ("accounts", ("tasks",)), ("tasks", ("accounts",))],
)
def test_a_room_does_not_import_a_stranger(room, strangers):
    trespasses = [
        f"{path.relative_to(settings.BASE_DIR)} imports {name}"
        for path in sources()
        if path.relative_to(settings.BASE_DIR).parts[0] == room
        for name in imports(path)
        if name.partition(".")[0] in strangers
    ]

    assert trespasses == []


def layer_of(module: str) -> int | None:
    for part in module.split(".")[1:]:
        layer = BESIDE.get(part, part)
        if layer in LAYERS:
            return LAYERS.index(layer)
    return None


@pytest.mark.parametrize("room", ["accounts", "tasks"])
def test_a_layer_imports_only_those_below_it(room):
    climbs = []
    for path in sources():
        module = ".".join(path.relative_to(settings.BASE_DIR).with_suffix("").parts)
        own = layer_of(module)
        if not module.startswith(f"{room}.") or own is None:
            continue
        for name in imports(path):
            theirs = layer_of(name) if name.startswith(f"{room}.") else None
            if theirs is not None and theirs > own:
                climbs.append(f"{module} imports {name}")

    assert climbs == []


def test_only_env_reads_the_environment():
    """The two others name the settings module and look for sockets that were handed over."""
    readers = {
        str(path.relative_to(settings.BASE_DIR))
        for path in sources()
        if {"os.environ", "os.getenv", "environ.Env"} & {*imports(path), *attributes(path)}
    }

    assert readers == {
        "todo_project/config/env.py",
        "todo_project/wsgi.py",
        "todo_project/server/gunicorn_conf.py",
    }


def attributes(path: Path) -> set[str]:
    return {
        f"{node.value.id}.{node.attr}"
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)
    }


@pytest.mark.parametrize("name", ["utils", "helpers", "common", "misc", "signals"])
def test_no_room_is_named_for_nothing(name):
    assert [path for path in sources(tests=True) if path.stem == name or name in path.parts] == []


def test_no_model_overrides_save():
    overriding = [
        f"{path.relative_to(settings.BASE_DIR)}: {node.name}"
        for path in sources()
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ClassDef)
        and any(isinstance(inner, ast.FunctionDef) and inner.name == "save" for inner in node.body)
    ]

    assert overriding == []
