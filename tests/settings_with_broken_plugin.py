"""The test settings with an app whose plug-in cannot be imported."""

from tests.settings import *  # noqa: F403

INSTALLED_APPS = [*INSTALLED_APPS, "tests.support.broken_plugin"]  # noqa: F405
