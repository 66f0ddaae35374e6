"""The OpenAPI document is valid and complete, and docs/openapi.yaml is current."""

import io
from collections import Counter

import pytest
import yaml
from django.conf import settings
from django.core.management import call_command
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.validation import validate_schema
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

from tests.support import notes
from tests.support.assertions import assert_error
from todo_project.api.errors import all_errors

pytestmark = pytest.mark.any_database

SNAPSHOT = settings.BASE_DIR / "docs" / "openapi.yaml"


@pytest.fixture(scope="module")
def document():
    """The OpenAPI document of the routes of todo_project and the notes resource."""
    return SchemaGenerator(patterns=notes.urlpatterns).get_schema(request=None, public=True)


@pytest.fixture
def operations(document):
    return {
        (method, path): operation
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }


def test_docs_openapi_yaml_is_current():
    written = io.StringIO()
    call_command("spectacular", "--validate", "--fail-on-warn", stdout=written)

    assert SNAPSHOT.read_text() == written.getvalue(), (
        "The API has changed: run make openapi and read the difference."
    )


def test_tags_and_operations_are_in_the_order_of_their_use():
    document = yaml.safe_load(SNAPSHOT.read_text())
    names = [tag["name"] for tag in document["tags"]]
    operations = [operation for path in document["paths"].values() for operation in path.values()]

    assert {tag for operation in operations for tag in operation["tags"]} == {*names}
    assert (names[:3], names[-1]) == (["auth", "me", "tasks"], "meta")
    assert all(tag["description"] for tag in document["tags"])
    first = {
        tag: [operation["operationId"] for operation in operations if tag in operation["tags"]][:4]
        for tag in ("auth", "tasks")
    }
    assert first == {
        "auth": ["register", "signIn", "refreshTokens", "signOut"],
        "tasks": ["listTasks", "createTask", "getTask", "replaceTask"],
    }


def test_the_server_of_the_description_is_the_one_that_serves_it():
    document = yaml.safe_load(SNAPSHOT.read_text())

    assert [server["url"] for server in document["servers"]] == ["/"]
    assert all(path.startswith("/api/v1") for path in document["paths"])


def test_the_document_with_another_resource_is_valid_openapi_3_1(document):
    validate_schema(document)

    assert document["openapi"] == "3.1.0"


def test_the_served_document_equals_docs_openapi_yaml_and_has_an_etag(client, db):
    response = client.get("/api/v1/schema")

    assert response.json() == yaml.safe_load(SNAPSHOT.read_text())
    assert client.get("/api/v1/schema", headers={"If-None-Match": response["ETag"]}).status_code == 304


def test_the_document_is_served_as_yaml_too(client, db):
    response = client.get("/api/v1/schema?format=yaml")

    assert response["Content-Type"] == "application/yaml"
    assert yaml.safe_load(response.content) == yaml.safe_load(SNAPSHOT.read_text())
    assert response["ETag"] != client.get("/api/v1/schema?format=json")["ETag"]
    assert_error(client.get("/api/v1/schema?format=xml"), 400, "VALIDATION_ERROR", field="format")


def test_every_error_of_an_operation_has_an_error_schema_and_valid_examples(document, operations):
    for operation in operations.values():
        errors = {status: answer for status, answer in operation["responses"].items() if status >= "400"}
        assert {"400", "406", "429", "500", "503"} <= set(errors)
        for status, answer in errors.items():
            name = answer["$ref"].removeprefix("#/components/responses/")
            content = document["components"]["responses"][name]["content"]["application/json"]
            schema = "Error" if status != "412" else name
            assert content["schema"] == {"$ref": f"#/components/schemas/{schema}"}
            assert content["examples"]
            for example in content["examples"].values():
                assert errors_of(document, content["schema"], example["value"]) == []


def errors_of(document, schema, value):
    return [*Draft202012Validator(schema | {"components": document["components"]}).iter_errors(value)]


