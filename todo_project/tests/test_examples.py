"""The examples in README.md and docs/ work as they are written."""

import json
import os
import re
import shutil
import sys
import time
import urllib.request
from pathlib import Path

import jwt
import pytest
from django.conf import settings
from django.core.management import get_commands, load_command_class

from tests.support.browser import chromium
from tests.support.examples import has_shape, pages_with_requests, run_examples, shell_blocks
from tests.support.npm import node_modules
from tests.support.programs import require
from tests.support.run_app import prepared_sqlite
from tests.support.servers.gunicorn import Gunicorn
from todo_project.config import env, issuers

SECRET = "a secret that the identity provider shares with the server"
ISSUER = {"issuer": "backend", "audience": "todo", "algorithms": ["HS256"], "secret": SECRET}
LOCAL = "http://127.0.0.1:8000/api/v1"


class Reader:
    """A user who reads a page and types its examples."""

    def __init__(self, server, name):
        self.server, self.email, self.token = server, f"{name}@example.com", ""
        login = {"email": self.email, "password": "correct horse battery"}
        self.call("/auth/register", login)
        self.tokens = self.call("/auth/token", login)
        self.token = self.tokens["access"]

    def call(self, path, body):
        headers = {"Content-Type": "application/json"}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        request = urllib.request.Request(f"{self.url}{path}", json.dumps(body).encode(), headers)
        with urllib.request.urlopen(request, timeout=30) as response:
            return json.load(response)

    @property
    def url(self):
        return f"{self.server.url}/api/v1"

    def new_task(self):
        return self.call("/tasks", {"title": "from before"})["id"]

    def run(self, page, folder, changes):
        return run_examples(
            page, folder, changes, API=self.url, ACCESS=self.token, PROVIDER_TOKEN=provider_token()
        )


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    require(shutil.which("curl"), "no curl: install Debian's curl")
    url = prepared_sqlite(tmp_path_factory.mktemp("examples") / "db.sqlite3")
    with Gunicorn(DATABASE_URL=url, TRUSTED_ISSUERS=json.dumps([ISSUER])) as server:
        yield server


@pytest.fixture
def reader(server, request):
    return Reader(server, re.sub("[^a-z]+", "-", request.node.name.lower()))


def provider_token():
    now = int(time.time())
    claims = {"iss": "backend", "aud": "todo", "sub": "ann", "iat": now, "exp": now + 60}
    return jwt.encode(claims, SECRET, "HS256")


def ann(page):
    """Some pages register the same user."""
    return {"ann@": f"{page}-ann@"}


@pytest.mark.own_servers
@pytest.mark.parametrize(
    ("page", "changes", "failures"),
    [
        ("README.md", lambda reader: {LOCAL: reader.url, **ann("readme")}, []),
        ("docs/signing-in.md", lambda reader: {LOCAL: reader.url, **ann("signing-in")}, []),
        ("docs/personal-access-tokens.md", lambda reader: {}, []),
        ("docs/identity-providers.md", lambda reader: {}, []),
        *(
            (page, lambda reader: {LOCAL: reader.url, "TOKEN=…": f"TOKEN={reader.token}"}, [])
            for page in ("docs/projects.md", "docs/repeating-tasks.md")
        ),
        (
            "docs/tasks.md",
            lambda reader: {
                LOCAL: reader.url,
                "TOKEN=…": f"TOKEN={reader.token}",
                "0b8f…": reader.new_task(),
                "6f1c…": reader.new_task(),
                "ID=…": f"ID={reader.new_task()}",
            },
            ["412 PATCH"],  # The ETag in the example is an old one.
        ),
    ],
)
def test_the_requests_of_a_page_succeed(page, changes, failures, reader, tmp_path):
    answers = reader.run(page, tmp_path, changes(reader))

    failed = [f"{answer.status} {answer.request}" for answer in answers if answer.status >= 400]
    assert [each.rpartition(" ")[0] for each in failed] == failures, failed
    for number, (_, documented) in enumerate(shell_blocks(page)):
        if documented:
            last = [answer.body for answer in answers if answer.block == number][-1]
            assert has_shape(json.loads(documented), json.loads(last)), documented


def test_the_requests_of_every_page_are_tested():
    [table] = [mark.args[1] for mark in test_the_requests_of_a_page_succeed.pytestmark if mark.args]

    assert {page for page, *_ in table} | {"docs/offline-clients.md"} == pages_with_requests()


@pytest.mark.own_servers
def test_the_commands_of_the_example_client_keep_two_copies_in_step(reader, tmp_path):
    shutil.copytree(settings.BASE_DIR / "docs" / "examples", tmp_path / "docs" / "examples")
    url = reader.server.url
    changes = {
        LOCAL: reader.url,
        **ann("offline"),
        "offline_client.py": f"offline_client.py --url {url}",
        "<id from the list>": "$(python3 offline_client.py --file laptop.json list | sed 1q | cut -d' ' -f3)",
    }

    run_examples("docs/offline-clients.md", tmp_path, changes, API=reader.url, TOKEN=reader.token)

    [first, second] = [
        json.loads((tmp_path / "docs" / "examples" / name).read_text())
        for name in ("tasks.json", "laptop.json")
    ]
    assert first == second


