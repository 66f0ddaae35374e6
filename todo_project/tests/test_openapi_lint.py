"""docs/openapi.yaml passes the recommended rules of two linters."""

import os
import subprocess

import pytest
from django.conf import settings

from tests.support.npm import node_modules
from tests.support.processes import TIMEOUT

pytestmark = pytest.mark.own_servers  # To run once, and not for each database.

FOLDER = settings.BASE_DIR / "tests" / "openapi_lint"
DESCRIPTION = settings.BASE_DIR / "docs" / "openapi.yaml"


@pytest.mark.parametrize(
    "command",
    [
        ["redocly", "lint", f"--config={FOLDER}/redocly.yaml"],
        ["spectral", "lint", f"--ruleset={FOLDER}/spectral.yaml", "--fail-severity=hint"],
    ],
    ids=lambda command: command[0],
)
def test_the_description_passes_the_recommended_rules(command):
    program, *options = command
    ended = subprocess.run(
        [node_modules(FOLDER) / ".bin" / program, *options, DESCRIPTION],
        env={**os.environ, "REDOCLY_TELEMETRY": "off", "REDOCLY_SUPPRESS_UPDATE_NOTICE": "true"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        check=False,
    )

    assert ended.returncode == 0, ended.stdout + ended.stderr
