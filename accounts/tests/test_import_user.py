"""manage.py import_user: profile and identities, and invalid files."""

import json
from io import StringIO

import pytest
from django.core.management import CommandError
from django.utils import timezone

from accounts.erasure import FORMER_STAFF
from accounts.models import Identity, PersonalToken, Session, User
from tests.support.assertions import assert_error
from tests.support.caller import UNKNOWN_ID, sign_in
from tests.support.commands import run
from todo_project.operations import importing


@pytest.fixture
def file(tmp_path):
    return tmp_path / "alice.json"


@pytest.fixture
def exported(alice, file):
    """Alice, with two identities, a session and a token, and an export of her."""
    User.objects.filter(pk=alice.pk).update(last_login=timezone.now())
    for subject in ("a", " b"):
        Identity.objects.create(user=alice, issuer="https://i.example.com", subject=subject, email="A")
    Session.objects.create(user=alice, expires_at=timezone.now())
    PersonalToken.objects.create(user=alice, name="script", expires_at=timezone.now())
    run("export_user", alice.email, "--output", file)
    return json.loads(file.read_text())


@pytest.fixture
def erased(exported, alice):
    run("erase_user", alice.email, "--yes")


def import_alice(file, *options):
    return run("import_user", file, "--into", "alice@example.com", *options)[0]


def export_again():
    return json.loads(run("export_user", "alice@example.com")[0])


def test_an_erased_user_is_restored_without_credentials(exported, file, erased):
    report = import_alice(file)

    assert report.splitlines() == [
        "alice@example.com: new account",
        "profile: 1 new, 0 equal, 0 different",
        "identities: 2 new, 0 equal, 0 different",
        *(f"{kind}: 0 new, 0 equal, 0 different" for kind in ("projects", "labels", "tasks")),
        "alice@example.com has been imported. "
        "The account has no password: reset it by email or set one in the admin.",
    ]
    exported["profile"]["has_password"] = False
    assert export_again() == {**exported, "sessions": [], "tokens": []}
    assert_error(sign_in(), 401, "INVALID_CREDENTIALS")


def test_a_second_run_changes_nothing(exported, file):
    report = import_alice(file)

    assert report.splitlines() == [
        "alice@example.com: existing account",
        "profile: 0 new, 1 equal, 0 different",
        "identities: 0 new, 2 equal, 0 different",
        *(f"{kind}: 0 new, 0 equal, 0 different" for kind in ("projects", "labels", "tasks")),
        "alice@example.com has been imported.",
    ]
    assert export_again() == exported
    assert sign_in().status_code == 200


def test_a_dry_run_reports_the_same_and_changes_nothing(exported, file, erased):
    report = import_alice(file, "--dry-run")

    assert "profile: 1 new, 0 equal, 0 different\nidentities: 2 new," in report
    assert report.endswith("Nothing was changed.\n")
    assert not User.objects.exists()


@pytest.fixture
def changed(exported, alice):
    """Since the export, Alice has changed her name, unlinked one identity, and linked the other one again."""
    User.objects.filter(pk=alice.pk).update(name="Alice Liddell")
    Identity.objects.get(subject=" b").delete()
    Identity.objects.get(subject="a").delete()
    Identity.objects.create(user=alice, issuer="https://i.example.com", subject="a")


def test_different_rows_are_rejected_by_default(changed, file):
    before = export_again()
    for more in ([], ["--dry-run"]):
        with pytest.raises(CommandError, match="Choose --on-conflict keep or replace") as error:
            import_alice(file, *more)
        assert error.value.returncode == 1

    assert export_again() == before


def test_different_rows_may_be_kept(changed, file):
    before = export_again()
    report = import_alice(file, "--on-conflict", "keep")

    after = export_again()
    assert "profile: 0 new, 0 equal, 1 different\nidentities: 0 new, 0 equal, 2 different" in report
    assert after["profile"] == before["profile"]
    assert after["identities"] == before["identities"]


def test_different_rows_may_be_replaced(changed, exported, file):
    import_alice(file, "--on-conflict", "replace")

    assert export_again() == exported
    assert sign_in().status_code == 200


