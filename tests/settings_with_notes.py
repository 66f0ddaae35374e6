"""The settings of a server that serves the tests' own notes beside the real routes."""

from todo_project.settings import *  # noqa: F403

ROOT_URLCONF = "tests.support.notes"