@pytest.mark.own_servers
def test_the_tours_with_generated_clients_have_valid_types_and_print_the_same(server, tmp_path):
    examples = tmp_path / "docs" / "examples"
    shutil.copytree(settings.BASE_DIR / "docs" / "examples", examples)
    shutil.copy(settings.BASE_DIR / "docs" / "openapi.yaml", tmp_path / "docs")
    packages = node_modules(examples / "typescript")
    strict = "python3 -m mypy --strict --follow-imports=silent tour.py"
    changes = {
        "http://127.0.0.1:8000": server.url,
        "npm ci": f"ln -s {packages} node_modules",
        "node tour.js": "node tour.js > tour.txt",
        "cd docs/examples/python": "cd ../python",
        "pip install openapi-python-client": "true",
        "python3 tour.py": f"python3 tour.py > tour.txt\n{strict}",
    }

    run_examples(
        "docs/clients.md", tmp_path, changes, PATH=f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    )

    [typescript, python] = [(examples / name / "tour.txt").read_text() for name in ("typescript", "python")]
    assert typescript == python
    assert typescript.splitlines() == [
        "Signed in as Ann",
        "Water the tomatoes, due on 2027-05-03, repeats by FREQ=WEEKLY;BYDAY=MO,TH",
        "Tasks: Clean the pond, Mow the lawn, Prune the roses, Sow carrots, Water the tomatoes",
        'Not renamed, because it is now "Water the tomatoes and beans"',
        "Changed: task, task, task, task",
        "The copy has 10 objects, of which 4 are open tasks",
        "Refreshed for 900 seconds",
        "After signing out: INVALID_TOKEN",
        "Deleted the account",
    ]


def test_the_tours_need_no_casts():
    examples = settings.BASE_DIR / "docs" / "examples"
    typescript = re.sub(
        r"//.*|/\*.*?\*/|`[^`]*`|\"[^\"]*\"", "", (examples / "typescript" / "tour.ts").read_text()
    )
    python = (examples / "python" / "tour.py").read_text()

    assert re.findall(r"\bas\b|\bany\b|[\w)\]]!(?!=)|@ts-", typescript) == []
    assert re.findall(r"\bAny\b|\bcast\b|type: ignore", python) == []


@pytest.mark.own_servers
def test_two_tabs_that_refresh_at_once_stay_signed_in(reader):
    page = (settings.BASE_DIR / "docs" / "signing-in.md").read_text()
    [code] = re.findall(r"^```js\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    refreshes = []
    with chromium() as browser, browser.new_context(base_url=reader.server.url) as context:
        tabs = [context.new_page(), context.new_page()]
        for tab in tabs:
            tab.on("request", lambda each: refreshes.append(each.url) if "refresh" in each.url else None)
            tab.goto("/")
            tab.evaluate(f"const API = '/api/v1';\n{code}")
        tokens = reader.tokens
        for expired in ("first", "second"):
            refreshes.clear()
            store = "tokens => localStorage.setItem('tokens', JSON.stringify(tokens))"
            tabs[0].evaluate(store, tokens | {"access": expired})
            for tab in tabs:
                tab.evaluate("() => { window.answers = Promise.all([call('/me'), call('/tasks')]) }")
            statuses = [tab.evaluate("async () => (await answers).map(each => each.status)") for tab in tabs]
            tokens = tabs[0].evaluate("JSON.parse(localStorage.tokens)")

            assert statuses == [[200, 200], [200, 200]]
            assert len(refreshes) in {1, 2}  # Without the lock there are four.


def test_the_examples_of_issuers_are_valid():
    page = (settings.BASE_DIR / "docs" / "identity-providers.md").read_text()
    examples = re.findall("^TRUSTED_ISSUERS=(.*)$", page, re.MULTILINE)

    assert len(examples) == 4
    for example in examples:
        assert len(issuers.parse(example.replace("…", "-" * 10))) == 1


def test_the_example_of_an_error_is_a_real_one(as_alice):
    page = (settings.BASE_DIR / "docs" / "errors.md").read_text()
    [example] = re.findall(r"^```json\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    error = as_alice("post", "/tasks", {"title": " "}).json()
    error["error"]["request_id"] = "…"

    assert json.loads(example) == error


def test_all_targets_of_make_exist_and_are_listed():
    makefile = (settings.BASE_DIR / "Makefile").read_text()
    [targets] = re.findall(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)
    pages = [*settings.BASE_DIR.glob("*.md"), *settings.BASE_DIR.glob("docs/*.md")]
    mentioned = {each for page in pages for each in re.findall(r"(?m)(?:`|^)make ([a-z]+)", page.read_text())}

    assert mentioned - {"it", "a", "all"} <= {*targets.split()}
    assert re.findall("^# make ([a-z]+) ", makefile, re.MULTILINE) == [*targets.split()]


def test_the_example_of_an_environment_names_variables_that_are_read():
    page = (settings.BASE_DIR / "docs" / "deployment.md").read_text()
    names = re.findall("^ *([A-Z_]+)=", page, re.MULTILINE)

    assert {"SECRET_KEY", "DATABASE_URL"} <= {*names} <= env.NAMES_READ


def test_all_commands_and_their_options_exist():
    pages = [
        settings.BASE_DIR / "README.md",
        settings.BASE_DIR / "CONTRIBUTING.md",
        *settings.BASE_DIR.glob("docs/*.md"),
    ]
    mentions = {
        mention
        for page in pages
        for mention in re.findall(r"manage\.py ([a-z_]+)((?: [^`;|\n]*)?)", page.read_text())
    }

    assert len(mentions) > 10
    for name, arguments in mentions:
        parser = load_command_class(get_commands()[name], name).create_parser("manage.py", name)
        for option in re.findall("--[a-z-]+", arguments):
            assert option in parser._option_string_actions, f"{name} {option}"
