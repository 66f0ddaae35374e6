"""A POST that is sent again does not happen again."""

import threading
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.utils import timezone

from tests.support.assertions import assert_error
from tests.support.notes import Note, note_client
from tests.support.processes import TIMEOUT
from tests.support.threads import run_together
from todo_project.api import idempotency
from todo_project.models import IdempotencyKey

NOTES = "/api/v1/notes"


def post(client, body, key="key-1", path=NOTES):
    return client.post(path, body, content_type="application/json", headers={"Idempotency-Key": key})


def test_a_retry_gets_the_first_answer_again(as_alice):
    first = post(as_alice, {"title": "milk"})
    again = post(as_alice, {"title": "milk"})

    assert (first.status_code, again.status_code) == (201, 201)
    assert first.content == again.content
    assert (first["ETag"], first["Location"]) == (again["ETag"], again["Location"])
    assert again["Content-Type"] == "application/json"
    assert "Idempotent-Replayed" not in first
    assert again["Idempotent-Replayed"] == "true"
    assert Note.objects.count() == 1


def test_the_first_answer_stands_though_the_thing_has_changed(as_alice):
    first = post(as_alice, {"title": "milk"})
    as_alice.patch(f"{NOTES}/{first.json()['id']}", {"title": "bread"}, content_type="application/json")

    assert post(as_alice, {"title": "milk"}).content == first.content


def test_another_body_under_the_same_key_is_refused(as_alice):
    post(as_alice, {"title": "milk"})

    assert_error(post(as_alice, {"title": "bread"}), 422, "IDEMPOTENCY_KEY_REUSED")
    assert Note.objects.count() == 1


def test_two_keys_are_two_requests(as_alice):
    post(as_alice, {"title": "milk"}, key="one")

    assert post(as_alice, {"title": "bread"}, key="two").status_code == 201


def test_two_people_may_use_the_same_key(as_alice, as_bob):
    hers, his = post(as_alice, {"title": "milk"}), post(as_bob, {"title": "beer"})

    assert (hers.status_code, his.status_code) == (201, 201)
    assert post(as_alice, {"title": "milk"}).content == hers.content
    assert post(as_bob, {"title": "beer"}).content == his.content
    assert Note.objects.count() == 2


def test_a_refused_request_leaves_its_key_free(as_alice):
    assert_error(post(as_alice, {"title": ""}), 400, "VALIDATION_ERROR")
    assert_error(post(as_alice, {"title": "milk", "rank": -1}), 400, "VALIDATION_ERROR")

    assert post(as_alice, {"title": "milk"}).status_code == 201


def test_a_key_is_forgotten_after_a_day(as_alice):
    post(as_alice, {"title": "milk"})
    IdempotencyKey.objects.update(created_at=timezone.now() - timedelta(hours=24, seconds=1))

    response = post(as_alice, {"title": "bread"})

    assert response.status_code == 201
    assert "Idempotent-Replayed" not in response


def test_a_key_is_remembered_for_nearly_a_day(as_alice):
    post(as_alice, {"title": "milk"})
    IdempotencyKey.objects.update(created_at=timezone.now() - timedelta(hours=23, minutes=59))

    assert post(as_alice, {"title": "milk"})["Idempotent-Replayed"] == "true"


@pytest.mark.parametrize("key", ["a", "x" * 255, "with space", "~!@#$%^&*()"])
def test_a_key_is_any_printable_text(as_alice, key):
    assert post(as_alice, {"title": "milk"}, key=key).status_code == 201


@pytest.mark.parametrize("key", ["", "x" * 256, "tab\t", "clé"])
def test_any_other_key_is_refused(as_alice, key):
    assert_error(post(as_alice, {"title": "milk"}, key=key), 400, "VALIDATION_ERROR", field="Idempotency-Key")
    assert Note.objects.count() == 0


def test_a_key_without_credentials_is_401(client, notes):
    assert_error(post(client, {"title": "milk"}), 401, "NOT_AUTHENTICATED")


def test_the_effect_and_its_memory_are_one_transaction(as_alice, monkeypatch):
    def fail(*args, **kwargs):
        raise RuntimeError("the machine stops before it has remembered")

    monkeypatch.setattr(IdempotencyKey, "save", fail)
    assert_error(post(as_alice, {"title": "milk"}), 500, "INTERNAL_ERROR")
    monkeypatch.undo()

    assert Note.objects.count() == 0
    assert post(as_alice, {"title": "milk"}).status_code == 201


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_fifty_retries_at_once_make_one_row_and_equal_answers(as_alice, alice):
    answers = run_together(50, lambda: post(note_client(alice), {"title": "milk"}))

    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.content for answer in answers}) == 1
    assert len([answer for answer in answers if "Idempotent-Replayed" not in answer]) == 1
    assert Note.objects.count() == 1


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_a_retry_does_not_wait_forever_for_the_first(as_alice, alice, monkeypatch):
    monkeypatch.setattr(idempotency, "WAIT_SECONDS", 1)
    with transaction.atomic():
        IdempotencyKey.objects.create(owner=alice, key="key-1", fingerprint="f", created_at=timezone.now())
        [response] = run_together(1, lambda: post(note_client(alice), {"title": "milk"}))
        transaction.set_rollback(True)

    assert_error(response, 409, "REQUEST_IN_PROGRESS")
    assert response["Retry-After"] == "1"
    assert Note.objects.count() == 0


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_a_retry_takes_over_when_the_first_was_rolled_back(as_alice, alice):
    started = threading.Event()

    def fail_slowly():
        with transaction.atomic():
            IdempotencyKey.objects.create(
                owner=alice, key="key-1", fingerprint="f", created_at=timezone.now()
            )
            started.set()
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_sleep(0.3)")
            transaction.set_rollback(True)
        connection.close()

    first = threading.Thread(target=fail_slowly)
    first.start()
    started.wait(timeout=TIMEOUT)
    response = post(note_client(alice), {"title": "milk"})
    first.join()

    assert response.status_code == 201
    assert "Idempotent-Replayed" not in response
