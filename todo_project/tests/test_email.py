"""EMAIL_URL is converted to Django's mail settings, or an error names it."""

import pytest
from django.core.exceptions import ImproperlyConfigured

from todo_project.config.mail import configure

SMTP = "django.core.mail.backends.smtp.EmailBackend"


@pytest.mark.parametrize(("debug", "backend"), [(True, "console"), (False, "dummy")])
def test_without_a_url_mail_is_printed_in_development_only(debug, backend):
    assert configure("", debug=debug) == {
        "EMAIL_BACKEND": f"django.core.mail.backends.{backend}.EmailBackend"
    }


@pytest.mark.parametrize(
    ("url", "port", "security"),
    [
        ("smtp://ann:p%40ss@mail.example.com:25", 25, {}),
        ("smtp+tls://ann:p%40ss@mail.example.com", 587, {"EMAIL_USE_TLS": True}),
        ("smtp+ssl://ann:p%40ss@mail.example.com", 465, {"EMAIL_USE_SSL": True}),
    ],
)
def test_a_url_configures_a_mail_server(url, port, security):
    assert configure(url, debug=False) == {
        "EMAIL_BACKEND": SMTP,
        "EMAIL_HOST": "mail.example.com",
        "EMAIL_PORT": port,
        "EMAIL_HOST_USER": "ann",
        "EMAIL_HOST_PASSWORD": "p@ss",
        "EMAIL_TIMEOUT": 10,
        **security,
    }


@pytest.mark.parametrize(
    "url",
    ["mail.example.com", "imap://mail.example.com", "smtp://", "smtp://a:s3cret@[x", "smtp://a:s3cret@h:x"],
)
def test_an_invalid_url_is_an_error_without_the_password(url):
    with pytest.raises(ImproperlyConfigured, match="^EMAIL_URL ") as error:
        configure(url, debug=False)

    assert "s3cret" not in str(error.value)
