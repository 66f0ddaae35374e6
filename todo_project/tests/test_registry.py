"""Apps register what they add to the frame, and a mistake stops the start."""

import sys

import pytest
from django.apps import apps
from django.core.exceptions import FieldError, ImproperlyConfigured

from tests.support.run_app import run_program
from todo_project.config.registry import Registry
from todo_project.db.user_annotations import USER_ANNOTATIONS, UserAnnotation


def test_a_name_is_registered_once():
    registry: Registry[str] = Registry("colours")
    registry.register("red")("#f00")
    with pytest.raises(ImproperlyConfigured, match="Two colours are registered as 'red'."):
        registry.register("red")("#e00")

    assert registry == {"red": "#f00"}


def test_a_wrong_path_of_a_user_annotation_stops_the_start(monkeypatch):
    monkeypatch.setitem(USER_ANNOTATIONS, "tock", UserAnnotation("clok__tick", default=0))
    with pytest.raises(FieldError, match="Cannot resolve keyword 'clok'"):
        apps.get_app_config("todo_project").ready()


def test_a_misspelled_name_in_a_plugin_stops_the_start():
    ended = run_program(
        [sys.executable, "manage.py", "check"], DJANGO_SETTINGS_MODULE="tests.settings_with_broken_plugin"
    )

    assert ended.returncode != 0
    assert "cannot import name 'polices'" in ended.stderr
