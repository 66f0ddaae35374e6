"""Variables are parsed strictly, and errors name them."""

from functools import partial

import pytest
from django.core.exceptions import ImproperlyConfigured
from environ import Env

from todo_project.config import env

BOOLEAN = partial(env.boolean, "X", default=False)
INTEGER = partial(env.integer, "X", default=1, low=1, high=65535)
RATE = partial(env.rate, "X", default="1/hour")


@pytest.fixture
def environment(monkeypatch):
    values: dict[str, str] = {}
    monkeypatch.setattr(Env, "ENVIRON", values)
    monkeypatch.setattr(env, "NAMES_READ", set())
    monkeypatch.setattr(env, "NAMES_IN_FILE", set())
    return values


@pytest.fixture
def env_file(environment, tmp_path):
    def write(content: str | bytes) -> None:
        path = tmp_path / "settings.env"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        environment["ENV_FILE"] = str(path)

    return write


@pytest.mark.parametrize(
    ("written", "value"), [("true", True), ("True", True), ("1", True), ("false", False), ("0", False)]
)
def test_a_boolean_is_true_false_1_or_0(environment, written, value):
    environment["X"] = written

    assert env.boolean("X", default=not value) is value


@pytest.mark.parametrize("written", [None, "", "   "])
def test_a_required_text_must_not_be_empty(environment, written):
    if written is not None:
        environment["KEY"] = written

    with pytest.raises(ImproperlyConfigured, match=r"^KEY is not set\. Write one\.$"):
        env.text("KEY", hint="Write one.")


def test_an_empty_optional_text_has_its_default(environment):
    environment["KEY"] = ""

    assert env.text("KEY", default="usual") == "usual"


@pytest.mark.parametrize("written", ["$OTHER", "a$OTHER", "${OTHER}"])
def test_a_dollar_is_not_expanded(environment, written):
    environment.update(KEY=written, OTHER="expanded")

    assert env.text("KEY") == written


def test_an_integer_within_its_bounds_is_read(environment):
    environment["X"] = "8000"

    assert INTEGER() == 8000


def test_a_listing_is_split_at_commas_and_trimmed(environment):
    environment["HOSTS"] = " a.example.com , b.example.com,, "

    assert env.listing("HOSTS") == ["a.example.com", "b.example.com"]


@pytest.mark.parametrize(
    ("written", "value"),
    [("600/minute", (600, 60)), ("5/second", (5, 1)), ("9/day", (9, 86400)), ("off", None)],
)
def test_a_rate_is_requests_per_period_or_off(environment, written, value):
    environment["X"] = written

    assert RATE() == value


@pytest.mark.parametrize(
    ("read", "values", "message"),
    [
        (BOOLEAN, ["ture", "yes", "on", "2", "True,", "f"], "must be true or false"),
        (partial(env.text, "X", min_length=6), ["12345"], "must have at least 6 characters"),
        (INTEGER, ["0", "65536", "-1", "8000.0", "8_000", "eight", "٨", "9" * 5000],
         "must be a whole number from 1 to 65535"),
        (partial(env.choice, "X", ("quiet", "normal"), default="normal"), ["loud"],
         "must be one of quiet, normal, not 'loud'"),
        (RATE, ["600", "600/m", "0/minute", "-1/minute", "a/minute", "600/minute/minute", "none"],
         "must be off or a rate per second"),
    ],
    ids=["boolean", "text", "integer", "choice", "rate"],
)  # fmt: skip
def test_any_other_value_is_an_error_with_the_name_of_the_variable(environment, read, values, message):
    for value in values:
        environment["X"] = value

        with pytest.raises(ImproperlyConfigured, match=f"^X {message}"):
            read()


def test_the_environment_takes_precedence_over_the_file(environment, env_file):
    environment["FIRST"] = "from the environment"
    env_file("# a comment\n\nFIRST=from the file\nexport SECOND='quoted # $text'\n")

    env.read_file()

    assert environment["FIRST"] == "from the environment"
    assert env.text("SECOND") == "quoted # $text"
    assert {"FIRST", "SECOND"} == env.NAMES_IN_FILE


@pytest.mark.parametrize("line", ["KEY = spaced", "KEY", " KEY=indented", "1KEY=x", "KEY: x"])
def test_an_invalid_line_is_an_error_with_its_number(environment, env_file, line):
    env_file(f"GOOD=1\n{line}\n")

    with pytest.raises(ImproperlyConfigured, match=r"settings\.env, line 2: write NAME=value"):
        env.read_file()


@pytest.mark.parametrize("content", [b"KEY=\xff\n", b"\xfe\xff\x00K"])
def test_a_file_must_be_utf_8(env_file, content):
    env_file(content)

    with pytest.raises(ImproperlyConfigured, match="cannot be read as UTF-8"):
        env.read_file()


def test_a_file_in_env_file_must_exist(environment, tmp_path):
    environment["ENV_FILE"] = str(tmp_path / "nowhere.env")

    with pytest.raises(ImproperlyConfigured, match="^ENV_FILE: .*nowhere.env cannot be read"):
        env.read_file()
