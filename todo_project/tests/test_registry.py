"""Apps register what they add to the frame, and a mistake stops the start."""

import sys

import pytest
from django.core.exceptions import ImproperlyConfigured

from tests.support.run_app import start
from todo_project.config.registry import Registry


def test_a_name_is_registered_once():
    registry: Registry[str] = Registry("colours")
    registry.register("red")("#f00")
    with pytest.raises(ImproperlyConfigured, match="Two colours are registered as 'red'."):
        registry.register("red")("#e00")

    assert registry == {"red": "#f00"}


def test_a_misspelled_name_in_a_plugin_stops_the_start():
    ended = start(
        [sys.executable, "manage.py", "check"], DJANGO_SETTINGS_MODULE="tests.settings_with_broken_plugin"
    )

    assert ended.returncode != 0
    assert "cannot import name 'polices'" in ended.stderr
