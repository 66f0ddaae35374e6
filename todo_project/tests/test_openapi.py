"""The description is valid, complete and the one in git."""

import io

import pytest
import yaml
from django.conf import settings
from django.core.management import call_command
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.validation import validate_schema

from tests.support import notes
from todo_project.api.errors import all_errors

SNAPSHOT = settings.BASE_DIR / "docs" / "openapi.yaml"


@pytest.fixture(scope="module")
def described():
    """The description of the frame's own routes and the notes resource."""
    return SchemaGenerator(patterns=notes.urlpatterns).get_schema(request=None, public=True)


@pytest.fixture
def operations(described):
    return {
        (method, path): operation
        for path, methods in described["paths"].items()
        for method, operation in methods.items()
    }


def test_the_description_in_git_is_current():
    written = io.StringIO()
    call_command("spectacular", "--validate", "--fail-on-warn", stdout=written)

    assert SNAPSHOT.read_text() == written.getvalue(), (
        "The API has changed: run make openapi and read the difference."
    )


def test_a_new_resource_is_valid_openapi_3_1(described):
    validate_schema(described)

    assert described["openapi"] == "3.1.0"


def test_the_served_description_is_the_one_in_git_and_cached(client, db):
    response = client.get("/api/v1/schema")

    assert response.json() == yaml.safe_load(SNAPSHOT.read_text())
    assert client.get("/api/v1/schema", headers={"If-None-Match": response["ETag"]}).status_code == 304


def test_every_operation_has_the_error_shape(described, operations):
    for operation in operations.values():
        errors = {status: answer for status, answer in operation["responses"].items() if status >= "400"}
        assert {"400", "406", "429", "500", "503"} <= set(errors)
        for answer in errors.values():
            name = answer["$ref"].removeprefix("#/components/responses/")
            content = described["components"]["responses"][name]["content"]["application/json"]
            assert content["schema"] == {"$ref": "#/components/schemas/Error"}
            assert content["examples"]


def test_every_code_of_the_all_errors_has_an_example(described):
    shown = {
        example
        for response in described["components"]["responses"].values()
        for example in response["content"]["application/json"]["examples"]
    }

    assert shown == {error.default_code for error in all_errors()}


@pytest.mark.parametrize(
    ("operation", "statuses"),
    [
        (("get", "/api/v1/notes"), {"401", "403"}),
        (("post", "/api/v1/notes"), {"401", "403", "409", "413", "415", "422"}),
        (("get", "/api/v1/notes/{id}"), {"401", "403", "404"}),
        (("patch", "/api/v1/notes/{id}"), {"401", "403", "404", "409", "412", "413", "415"}),
        (("get", "/api/v1/schema"), set()),
    ],
)
def test_an_operation_names_the_errors_of_its_kind(operations, operation, statuses):
    everywhere = {"400", "406", "429", "500", "503", "504"}

    assert {
        status for status in operations[operation]["responses"] if status >= "400"
    } == everywhere | statuses


def test_an_operation_names_its_parameters(operations):
    named = [parameter["name"] for parameter in operations["get", "/api/v1/notes"]["parameters"]]

    assert sorted(named) == ["cursor", "limit", "ordering", "q", "rank"]


def test_an_id_in_a_path_is_a_uuid(operations):
    parameter, condition = operations["get", "/api/v1/notes/{id}"]["parameters"]

    assert parameter["schema"] == {"type": "string", "format": "uuid"}
    assert (condition["name"], condition["in"]) == ("If-None-Match", "header")


def test_a_post_takes_an_idempotency_key(operations):
    [parameter] = operations["post", "/api/v1/notes"]["parameters"]

    assert (parameter["name"], parameter["in"]) == ("Idempotency-Key", "header")


def test_who_may_call_is_told(described, operations):
    assert operations["get", "/api/v1/notes"]["security"] == [{"bearer": []}]
    assert operations["get", "/api/v1/schema"]["security"] == [{}]
    assert described["components"]["securitySchemes"]["bearer"]["scheme"] == "bearer"
