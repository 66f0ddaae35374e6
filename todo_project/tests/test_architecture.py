"""The order of imports, and conventions that a review would miss."""

import ast
from functools import cache
from pathlib import Path

import pytest

from tests.support.sources import PACKAGES, relative, sources

DOMAIN = {
    "todo_project": [],
    "accounts": [
        "apps errors hashers",
        "tokens jwks validators",
        "querysets",
        "models",
        "login_guard erasure otp_devices",
        "identities purge",
    ],
    "tasks.ledger": [
        "apps querysets",
        "models",
        "kinds replica",
        "writes",
        "operations",
        "counts epochs problems single_statement sync trash",
        "purge export diagnosis",
    ],
    "tasks": ["apps dates positions recurrence", "order querysets", "models", "operations demo", "kinds"],
}
"""The modules that import neither DRF nor a type of HTTP. Each imports only from the lines above its own."""

LAYERS = {
    "todo_project": [
        "models formats",
        "config",
        "settings db",
        "apps",
        "api",
        "admin server",
        "operations pages",
        "management urls wsgi",
    ],
    "accounts": [
        *DOMAIN["accounts"],
        "forms scopes backends roles dashboard diagnosis",
        "serializers sessions password_reset authentication site",
        "reauthentication export importing second_factor",
        "views admin management",
        "urls",
    ],
    "tasks.ledger": [
        *DOMAIN["tasks.ledger"],
        "fields reads importing dashboard",
        "serializers filters",
        "views admin management",
        "urls",
    ],
    "tasks": [
        "ledger",
        *DOMAIN["tasks"],
        "roles dashboard serializers filters stats",
        "views admin management",
        "urls",
    ],
}

HTTP = (
    "rest_framework",
    "drf_spectacular",
    "django.http",
    "django.core.handlers",
    "django.shortcuts",
    "django.test",
    "http.HTTPStatus",
    "todo_project.api",
)
FREE_OF_HTTP = "todo_project.api.errors"


@cache
def imports(path: Path) -> set[str]:
    """The dotted names a file imports, the relative ones made absolute."""
    package = relative(path).parent.parts
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package[: len(package) + 1 - node.level]) if node.level else ""
            module = ".".join(filter(None, [base, node.module]))
            found |= {f"{module}.{alias.name}" for alias in node.names}
    return found


def module_of(path: Path) -> str:
    """A package's name for its __init__.py, too."""
    return ".".join(relative(path).with_suffix("").parts).removesuffix(".__init__")


def is_in(package: str, name: str) -> bool:
    return name.startswith(f"{package}.")


def part(package: str, name: str) -> str:
    """The module or package that a dotted name is in, of those directly in the package."""
    return name.removeprefix(f"{package}.").partition(".")[0]


def rank(package: str, name: str) -> int:
    [found] = [number for number, line in enumerate(LAYERS[package]) if part(package, name) in line.split()]
    return found


def modules(package: str) -> list[Path]:
    """All but migrations, which Django writes, and the empty __init__.py of packages."""
    return [
        path
        for path in sources()
        if is_in(package, module_of(path)) and "migrations" not in path.parts and path.read_text()
    ]


def violations(package: str, is_allowed) -> list[str]:
    return [
        f"{module_of(path)} imports {name}"
        for path in modules(package)
        for name in sorted(imports(path))
        if not is_allowed(module_of(path), name)
    ]


@pytest.mark.parametrize("package", LAYERS)
def test_each_module_has_one_place_in_the_layers(package):
    placed = " ".join(LAYERS[package]).split()

    assert sorted(placed) == sorted({part(package, module_of(path)) for path in modules(package)})


@pytest.mark.parametrize("package", LAYERS)
def test_a_module_imports_only_from_the_layers_below_it(package):
    def is_allowed(module: str, name: str) -> bool:
        if not is_in(package, name) or part(package, name) == part(package, module):
            return True
        return rank(package, name) < rank(package, module)

    assert violations(package, is_allowed) == []


@pytest.mark.parametrize(
    ("package", "strangers"),
    [
        ("todo_project", ("accounts", "tasks", "tests")),
        ("accounts", ("tasks", "tests")),
        ("tasks", ("accounts", "tests")),
    ],
)
def test_the_apps_do_not_import_each_other_and_the_frame_imports_neither(package, strangers):
    assert violations(package, lambda module, name: name.partition(".")[0] not in strangers) == []


def test_the_ledger_knows_no_kind_of_object():
    assert (
        violations(
            "tasks.ledger", lambda module, name: is_in("tasks.ledger", f"{name}.") or not is_in("tasks", name)
        )
        == []
    )


@pytest.mark.parametrize("package", ["accounts", "tasks", "tasks.ledger"])
def test_the_domain_imports_no_drf_and_no_http_type(package):
    domain = " ".join(DOMAIN[package]).split()

    def is_allowed(module: str, name: str) -> bool:
        return part(package, module) not in domain or is_free_of_http(name)

    assert violations(package, is_allowed) == []


def test_the_errors_that_the_domain_raises_know_nothing_of_http():
    [path] = [path for path in sources() if module_of(path) == FREE_OF_HTTP]

    assert [name for name in imports(path) if not is_free_of_http(name)] == []


def is_free_of_http(name: str) -> bool:
    return f"{name}.".startswith(f"{FREE_OF_HTTP}.") or not name.startswith(HTTP)


def test_no_module_imports_a_test_module_or_a_conftest():
    importing = [
        f"{relative(path)} imports {name}"
        for path in sources(*PACKAGES, "tests")
        for name in imports(path)
        if name.partition(".")[0] == "conftest" or ".tests." in name
    ]

    assert importing == []


def test_only_env_reads_the_environment():
    """The two others name the settings module and look for sockets that were handed over."""
    readers = {
        str(relative(path))
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
def test_no_module_has_a_name_that_says_nothing(name):
    assert [
        path for path in sources(*PACKAGES, "tests") if name in relative(path).with_suffix("").parts
    ] == []


def test_no_model_overrides_save():
    overriding = [
        f"{relative(path)}: {node.name}"
        for path in sources()
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ClassDef)
        and any(isinstance(inner, ast.FunctionDef) and inner.name == "save" for inner in node.body)
    ]

    assert overriding == []
