"""The doctor checks the settings, the cache, the mail server and the identity providers."""

import json
from contextlib import closing

import pytest
from django.core import checks

from tests.support.doctor import KEY, MAIL_PASSWORD, OTHER_KEY, Report
from tests.support.issuer import Issuer
from tests.support.run_app import MEMORY
from todo_project.config import mail
from todo_project.operations.doctor import environment

pytestmark = pytest.mark.own_servers


@pytest.mark.parametrize(
    ("key", "reason"),
    [
        ("django-insecure-k3v9q2x8w7r6t5y4u3i2o1p0a9s8d7f6g5h4j3k2l1", "copied from an example"),
        ("change-me-k3v9q2x8w7r6t5y4u3i2o1p0a9s8d7f6g5h4j3k2l1z0", "copied from an example"),
        ("correct horse battery staple and fifty characters more", "hand-written"),
        ("abcdefgh" * 8, "too regular"),
        ("x" * 64, "too regular"),
    ],
)
def test_a_weak_key_is_an_error(settings, key, reason):
    settings.SECRET_KEY = key

    [message] = environment.keys()

    assert message.level == checks.ERROR
    assert reason in message.msg
    assert "secrets.token_urlsafe(50)" in str(message.hint)
    assert key not in f"{message.msg} {message.hint}"


