"""A repeated POST with the same Idempotency-Key has no further effect."""

import threading
from collections import Counter
from datetime import timedelta
from functools import partial

import pytest
from django.db import connection, transaction
from django.utils import timezone

from tests.support.assertions import assert_error
from tests.support.caller import Caller
from tests.support.notes import Note
from tests.support.processes import TIMEOUT
from tests.support.threads import run_each, run_together
from todo_project.api import idempotency
from todo_project.models import IdempotencyKey, IdempotencyUsage


def post(caller, title="milk", key="key-1", **fields):
    return caller("post", "/notes", {"title": title, **fields}, **{"Idempotency-Key": key})


def test_a_retry_returns_the_first_response_again(notes_alice):
    first = post(notes_alice)
    again = post(notes_alice)

    assert (first.status_code, again.status_code) == (201, 201)
    assert first.content == again.content
    assert (first["ETag"], first["Location"]) == (again["ETag"], again["Location"])
    assert again["Content-Type"] == "application/json"
    assert "Idempotent-Replayed" not in first
    assert again["Idempotent-Replayed"] == "true"
    assert Note.objects.count() == 1


def test_a_retry_returns_the_first_response_even_if_the_note_has_changed(notes_alice):
    first = post(notes_alice)
    notes_alice("patch", f"/notes/{first.json()['id']}", {"title": "bread"})

    assert post(notes_alice).content == first.content


def test_another_body_with_the_same_key_is_refused(notes_alice):
    post(notes_alice)

    assert_error(post(notes_alice, "bread"), 422, "IDEMPOTENCY_KEY_REUSED")
    assert Note.objects.count() == 1


def test_a_retry_is_recognized_after_the_secret_key_has_been_rotated(notes_alice, settings):
    first = post(notes_alice)
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "another key for tests only"

    assert post(notes_alice).content == first.content
    assert_error(post(notes_alice, "bread"), 422, "IDEMPOTENCY_KEY_REUSED")


def test_a_request_cannot_be_guessed_from_what_is_stored_without_the_secret_key(notes_alice, settings):
    post(notes_alice, key="one")
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "another key for tests only"
    Note.objects.all().delete()
    post(notes_alice, key="two")

    one, two = IdempotencyKey.objects.values_list("fingerprint", flat=True)
    assert one != two


def test_another_key_makes_another_request(notes_alice):
    post(notes_alice, key="one")

    assert post(notes_alice, "bread", key="two").status_code == 201


def test_two_users_may_use_the_same_key(notes_alice, notes_bob):
    milk, beer = post(notes_alice, "milk"), post(notes_bob, "beer")

    assert (milk.status_code, beer.status_code) == (201, 201)
    assert post(notes_alice, "milk").content == milk.content
    assert post(notes_bob, "beer").content == beer.content
    assert Note.objects.count() == 2


def test_a_refused_request_does_not_use_up_its_key(notes_alice):
    assert_error(post(notes_alice, ""), 400, "VALIDATION_ERROR")
    assert_error(post(notes_alice, rank=-1), 400, "VALIDATION_ERROR")

    assert post(notes_alice).status_code == 201


def test_a_key_expires_after_a_day(notes_alice):
    post(notes_alice)
    IdempotencyKey.objects.update(created_at=timezone.now() - timedelta(hours=24, seconds=1))

    response = post(notes_alice, "bread")

    assert response.status_code == 201
    assert "Idempotent-Replayed" not in response


def test_a_key_is_valid_for_nearly_a_day(notes_alice):
    post(notes_alice)
    IdempotencyKey.objects.update(created_at=timezone.now() - timedelta(hours=23, minutes=59))

    assert post(notes_alice)["Idempotent-Replayed"] == "true"


@pytest.mark.parametrize("key", ["a", "x" * 255, "with space", "~!@#$%^&*()"])
def test_a_key_of_printable_ascii_is_accepted(notes_alice, key):
    assert post(notes_alice, key=key).status_code == 201


@pytest.mark.parametrize("key", ["", "x" * 256, "tab\t", "clé"])
def test_an_empty_long_or_unprintable_key_is_refused(notes_alice, key):
    assert_error(post(notes_alice, key=key), 400, "VALIDATION_ERROR", field="Idempotency-Key")
    assert Note.objects.count() == 0


def test_a_key_without_credentials_is_401(notes):
    assert_error(post(Caller()), 401, "NOT_AUTHENTICATED")


def test_a_note_is_rolled_back_if_its_key_cannot_be_saved(notes_alice, monkeypatch):
    def fail(*args, **kwargs):
        raise RuntimeError("the process ends before it has saved the key")

    monkeypatch.setattr(IdempotencyKey, "save", fail)
    assert_error(post(notes_alice), 500, "INTERNAL_ERROR")
    monkeypatch.undo()

    assert Note.objects.count() == 0
    assert post(notes_alice).status_code == 201


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_fifty_concurrent_retries_create_one_note_and_get_equal_responses(notes_alice):
    responses = run_together(50, lambda: post(notes_alice))

    assert {response.status_code for response in responses} == {201}
    assert len({response.content for response in responses}) == 1
    assert len([response for response in responses if "Idempotent-Replayed" not in response]) == 1
    assert Note.objects.count() == 1


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_a_retry_waits_only_for_a_time_for_the_first_request(notes_alice, alice, monkeypatch):
    monkeypatch.setattr(idempotency, "WAIT_SECONDS", 1)
    with transaction.atomic():
        IdempotencyKey.objects.create(owner=alice, key="key-1", fingerprint="f", created_at=timezone.now())
        [response] = run_together(1, lambda: post(notes_alice))
        transaction.set_rollback(True)

    assert_error(response, 409, "REQUEST_IN_PROGRESS")
    assert response["Retry-After"] == "1"
    assert Note.objects.count() == 0


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_a_retry_succeeds_when_the_first_request_is_rolled_back(notes_alice, alice):
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
    response = post(notes_alice)
    first.join()

    assert response.status_code == 201
    assert "Idempotent-Replayed" not in response


