"""A value of another type is an error. DRF's own fields would convert it."""

import pytest
from rest_framework import serializers

from tasks.serializers import TaskSerializer
from tests.support.assertions import assert_error
from todo_project.api import fields
from todo_project.api.serializers import StrictSerializer

STRICT = {
    serializers.BooleanField: fields.BooleanField,
    serializers.IntegerField: fields.IntegerField,
    serializers.CharField: fields.CharField,
    serializers.ChoiceField: fields.ChoiceField,
    serializers.UUIDField: fields.UUIDField,
    serializers.DateTimeField: fields.InstantField,
}
# DRF's validates a string; every other type fails its regular expression.
EXCEPTIONS = (serializers.EmailField,)


def subclasses(serializer):
    for subclass in serializer.__subclasses__():
        yield subclass
        yield from subclasses(subclass)


def test_every_writable_field_of_a_body_is_strict():
    lax = [
        f"{serializer.__name__}.{name}"
        for serializer in subclasses(StrictSerializer)
        for name, field in serializer().fields.items()
        if not field.read_only
        for each in (field, getattr(field, "child", None))
        for kind, strict in STRICT.items()
        if isinstance(each, kind) and not isinstance(each, (strict, *EXCEPTIONS))
    ]

    assert lax == []


@pytest.mark.parametrize(
    ("body", "field", "message"),
    [
        ({"title": 5}, "title", "Title must be a string."),
        ({"title": True}, "title", "Title must be a string."),
        ({"title": ["milk"]}, "title", "Title must be a string."),
        ({"title": "\u200b \u2800"}, "title", "Title must contain a visible character."),
        ({"title": "milk", "completed": "true"}, "completed", "Completed must be true or false."),
        ({"title": "milk", "completed": "yes"}, "completed", "Completed must be true or false."),
        ({"title": "milk", "completed": 0}, "completed", "Completed must be true or false."),
        ({"title": "milk", "completed": 1.0}, "completed", "Completed must be true or false."),
        ({"title": "milk", "priority": "2"}, "priority", "Priority must be one of 0, 1, 2, 3."),
        ({"title": "milk", "priority": True}, "priority", "Priority must be one of 0, 1, 2, 3."),
        ({"title": "milk", "priority": 2.0}, "priority", "Priority must be one of 0, 1, 2, 3."),
        ({"title": "milk", "due_at": 1900000000}, "due_at", "Due at must be a time such as"),
        ({"title": "milk", "due_at": "2030-01-31 09:00:00Z"}, "due_at", "Due at must be a time such as"),
        ({"title": "milk", "due_at": "2030-01-31T09:00:00.1234567Z"}, "due_at", "Due at must be"),
        ({"title": "milk", "due_at": "2030-W05-4T09:00:00Z"}, "due_at", "Due at must be a time such as"),
    ],
)
def test_a_value_of_another_type_is_rejected(as_alice, body, field, message):
    error = assert_error(as_alice("post", "/tasks", body), 400, "VALIDATION_ERROR", field=field)

    assert error["message"].startswith(message)
    assert as_alice("get", "/tasks").json()["results"] == []


ID = "0b8f3c1d-e5a9-4f0c-8a54-e9e1f2f7d9aa"


@pytest.mark.parametrize(
    "value", [5, ID.replace("-", ""), f"{{{ID}}}", f"urn:uuid:{ID}", f" {ID}", 15322464214624312309]
)
def test_an_id_in_another_form_is_rejected(as_alice, value):
    response = as_alice("post", "/bulk", {"operations": [{"op": "complete", "id": value}]})
    error = assert_error(response, 400, "VALIDATION_ERROR", field="operations.0.id")

    assert error["message"] == f"Id must be a UUID, such as {ID}."


@pytest.mark.parametrize("value", ["yes", "1", "on", "t", ""])
def test_a_parameter_is_true_or_false(as_alice, value):
    error = assert_error(
        as_alice("get", f"/tasks?completed={value}"), 400, "VALIDATION_ERROR", field="completed"
    )

    assert error["message"] == "Completed must be true or false."


@pytest.mark.parametrize("body", [b"", b"null", b"[]", b'"milk"', b"5"])
@pytest.mark.parametrize(
    ("method", "path"), [("post", "/tasks"), ("put", "/tasks/{id}"), ("patch", "/tasks/{id}")]
)
def test_a_body_that_is_no_object_is_rejected(as_alice, task, method, path, body):
    response = as_alice(method, path.format(id=task["id"]), body)

    assert response.status_code == 400
    assert as_alice("get", f"/tasks/{task['id']}").json() == task


def test_texts_are_found_in_either_form_of_unicode(as_alice):
    for composed, decomposed in (("café", "cafe\u0301"), ("한글", "\u1112\u1161\u11ab\u1100\u1173\u11af")):
        created = [as_alice("post", "/tasks", {"title": title}).json() for title in (composed, decomposed)]
        for text in (composed, decomposed):
            found = as_alice("get", f"/tasks?q={text}").json()["results"]
            assert {task["id"] for task in found} == {task["id"] for task in created}


def test_an_omitted_field_is_not_validated_again_in_each_request(monkeypatch):
    serializer, validated = TaskSerializer(), list[object]()
    monkeypatch.setattr(serializer.fields["priority"], "run_validation", validated.append)
    for _ in range(3):
        serializer.run_validation({"title": "milk"})

    assert len(validated) == 1


def test_no_default_of_a_field_is_computed_because_it_would_be_computed_once():
    computed = [
        f"{serializer.__name__}.{name}"
        for serializer in subclasses(StrictSerializer)
        for name, field in serializer().fields.items()
        if field.default is not serializers.empty and callable(field.default)
    ]

    assert computed == []