@pytest.mark.parametrize(
    "key",
    [
        KEY,
        OTHER_KEY,
        "9f86d081884c7d659a2feaa0c55ad015" * 2,
        "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    ],
)
def test_a_random_key_is_ok(key):
    assert environment.weakness_of(key) == ""


def test_fallback_keys_and_shared_secrets_are_checked_too():
    issuer = {"issuer": "backend", "audience": "todo", "algorithms": ["HS256"], "secret": "hunter22" * 8}
    report = Report(
        DATABASE_URL=MEMORY,
        SECRET_KEY_FALLBACKS=f"{OTHER_KEY},{'hunter22' * 8}",
        TRUSTED_ISSUERS=json.dumps([issuer]),
    )

    assert [finding.partition(";")[0] for finding in report.of("secrets")] == [
        "ok: SECRET_KEY looks random.",
        "ok: SECRET_KEY_FALLBACKS, entry 1 looks random.",
        "error: SECRET_KEY_FALLBACKS, entry 2 is too regular or too short",
        "error: The secret of backend is too regular or too short",
    ]


def test_a_key_that_is_its_own_fallback_is_a_warning():
    report = Report(DATABASE_URL=MEMORY, SECRET_KEY_FALLBACKS=KEY)

    assert report.of("secrets")[-1].startswith("warning: SECRET_KEY is also in SECRET_KEY_FALLBACKS")


@pytest.mark.parametrize(
    ("variables", "check", "finding"),
    [
        ({"DEBUG": "true"}, "mode", "error: DEBUG is on"),
        ({"HTTPS_ONLY": "false"}, "HTTPS", "warning: HTTPS_ONLY is off"),
    ],
)
def test_debug_is_an_error_and_http_a_warning_and_django_does_not_repeat_them(variables, check, finding):
    report = Report(DATABASE_URL=MEMORY, **variables)

    assert report.of(check)[0].startswith(finding)
    assert report.of("Django") == ["ok: `check --deploy` has nothing to add."]


def test_djangos_own_checks_are_included(tmp_path):
    env_file = tmp_path / "env"
    env_file.write_text("ALLOWED_HOST=api.example.com\n")

    report = Report(DATABASE_URL=MEMORY, ENV_FILE=str(env_file))

    assert report.of("Django") == [
        "warning: .env sets ALLOWED_HOST, which nothing reads. (todo_project.W001) "
        "Did you mean ALLOWED_HOSTS?"
    ]


@pytest.mark.parametrize(
    ("origins", "level"),
    [
        ([], checks.INFO),
        (["https://app.example.com"], checks.INFO),
        (["http://app.example.com"], checks.ERROR),
        (["http://localhost:3000"], checks.WARNING),
    ],
)
def test_origins_must_use_https_in_production(settings, origins, level):
    settings.CORS_ALLOWED_ORIGINS = origins

    [message] = environment.cors()

    assert message.level == level


@pytest.mark.parametrize(
    ("hosts", "level"),
    [
        (["api.example.com", "localhost"], checks.INFO),
        (["localhost", "127.0.0.1"], checks.WARNING),
        (["api.example.com", "*"], checks.ERROR),
    ],
)
def test_hosts_must_be_public_and_listed(settings, hosts, level):
    settings.ALLOWED_HOSTS = hosts

    [message] = environment.hosts()

    assert message.level == level


@pytest.mark.parametrize(
    ("seconds", "level", "text"),
    [
        (60, checks.INFO, "HTTPS only, with HSTS."),
        (0, checks.WARNING, "HTTPS only, but without HSTS (HSTS_SECONDS is 0)."),
    ],
)
def test_https_without_hsts_is_a_warning(settings, seconds, level, text):
    settings.HTTPS_ONLY, settings.HSTS_SECONDS = True, seconds

    [message] = environment.https()

    assert (message.level, message.msg) == (level, text)


@pytest.mark.parametrize(
    ("url", "level"),
    [
        ("redis://cache.example.com/0", checks.WARNING),
        ("rediss://cache.example.com/0", checks.INFO),
        ("redis://localhost/0", checks.INFO),
    ],
)
def test_an_unencrypted_connection_to_a_remote_cache_is_a_warning(settings, url, level):
    settings.CACHE_URL = url

    [message] = environment.cache()

    assert message.level == level


@pytest.mark.parametrize(
    ("scheme", "host", "is_reported"),
    [
        ("smtp", "mail.invalid", True),
        ("smtp+tls", "mail.invalid", False),
        ("smtp+ssl", "mail.invalid", False),
        ("smtp", "127.0.0.1", False),
    ],
)
def test_unencrypted_mail_to_a_remote_server_is_an_error(settings, scheme, host, is_reported):
    url = f"{scheme}://ann:{MAIL_PASSWORD}@{host}:1"
    settings.EMAIL_URL = url
    for name, value in mail.configure(url, debug=False).items():
        setattr(settings, name, value)

    messages = [message.msg for message in environment.email(None)]

    assert ("Mail and its password are sent unencrypted." in messages) == is_reported


def test_missing_static_files_are_an_error(settings):
    settings.STATICFILES_FINDERS = []

    [message] = environment.static_files()

    assert message.level == checks.ERROR
    assert "admin/css/base.css" in message.msg


def test_identity_providers_are_checked_and_their_log_lines_do_not_break_the_json():
    with closing(Issuer()) as issuer:
        issuer.answer(200, b'{"keys": [{"kty": "EC", "crv": "unknown"}]}')
        report = Report(DATABASE_URL=MEMORY, TRUSTED_ISSUERS=json.dumps([issuer.registered]))

    assert report.of("identity providers")[0].startswith(
        f"error: The keys of {issuer.name} cannot be fetched: no usable key"
    )


@pytest.mark.parametrize(
    ("server", "cause"),
    [("127.0.0.1:1", ": Error 111 connecting to 127.0.0.1:1."), ("[bad", ""), ("127.0.0.1:x", "")],
)
def test_an_unreachable_or_invalid_cache_url_is_an_error(server, cause):
    [finding] = Report(DATABASE_URL=MEMORY, CACHE_URL=f"redis://:hunter22@{server}/0").of("cache")

    assert finding.startswith(f"error: CACHE_URL cannot be used{cause}")


def test_several_processes_need_a_shared_cache():
    report = Report(DATABASE_URL=MEMORY, WEB_CONCURRENCY="3")

    assert report.of("cache") == [
        "warning: Each of 3 processes counts alone, so rate limits are 3 times as high. "
        "Set CACHE_URL to a Redis server that all processes and machines share."
    ]


def test_a_single_process_needs_no_shared_cache(settings):
    settings.WEB_CONCURRENCY = 1

    [message] = environment.cache()

    assert message.level == checks.INFO


def test_a_missing_mail_server_is_a_warning():
    report = Report("--send-test-mail", "ops@example.com", DATABASE_URL=MEMORY)

    discarded, not_sent = report.of("mail")
    assert discarded.startswith("warning: Mail is discarded, so users cannot reset forgotten passwords.")
    assert not_sent == "error: No test mail was sent. Set EMAIL_URL first."


def test_a_mail_server_that_is_down_is_an_error():
    report = Report(
        DATABASE_URL=MEMORY, EMAIL_URL=f"smtp+tls://ann:{MAIL_PASSWORD}@127.0.0.1:1", EMAIL_FROM=""
    )

    unsent, sender = report.of("mail")
    assert unsent.startswith("error: Mail cannot be sent: [Errno 111] Connection refused")
    assert sender.startswith("warning: The sender is todo@localhost, which most servers reject.")
