"""The OpenAPI description of kinds of objects: a new kind is described in every place."""

import json
import re

import pytest
from drf_spectacular.drainage import GENERATOR_STATS
from drf_spectacular.generators import SchemaGenerator

from tasks.ledger.serializers import DataField, operation_data
from todo_project.api.schema import document


@pytest.fixture
def described(library, monkeypatch):
    # drf-spectacular remembers the serializers of a description.
    monkeypatch.setitem(vars(DataField)["_spectacular_annotation"], "field", operation_data())
    GENERATOR_STATS.reset()
    return SchemaGenerator(urlconf="tests.support.library").get_schema(request=None, public=True)


@pytest.fixture
def schemas(described):
    return described["components"]["schemas"]


def refs(schema):
    return [each["$ref"].rpartition("/")[2] for each in schema["anyOf"]]


def operation(described, method, path):
    return described["paths"][f"/api/v1{path}"][method]


def test_a_new_kind_causes_no_warning(described):
    assert not GENERATOR_STATS


def test_each_kind_has_its_own_bodies(schemas):
    assert [*schemas["NewBookRequest"]["properties"]] == ["key", "title", "place"]
    assert [*schemas["BookRequest"]["properties"]] == ["title", "place"]
    assert schemas["NewBookRequest"]["required"] == ["title"]
    assert "required" not in schemas["BookDataRequest"]
    assert [*schemas["BookEntry"]["properties"]][:3] == ["kind", "id", "user_id"]
    assert [*schemas["BookEntry"]["properties"]][-2:] == ["deleted_at", "version"]
    assert "description" not in schemas["Book"]


def test_the_choices_of_kinds_and_operations_are_listed(described, schemas):
    assert schemas["KindEnum"]["enum"] == ["task", "project", "label", "book", "shelf"]
    assert schemas["OpEnum"]["enum"][-1] == "finish"
    assert refs(schemas["OperationDataRequest"]) == [
        "TaskDataRequest", "ProjectDataRequest", "LabelDataRequest", "BookDataRequest", "ShelfDataRequest",
        "CompletionRequest", "TaskMoveRequest", "SkipRequest", "ProjectMoveRequest",
    ]  # fmt: skip
    assert refs(schemas["Change"]) == [
        "TaskEntry", "ProjectEntry", "LabelEntry", "BookEntry", "ShelfEntry", "Tombstone",
    ]  # fmt: skip
    [kind] = [each for each in operation(described, "get", "/trash")["parameters"] if each["name"] == "kind"]
    assert kind["schema"]["enum"] == ["task", "project", "book"]


def test_each_kind_is_named_in_the_texts(described):
    assert operation(described, "post", "/books")["summary"] == "Create a book"
    assert operation(described, "get", "/shelves")["summary"] == "List your shelves"


def test_the_deletion_of_an_object_without_a_trash_is_described_as_final(described):
    described_as = operation(described, "delete", "/shelves/{id}")
    answer = described_as["responses"]["200"]

    assert described_as["description"] == "It cannot be restored. Repeating it is 404."
    assert answer["content"]["application/json"]["schema"] == {"$ref": "#/components/schemas/Tombstone"}
    assert "ETag" not in answer["headers"]
    assert "If-Match" in [each["name"] for each in described_as["parameters"]]


def test_a_full_body_shows_each_default_and_no_other_does(schemas):
    def defaults(name):
        texts = {name: field.get("description", "") for name, field in schemas[name]["properties"].items()}
        found = {name: re.search("Default: `(.*)`", text) for name, text in texts.items()}
        return {name: json.loads(match[1]) for name, match in found.items() if match}

    full = defaults("TaskRequest")
    assert (full["description"], full["completed"], full["due_at"]) == ("", False, None)
    assert defaults("NewTaskRequest") == full
    assert defaults("BookRequest") == defaults("PatchedTaskRequest") == defaults("TaskDataRequest") == {}
    assert defaults("Task") == {}


def test_lists_in_urls_are_described_as_repeated_parameters():
    """That is the default of OpenAPI, and all that many generated clients can send."""
    schema, _ = document()
    lists = [
        parameter
        for path in schema["paths"].values()
        for each in path.values()
        for parameter in each.get("parameters", [])
        if parameter["in"] == "query" and parameter["schema"].get("type") == "array"
    ]

    assert {each["name"] for each in lists} == {"ids", "fields", "label"}
    assert [each for each in lists if {"style", "explode"} & each.keys()] == []