@pytest.mark.parametrize(("times", "status"), [(2, 201), (3, 409)])
def test_a_key_that_is_deleted_before_it_is_read_is_claimed_again_twice(
    notes_alice, monkeypatch, times, status
):
    """The request that had it has been committed, and then a purge deletes it."""
    claim, attempts = idempotency._claim, iter(range(9))

    def collide(record):
        if next(attempts) < times:
            raise idempotency._AlreadyUsed
        claim(record)

    monkeypatch.setattr(idempotency, "_claim", collide)
    response = post(notes_alice)

    assert response.status_code == status
    assert Note.objects.count() == (status == 201)


def usage(user):
    return IdempotencyUsage.objects.filter(owner=user).values_list("keys", "size").first()


def test_only_ids_and_versions_of_a_large_response_are_stored(notes_alice, alice):
    small, large = {"text": "x" * 60_000}, {"text": "x" * 65_536}
    first, second = post(notes_alice, "small", "1", extra=small), post(notes_alice, "large", "2", extra=large)

    assert post(notes_alice, "small", "1", extra=small).content == first.content
    again = post(notes_alice, "large", "2", extra=large)
    assert again.status_code == 201
    assert again.json() == {"id": second.json()["id"], "version": 1}
    assert (again["ETag"], again["Location"]) == (second["ETag"], second["Location"])
    assert usage(alice) == (2, len(first.content) + len(again.content))
    assert Note.objects.count() == 2


def test_a_new_key_above_the_quota_is_refused_with_its_effect(notes_alice, notes_bob, settings):
    settings.QUOTA_IDEMPOTENCY_KEYS = 2
    first = post(notes_alice, "one", "1")
    post(notes_alice, "two", "2")
    error = assert_error(post(notes_alice, "three", "3"), 409, "QUOTA_EXCEEDED")

    assert error["details"] == {"quota": "idempotency_keys", "limit": 2}
    assert error["message"] == "A user can have at most 2 Idempotency-Keys. Each is kept for 24 hours."
    assert Note.objects.count() == 2
    assert post(notes_alice, "one", "1").content == first.content
    assert notes_alice("post", "/notes", {"title": "without a key"}).status_code == 201
    assert post(notes_bob, "three", "3").status_code == 201


def test_a_response_above_the_quota_is_refused_with_its_effect(notes_alice, settings):
    settings.QUOTA_STORED_RESPONSES = 2000
    assert post(notes_alice, "one", "1", extra={"text": "x" * 1000}).status_code == 201
    error = assert_error(post(notes_alice, "two", "2", extra={"text": "x" * 1000}), 409, "QUOTA_EXCEEDED")

    assert error["details"] == {"quota": "stored_responses", "limit": 2000}
    assert post(notes_alice, "two", "2").status_code == 201
    assert Note.objects.count() == 2


def test_a_refused_request_does_not_count_towards_the_quota(notes_alice, alice, settings):
    settings.QUOTA_IDEMPOTENCY_KEYS = 1
    for _ in range(3):
        post(notes_alice, "")

    assert post(notes_alice).status_code == 201
    assert post(notes_alice).status_code == 201
    assert usage(alice)[0] == 1


def test_expired_keys_do_not_count_towards_the_quota(notes_alice, alice, settings):
    settings.QUOTA_IDEMPOTENCY_KEYS = 2
    post(notes_alice, "one", "1")
    post(notes_alice, "two", "2")
    a_day_ago = timezone.now() - timedelta(hours=24, seconds=1)
    IdempotencyKey.objects.filter(key="1").update(created_at=a_day_ago)

    response = post(notes_alice, "three", "3")
    assert response.status_code == 201
    assert_error(post(notes_alice, "four", "4"), 409, "QUOTA_EXCEEDED")
    assert usage(alice)[0] == 2


def test_a_key_that_is_used_again_after_a_day_counts_once(notes_alice, alice):
    post(notes_alice)
    IdempotencyKey.objects.update(created_at=timezone.now() - timedelta(hours=24, seconds=1))
    response = post(notes_alice, "bread")

    assert usage(alice) == (1, len(response.content))


def test_the_quotas_cost_the_same_queries_for_many_keys_as_for_few(
    notes_alice, django_assert_max_num_queries
):
    """On SQLite one is for the quotas, on PostgreSQL one for the time that a retry waits."""
    post(notes_alice, "0", "0")
    for number in range(1, 21):
        with django_assert_max_num_queries(7):
            post(notes_alice, str(number), str(number))


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_concurrent_requests_do_not_exceed_the_quota(notes_alice, alice, settings):
    settings.QUOTA_IDEMPOTENCY_KEYS = 5
    responses = run_each(*[partial(post, notes_alice, str(number), str(number)) for number in range(20)])

    assert Counter(response.status_code for response in responses) == {201: 5, 409: 15}
    assert usage(alice)[0] == IdempotencyKey.objects.count() == Note.objects.count() == 5