@pytest.mark.parametrize("into", [[], ["--into", "bob@example.com"]])
def test_an_existing_account_is_changed_only_if_the_operator_names_it(changed, file, bob, into):
    before = export_again()
    with pytest.raises(CommandError, match="alice@example.com.* To .*, use --into alice@example.com"):
        run("import_user", file, "--on-conflict", "replace", *into)

    assert export_again() == before


@pytest.mark.parametrize("into", ["ALICE@example.com", "{id}", "{ID}"])
def test_an_account_is_named_by_email_or_id(exported, file, alice, into):
    into = into.format(id=alice.pk, ID=str(alice.pk).upper())

    assert "alice@example.com has been imported." in run("import_user", file, "--into", into)[0]


def test_an_account_without_an_email_is_named_by_id(exported, file, alice):
    User.objects.update(email=None)
    for into in ([], ["--into", ""]):
        with pytest.raises(CommandError, match=f"use --into {alice.pk}"):
            run("import_user", file, *into)


@pytest.mark.parametrize("right", ["is_staff", "is_superuser"])
def test_a_staff_account_is_never_changed(changed, file, right):
    User.objects.update(**{right: True})
    before = export_again()
    with pytest.raises(CommandError, match="is a staff account, which an import never changes"):
        import_alice(file, "--on-conflict", "replace")

    assert export_again() == before


def test_the_account_of_former_staff_is_never_changed(exported, file):
    User.objects.create(pk=FORMER_STAFF, name="Former staff", is_active=False)
    file.write_text(json.dumps({**exported, "profile": {**exported["profile"], "id": str(FORMER_STAFF)}}))
    User.objects.filter(email="alice@example.com").delete()

    with pytest.raises(CommandError, match="is a staff account, which an import never changes"):
        run("import_user", file, "--into", FORMER_STAFF, "--on-conflict", "replace")
    assert User.objects.get().name == "Former staff"


def test_an_email_that_another_account_has_by_now_does_not_replace_that_of_an_existing_one(
    exported, file, alice, bob
):
    User.objects.filter(pk=alice.pk).update(email=None)
    User.objects.filter(pk=bob.pk).update(email="alice@example.com")

    with pytest.raises(CommandError, match="profile.email: Another account has this email."):
        run("import_user", file, "--into", alice.pk, "--on-conflict", "replace")


@pytest.mark.parametrize(
    ("take", "message"),
    [
        (
            lambda bob: User.objects.update(email="alice@example.com"),
            "profile.email: Another account has this",
        ),
        (
            lambda bob: bob.identities.create(issuer="https://i.example.com", subject=" b"),
            "identities.1: This identity belongs to another account.",
        ),
    ],
    ids=["email", "identity"],
)
def test_an_email_or_identity_that_another_account_has_by_now_is_rejected(erased, file, bob, take, message):
    take(bob)
    with pytest.raises(CommandError, match=message):
        import_alice(file)

    assert User.objects.get() == bob


@pytest.mark.parametrize(
    ("section", "changes", "message"),
    [
        ("profile", {"id": "x"}, "profile.id: Id must be a UUID, such as"),
        ("profile", {"email": "x"}, "profile.email: Enter a valid email address."),
        ("profile", {"name": None}, "profile.name: Name must not be null."),
        ("profile", {"name": "x" * 151}, "profile.name: Ensure name has no more than 150 characters."),
        ("profile", {"name": "a\0"}, "profile.name: Null characters are not allowed."),
        ("profile", {"name": "\ud800"}, "profile.name: Surrogate characters are not allowed"),
        (
            "profile",
            {"created_at": "2030-01-31T09:00:00"},
            "profile.created_at: Created at must have a UTC offset",
        ),
        ("profile", {"is_staff": True}, "profile.is_staff: Unknown field 'is_staff'."),
        ("profile", {"\x1b[2J": 1}, "profile.[2J: Unknown field '\\x1b[2J'."),
        ("identities", {"subject": ""}, "identities.1.subject: Subject must not be blank."),
        ("identities", {"id": "x"}, "identities.1.id: Id must be a UUID, such as"),
        ("identities", {"created_at": None}, "identities.1.created_at: Created at must not be null."),
    ],
)
def test_an_invalid_value_is_rejected_with_its_place(exported, file, erased, section, changes, message):
    rows = exported[section]
    (rows[1] if isinstance(rows, list) else rows).update(changes)
    file.write_text(json.dumps(exported))
    with pytest.raises(CommandError) as error:
        import_alice(file)

    assert str(error.value).startswith(message)
    assert str(error.value).endswith("Nothing was changed.")
    assert not User.objects.exists()