def test_every_error_code_has_an_example_except_that_of_a_method_without_an_operation(document):
    examples = {
        example
        for response in document["components"]["responses"].values()
        for example in response["content"]["application/json"]["examples"]
    }

    assert examples == {error.default_code for error in all_errors()} - {"METHOD_NOT_ALLOWED"}


@pytest.mark.parametrize(
    ("method", "path", "current"),
    [
        ("patch", "/notes/{id}", "Note"),
        ("patch", "/tasks/{id}", "Task"),
        ("post", "/tasks/{id}/complete", "Task"),
        ("delete", "/labels/{id}", "Label"),
        ("post", "/trash/{id}/restore", "Object"),
        ("post", "/bulk", "Change"),
    ],
)
def test_412_is_described_with_the_type_of_the_current_object(document, operations, method, path, current):
    response = operations[method, f"/api/v1{path}"]["responses"]["412"]
    name = response["$ref"].removeprefix("#/components/responses/")
    error = document["components"]["schemas"][name]["properties"]["error"]["properties"]

    assert error["code"] == {"const": "PRECONDITION_FAILED"}
    assert error["details"]["properties"]["current"] == {"$ref": f"#/components/schemas/{current}"}
    assert error["details"]["required"] == ["current"]


def test_412_of_all_objects_shows_none(document):
    details = document["components"]["schemas"]["PreconditionFailed"]["properties"]["error"]["properties"][
        "details"
    ]

    assert "current" not in details["properties"]
    assert "PRECONDITION_FAILED" not in document["components"]["schemas"]["ErrorCode"]["enum"]


def test_a_body_states_its_defaults_and_requires_none_of_the_fields_that_have_one():
    schemas = yaml.safe_load(SNAPSHOT.read_text())["components"]["schemas"]

    assert schemas["NewTaskRequest"]["required"] == ["title"]
    assert schemas["NewTaskRequest"]["properties"]["completed"]["description"] == "Default: `false`."
    assert schemas["OperationRequest"]["required"] == ["op"]
    assert "Default" not in schemas["PatchedTaskRequest"]["properties"]["priority"]["description"]
    for name, schema in schemas.items():
        for field, described in schema.get("properties", {}).items():
            assert "default" not in described, f"{name}.{field}"


def test_a_field_that_is_null_only_in_requests_is_never_null_in_responses():
    schemas = yaml.safe_load(SNAPSHOT.read_text())["components"]["schemas"]
    types = {
        name: schemas[name]["properties"]["description"]["type"]
        for name in ("NewTaskRequest", "Task", "TaskEntry")
    }

    assert types == {"NewTaskRequest": ["string", "null"], "Task": "string", "TaskEntry": "string"}


def test_the_members_of_an_enum_of_numbers_have_names():
    document = yaml.safe_load(SNAPSHOT.read_text())
    enum = document["components"]["schemas"]["PriorityEnum"]
    parameters = document["paths"]["/api/v1/tasks"]["get"]["parameters"]
    [parameter] = [each["schema"] for each in parameters if each["name"] == "priority"]

    for schema in (enum, parameter):
        assert dict(zip(schema["x-enum-varnames"], schema["enum"], strict=True)) == {
            "NONE": 0, "LOW": 1, "MEDIUM": 2, "HIGH": 3,
        }  # fmt: skip


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
def test_an_operation_lists_the_errors_it_can_return(operations, operation, statuses):
    common = {"400", "406", "414", "417", "421", "429", "431", "500", "503", "504"}

    assert {status for status in operations[operation]["responses"] if status >= "400"} == common | statuses


def test_an_operation_lists_its_query_parameters(operations):
    names = [parameter["name"] for parameter in operations["get", "/api/v1/notes"]["parameters"]]

    assert sorted(names) == ["cursor", "limit", "ordering", "q", "rank"]


