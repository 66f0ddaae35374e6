"""schemathesis sends valid and invalid requests to every operation, and follows the links between them."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.processes import TIMEOUT
from tests.support.raw_http import lines
from tests.support.servers.gunicorn import ROOT, Gunicorn

pytestmark = pytest.mark.own_servers

EXAMPLES = int(os.environ.get("TEST_EXAMPLES", "6"))
"""For each operation."""


@pytest.fixture
def server(postgres):
    """Without the notes, because the hooks of schemathesis have the settings of the server."""
    with Gunicorn(DATABASE_URL=postgres.url) as server:
        yield server


def assert_finds_nothing(server, phases, examples, *more):
    program = Path(sys.executable).with_name("st")
    options = ["--no-color", "--phases", phases, "--max-examples", str(examples), *more]
    ended = subprocess.run(
        [program, "run", f"{server.url}/api/v1/schema", *options],
        cwd=ROOT,
        env=server.environment,
        capture_output=True,
        text=True,
        timeout=TIMEOUT + 20 * EXAMPLES,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr


def test_responses_to_valid_and_invalid_requests_are_as_described(server):
    assert_finds_nothing(server, "examples,coverage,fuzzing", EXAMPLES)


def test_responses_along_the_links_of_the_description_are_as_described(server):
    # Elsewhere there are no chains, only links from a list to its objects; and two operations end a chain.
    paths = ["--include-path-regex", "^/api/v1/(tasks|trash)", "--exclude-path-regex", "(stats|occurrences)$"]
    task, trashed = "/api/v1/tasks/<id:id>", "/api/v1/trash/<id:id>"
    chain = {("PATCH", task), ("DELETE", task), ("POST", f"{trashed}/restore"), ("DELETE", trashed)}
    succeeded: set[Any] = set()
    for seed in range(1, 6):  # Most walks reach all of them; which ones one walk reaches depends on chance.
        if succeeded >= chain:
            break
        assert_finds_nothing(server, "stateful", 6 * EXAMPLES, "--seed", str(seed), *paths)
        succeeded = {
            (line.get("method"), line.get("route")) for line in lines(server.log) if line.get("status") == 200
        }

    assert succeeded >= chain