START_OF_EXPORT = f"""{{"profile": {{"id": "{UNKNOWN_ID}", "email": null, "name": "", "time_zone": "UTC", \
"has_password": false, "created_at": "2030-01-31T09:00:00Z", "is_active": true, "last_login": null}},
"identities": []"""


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "line 1: unexpected end of file"),
        ("[]", "line 1: expected {, found '['"),
        ("{}", "line 1: expected \", found '}'"),
        ("hello", "line 1: expected {, found 'h'"),
        ('{"tasks": []}', "it does not begin with the profile."),
        ('{"profile": []}', "it does not begin with the profile."),
        ('{"profile": 1}', "line 1: expected {, found '1'"),
        ('{"profile": {"a" 1}}', "line 1: invalid or incomplete JSON: Expecting ':' delimiter"),
        ('{"profile": {"a": NaN}}', "line 1: invalid or incomplete JSON: NaN is not JSON"),
        ('{"profile": {"a": ' + "9" * 5000 + "}}", "line 1: invalid or incomplete JSON: Exceeds the limit"),
        ('{"profile": {"a": ' + "[" * 100_000, "line 1: nested too deeply"),
        (START_OF_EXPORT, "line 2: unexpected end of file"),
        (START_OF_EXPORT + "}", "labels: This section is missing."),
        (START_OF_EXPORT + ', "tasks": {}}', "tasks: This is not a section of an export."),
        (START_OF_EXPORT + ', "bread": []}', "bread: This is not a section of an export."),
        (START_OF_EXPORT + ', "identities": []}', "line 2: 'identities' occurs twice"),
        (START_OF_EXPORT + ', "tasks": [1]}', "line 2: expected {, found '1'"),
        (START_OF_EXPORT + ', "tasks": [{}', "tasks.0.id: Id is required."),
        (START_OF_EXPORT + ', "sessions": [{}, ]}', "line 2: expected {, found ']'"),
        (START_OF_EXPORT + ', "tasks": []} {}', "line 2: unexpected text after the end"),
        (START_OF_EXPORT + ', "tasks": []', "line 2: unexpected end of file"),
    ],
)
def test_a_file_that_is_not_an_export_is_rejected_with_the_place(db, file, text, message):
    file.write_text(text)
    with pytest.raises(CommandError) as error:
        import_alice(file)

    start = "" if text.startswith(START_OF_EXPORT) else "This is not a file that export_user wrote: "
    assert str(error.value).startswith(start + message)
    assert error.value.returncode == 1
    assert not User.objects.exists()


def test_a_file_that_is_missing_or_not_utf_8_is_rejected(db, file):
    with pytest.raises(CommandError, match="The file .* cannot be read: No such file or directory."):
        import_alice(file)
    file.write_bytes(START_OF_EXPORT.encode() + b"\xff")
    with pytest.raises(CommandError, match="not UTF-8. Nothing was changed."):
        import_alice(file)


@pytest.mark.parametrize("chunk", [1, 2, 7, 64])
def test_the_import_does_not_depend_on_where_a_chunk_ends(exported, file, alice, monkeypatch, chunk):
    monkeypatch.setattr(importing, "CHUNK_SIZE", chunk)

    report = import_alice(file)
    assert "profile: 0 new, 1 equal, 0 different\nidentities: 0 new, 2" in report


def test_a_row_without_an_end_is_not_read_completely(monkeypatch):
    monkeypatch.setattr(importing, "CHUNK_SIZE", 10)
    monkeypatch.setattr(importing, "MAX_ROW_LENGTH", 1000)
    text = StringIO('{"profile": {"name": "' + "x" * 100_000)
    with pytest.raises(importing.NotImportable, match="line 1: invalid or incomplete JSON"):
        list(importing.Reader(text).members())

    assert text.tell() < 1100
