"""A setting sends errors to Sentry or traces to OpenTelemetry, without users' data."""

import json
import sys

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.support.collector import collecting
from tests.support.processes import becomes_true
from tests.support.raw_http import ALICE, HOST, ask, json_request, request
from tests.support.run_app import MEMORY, SERVED, run_program
from tests.support.servers.gunicorn import Gunicorn
from todo_project import __version__

pytestmark = pytest.mark.own_servers

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


@pytest.fixture(scope="module")
def collector():
    with collecting() as collector:
        yield collector


@pytest.fixture(scope="module")
def server(postgres, collector):
    with Gunicorn(
        settings=SERVED,
        DATABASE_URL=postgres.url,
        ALLOWED_HOSTS=HOST,
        SENTRY_DSN=f"http://key@{collector.url}/1",
        OTEL_EXPORTER_OTLP_ENDPOINT=f"http://{collector.url}",
        OTEL_BSP_SCHEDULE_DELAY="100",
        OTEL_RESOURCE_ATTRIBUTES="deployment.environment.name=tests",
    ) as server:
        yield server


def reports(collector):
    """Sentry's events by the ID of the request; an envelope has a line for itself, and two for each item."""
    events = [
        json.loads(body.splitlines()[2])
        for path, body in collector.received
        if path == "/api/1/envelope/" and b'"type":"event"' in body.splitlines()[1].replace(b" ", b"")
    ]
    return {event["tags"]["request_id"]: event for event in events}


def resources(collector):
    return [
        resource
        for path, body in collector.received
        if path == "/v1/traces"
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans
    ]


def attributes_of(each):
    return {
        item.key: getattr(item.value, item.value.WhichOneof("value"))
        for item in each.attributes
        if item.value.WhichOneof("value")
    }


def trace_of(collector, request_id):
    """The attributes of a request's span, and the span with those of its statements."""

    def find():
        spans = [
            span
            for resource in resources(collector)
            for scope in resource.scope_spans
            for span in scope.spans
        ]
        for span in spans:
            if attributes_of(span).get("request_id") == request_id:
                return span, [child for child in spans if child.parent_span_id == span.span_id]
        return None

    assert becomes_true(find)
    return find()


def test_a_bug_is_reported_with_its_stack_and_the_id_of_the_request(server, collector):
    answer = ask(server, request("GET /api/v1/plain/bug?q=a-secret"))

    assert answer.status_code == 500
    assert becomes_true(lambda: answer["X-Request-ID"] in reports(collector))
    report = reports(collector)[answer["X-Request-ID"]]
    assert report["release"] == __version__
    [exception] = report["exception"]["values"]
    assert exception["type"] == "RuntimeError"
    assert exception["stacktrace"]["frames"][-1]["function"] == "fail"


def test_a_refused_request_is_not_reported(server, collector):
    refused = ask(server, request("GET /api/v1/notes?unknown=1"))
    later = ask(server, request("GET /api/v1/plain/bug"))

    assert becomes_true(lambda: later["X-Request-ID"] in reports(collector))
    assert refused["X-Request-ID"] not in reports(collector)


def test_a_request_is_traced_with_its_statements_and_continues_the_clients_trace(server, collector):
    answer = ask(server, request("GET /api/v1/notes", f"traceparent: 00-{TRACE}-{PARENT}-01"))

    span, statements = trace_of(collector, answer["X-Request-ID"])
    assert span.name == "GET /api/v1/notes"
    assert (span.trace_id.hex(), span.parent_span_id.hex()) == (TRACE, PARENT)
    assert attributes_of(span) == {
        "http.request.method": "GET",
        "http.route": "/api/v1/notes",
        "http.response.status_code": 200,
        "request_id": answer["X-Request-ID"],
    }
    assert statements
    for statement in statements:
        assert statement.name == "SELECT"
        assert attributes_of(statement)["db.system.name"] == "postgresql"
        assert attributes_of(statement)["db.query.text"].startswith("SELECT ")
    [service] = {attributes_of(each.resource)["service.name"] for each in resources(collector)}
    assert service == "todo"
    assert attributes_of(resources(collector)[0].resource)["deployment.environment.name"] == "tests"


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [("notes?unknown=1", 400, "VALIDATION_ERROR"), ("plain/sql", 500, "INTERNAL_ERROR")],
)
def test_the_span_of_an_error_has_its_code(server, collector, path, status, code):
    answer = ask(server, request(f"GET /api/v1/{path}"))

    span, statements = trace_of(collector, answer["X-Request-ID"])
    assert attributes_of(span)["http.response.status_code"] == status
    assert attributes_of(span)["error.type"] == code
    failed = 2  # OpenTelemetry's STATUS_CODE_ERROR
    assert (span.status.code == failed) == (status == 500)
    assert any(statement.status.code == failed for statement in statements) == (status == 500)
    assert all(not statement.events and not statement.status.message for statement in statements)


def test_neither_reports_nor_traces_contain_users_data(server, collector):
    def send(line, *headers):
        return ask(server, json_request('{"title": "a-secret title"}', *headers, to=line))

    answers = [
        send("POST /api/v1/notes?x=a-secret", "Cookie: a=a-secret", "X-Api-Key: a-secret"),
        send("POST /api/v1/notes"),
        send("POST /api/v1/notes"),  # The database refuses the second one.
        send("GET /api/v1/plain/bug?x=a-secret", "Cookie: a=a-secret"),
    ]

    for answer in answers:
        trace_of(collector, answer["X-Request-ID"])
    assert [answer.status_code for answer in answers] == [400, 201, 409, 500]
    assert becomes_true(lambda: answers[-1]["X-Request-ID"] in reports(collector))
    received = b"".join(body for _, body in collector.received)
    assert b"a-secret" not in received
    assert ALICE.encode() not in received


def test_monitoring_that_is_off_costs_no_import():
    code = (
        "import sys, todo_project.wsgi; "
        "print({'sentry_sdk', 'opentelemetry', 'prometheus_client', 'redis'} & sys.modules.keys())"
    )

    ended = run_program([sys.executable, "-c", code], DATABASE_URL=MEMORY)

    assert ended.stdout == "set()\n", ended.stderr


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        ("SENTRY_DSN", "https://sentry.io/2", "must be the DSN"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "localhost:4318", "must be the URL"),
    ],
)
def test_an_invalid_address_prevents_the_start(variable, value, message):
    ended = run_program([sys.executable, "manage.py", "check"], DATABASE_URL=MEMORY, **{variable: value})

    assert ended.returncode == 1
    assert f"{variable} {message}" in ended.stderr


@pytest.mark.parametrize(
    ("variable", "value", "package", "requirements"),
    [
        ("SENTRY_DSN", "https://key@sentry.io/2", "sentry_sdk", "requirements-sentry.txt"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://localhost:4318", "opentelemetry", "requirements-tracing.txt"),
    ],
)
def test_a_missing_package_prevents_the_start(variable, value, package, requirements, tmp_path):
    blocked = f"import sys; sys.modules[{package!r}] = None; import todo_project.settings"

    ended = run_program([sys.executable, "-c", blocked], DATABASE_URL=MEMORY, **{variable: value})

    assert ended.returncode == 1
    assert f"Run: pip install -r {requirements}" in ended.stderr
