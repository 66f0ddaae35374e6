"""The doctor reads the settings, and tries the cache, the mail server and the issuers."""

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from tests.support.doctor import KEY, MAIL_PASSWORD, OTHER_KEY, Report
from tests.support.run_app import MEMORY
from todo_project.operations.doctor import surroundings

pytestmark = pytest.mark.own_servers


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("django-insecure-k3v9q2x8w7r6t5y4u3i2o1p0a9s8d7f6g5h4j3k2l1", "copied from an example"),
        ("change-me-k3v9q2x8w7r6t5y4u3i2o1p0a9s8d7f6g5h4j3k2l1z0", "copied from an example"),
        ("correct horse battery staple and fifty characters more", "written by a person"),
        ("abcdefgh" * 8, "too regular"),
        ("x" * 64, "too regular"),
    ],
)
def test_a_weak_key_is_a_problem(settings, key, words):
    settings.SECRET_KEY = key

    [found] = surroundings.keys()

    assert found.level == "problem"
    assert words in found.found
    assert "secrets.token_urlsafe(50)" in found.advice
    assert key not in found.found + found.advice


@pytest.mark.parametrize(
    "key",
    [
        KEY,
        OTHER_KEY,
        "9f86d081884c7d659a2feaa0c55ad015" * 2,
        "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    ],
)
def test_a_random_key_is_fine(key):
    assert surroundings.weakness_of(key) == ""


def test_former_keys_and_shared_secrets_are_judged_too():
    issuer = {"issuer": "backend", "audience": "todo", "algorithms": ["HS256"], "secret": "hunter22" * 8}
    report = Report(
        DATABASE_URL=MEMORY,
        SECRET_KEY_FALLBACKS=f"{OTHER_KEY},{'hunter22' * 8}",
        TRUSTED_ISSUERS=json.dumps([issuer]),
    )

    assert [found.partition(";")[0] for found in report.of("secrets")] == [
        "ok: SECRET_KEY looks random.",
        "ok: SECRET_KEY_FALLBACKS, entry 1 looks random.",
        "problem: SECRET_KEY_FALLBACKS, entry 2 is too regular or too short",
        "problem: The secret of backend is too regular or too short",
    ]


def test_a_key_that_is_its_own_fallback_was_not_rotated():
    report = Report(DATABASE_URL=MEMORY, SECRET_KEY_FALLBACKS=KEY)

    assert report.of("secrets")[-1].startswith("warning: SECRET_KEY is among SECRET_KEY_FALLBACKS")


def test_debug_is_a_problem():
    report = Report(DATABASE_URL=MEMORY, DEBUG="true", ALLOWED_HOSTS="api.example.com")

    assert report.of("mode")[0].startswith("problem: DEBUG is on")
    assert report.of("Django") == ["ok: `check --deploy` has nothing to add."]


def test_without_https_there_is_one_warning():
    report = Report(DATABASE_URL=MEMORY, HTTPS_ONLY="false")

    assert report.of("HTTPS")[0].startswith("warning: HTTPS_ONLY is off")
    assert report.of("Django") == ["ok: `check --deploy` has nothing to add."]


def test_djangos_own_checks_are_folded_in(tmp_path):
    environment = tmp_path / "env"
    environment.write_text("ALLOWED_HOST=api.example.com\n")

    report = Report(DATABASE_URL=MEMORY, ENV_FILE=str(environment))

    assert report.of("Django") == [
        "warning: .env sets ALLOWED_HOST, which nothing reads. (todo_project.W001) "
        "Did you mean ALLOWED_HOSTS?"
    ]


@pytest.mark.parametrize(
    ("origins", "level"),
    [
        ([], "ok"),
        (["https://app.example.com"], "ok"),
        (["http://app.example.com"], "problem"),
        (["http://localhost:3000"], "warning"),
    ],
)
def test_origins_are_https_in_production(settings, origins, level):
    settings.CORS_ALLOWED_ORIGINS = origins

    [found] = surroundings.cors()

    assert found.level == level


def test_hosts_that_nobody_else_can_reach_are_pointed_at(settings):
    settings.ALLOWED_HOSTS = ["localhost", "127.0.0.1"]

    [found] = surroundings.hosts()

    assert found.level == "warning"
    assert found.found == "ALLOWED_HOSTS names this machine only."


def test_static_files_that_are_gone_are_found(settings):
    settings.STATICFILES_FINDERS = []

    [found] = surroundings.static_files()

    assert found.level == "problem"
    assert "admin/css/base.css" in found.found


def test_an_issuer_whose_keys_cannot_be_had_is_a_problem():
    issuer = {
        "issuer": "https://id.example.com",
        "audience": "todo",
        "algorithms": ["EdDSA"],
        "jwks_url": "http://127.0.0.1:1/jwks",
    }
    report = Report(DATABASE_URL=MEMORY, TRUSTED_ISSUERS=json.dumps([issuer]))

    assert report.of("outside issuers")[0].startswith(
        "problem: The keys of https://id.example.com cannot be had: <urlopen error "
        "[Errno 111] Connection refused>"
    )


class UnusableKeys(BaseHTTPRequestHandler):
    """An issuer whose only key makes the server log a warning."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b'{"keys": [{"kty": "EC", "crv": "unknown"}]}')

    def log_message(self, *args: object) -> None:
        pass


def test_what_is_logged_meanwhile_does_not_spoil_the_json():
    with HTTPServer(("127.0.0.1", 0), UnusableKeys) as server:
        threading.Thread(target=server.handle_request, daemon=True).start()
        issuer = {
            "issuer": "https://id.example.com",
            "audience": "todo",
            "algorithms": ["EdDSA"],
            "jwks_url": f"http://127.0.0.1:{server.server_address[1]}/jwks",
        }
        report = Report(DATABASE_URL=MEMORY, TRUSTED_ISSUERS=json.dumps([issuer]))

    assert report.of("outside issuers")[0].startswith(
        "problem: The keys of https://id.example.com cannot be had: no usable key"
    )


def test_a_cache_that_is_down_is_a_problem():
    report = Report(DATABASE_URL=MEMORY, CACHE_URL="redis://:hunter22@127.0.0.1:1/0")

    [found] = report.of("cache")
    assert found.startswith("problem: CACHE_URL cannot be used: Error 111 connecting to 127.0.0.1:1.")


@pytest.mark.parametrize("url", ["redis://:hunter22@[bad/0", "redis://:hunter22@127.0.0.1:x/0"])
def test_a_cache_url_that_is_nonsense_is_a_problem(url):
    [found] = Report(DATABASE_URL=MEMORY, CACHE_URL=url).of("cache")

    assert found.startswith("problem: CACHE_URL cannot be used")


def test_several_processes_want_a_shared_cache():
    report = Report(DATABASE_URL=MEMORY, WEB_CONCURRENCY="3")

    assert report.of("cache") == [
        "warning: Each of 3 processes counts for itself: limits are 3 times as wide. "
        "Set CACHE_URL to a Redis that all processes and machines share."
    ]


def test_one_process_does_without(settings):
    settings.WEB_CONCURRENCY = 1

    [found] = surroundings.cache()

    assert found.level == "ok"


def test_without_a_mail_server_forgotten_passwords_stay_forgotten():
    report = Report("--send-test-mail", "ops@example.com", DATABASE_URL=MEMORY)

    dropped, not_sent = report.of("mail")
    assert dropped.startswith("warning: Mail is dropped, so nobody can reset a forgotten password.")
    assert not_sent == "problem: No test mail was sent. Set EMAIL_URL first."


def test_a_mail_server_that_is_down_is_a_problem():
    report = Report(
        DATABASE_URL=MEMORY, EMAIL_URL=f"smtp+tls://ann:{MAIL_PASSWORD}@127.0.0.1:1", EMAIL_FROM=""
    )

    unsent, sender = report.of("mail")
    assert unsent.startswith("problem: Mail cannot be sent: [Errno 111] Connection refused")
    assert sender.startswith("warning: Mail comes from todo@localhost, which most servers refuse.")