def test_an_id_in_a_path_is_described_as_a_uuid(operations):
    parameter, condition = operations["get", "/api/v1/notes/{id}"]["parameters"]

    assert parameter["schema"] == {"type": "string", "format": "uuid"}
    assert (condition["name"], condition["in"]) == ("If-None-Match", "header")


def test_a_post_has_the_parameter_idempotency_key(operations):
    [parameter] = operations["post", "/api/v1/notes"]["parameters"]

    assert (parameter["name"], parameter["in"]) == ("Idempotency-Key", "header")


def test_an_operation_states_whether_it_requires_a_bearer_token(document, operations):
    assert operations["get", "/api/v1/notes"]["security"] == [{"bearer": []}]
    assert operations["get", "/api/v1/schema"]["security"] == []
    assert document["components"]["securitySchemes"]["bearer"]["scheme"] == "bearer"


def test_a_response_with_a_note_links_to_the_operations_on_it(operations):
    links = operations["post", "/api/v1/notes"]["responses"]["201"]["links"]

    assert links == {
        name: {"operationId": name, "parameters": {"path.id": "$response.body#/id"}}
        for name in ("getNote", "updateNote")
    }


def test_a_page_links_to_the_next_page(operations):
    links = operations["get", "/api/v1/notes"]["responses"]["200"]["links"]

    assert links == {
        "listNotes": {
            "operationId": "listNotes",
            "parameters": {"query.cursor": "$response.body#/next_cursor"},
        }
    }


def test_a_request_body_takes_no_other_fields_and_that_of_a_patch_is_required(document, operations):
    assert document["components"]["schemas"]["NoteRequest"]["additionalProperties"] is False
    assert "additionalProperties" not in document["components"]["schemas"]["Note"]
    assert operations["patch", "/api/v1/notes/{id}"]["requestBody"]["required"] is True


@pytest.mark.parametrize(
    ("method", "path", "name"),
    [
        ("post", "/auth/token", "signIn"),
        ("get", "/tasks", "listTasks"),
        ("put", "/tasks/{id}", "replaceTask"),
        ("post", "/tasks/{id}/complete", "completeTask"),
        ("post", "/bulk", "applyChanges"),
    ],
)
def test_an_operation_has_the_name_that_clients_call(operations, method, path, name):
    assert operations[method, f"/api/v1{path}"]["operationId"] == name


def test_the_routes_under_a_user_are_left_out(operations):
    assert [path for _, path in operations if "users" in path] == []


def successes(document):
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            for status, response in operation["responses"].items():
                if status < "300":
                    yield f"{method} {path} {status}", response


def test_every_successful_response_has_a_description_and_a_valid_example():
    document = yaml.safe_load(SNAPSHOT.read_text())
    answers = dict(successes(document))

    assert len(answers) > 30
    for name, response in answers.items():
        assert response["description"], name
        for content in response.get("content", {}).values():
            assert errors_of(document, content["schema"], content["example"]) == [], name


def test_deleting_the_account_is_described_with_its_body():
    document = yaml.safe_load(SNAPSHOT.read_text())
    body = document["paths"]["/api/v1/me"]["delete"]["requestBody"]["content"]["application/json"]["schema"]

    assert document["components"]["schemas"][body["$ref"].rpartition("/")[2]]["properties"].keys() == {
        "password"
    }
    assert "requestBody" not in document["paths"]["/api/v1/me/sessions"]["delete"]


def test_signing_out_is_described_with_an_optional_token():
    document = yaml.safe_load(SNAPSHOT.read_text())

    assert document["paths"]["/api/v1/auth/logout"]["post"]["security"] == [{"bearer": []}, {}]


def test_each_operation_on_an_account_has_a_description_of_its_own():
    paths = yaml.safe_load(SNAPSHOT.read_text())["paths"]
    descriptions = Counter(
        operation["description"]
        for path, methods in paths.items()
        if path.startswith("/api/v1/me")
        for operation in methods.values()
    )

    assert max(descriptions.values()) == 1, descriptions
