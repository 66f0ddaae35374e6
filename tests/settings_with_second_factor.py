"""The settings under test, read once more with the second factor switched on."""

import importlib

from environ import Env

from .settings import *  # noqa: F403

Env.ENVIRON["STAFF_SECOND_FACTOR"] = "true"
_settings = importlib.import_module("todo_project.settings")
globals().update(vars(importlib.reload(_settings)))
