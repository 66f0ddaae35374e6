"""New epochs, which make all clients start over after the database was restored from a backup."""

import secrets
from collections.abc import Iterator

from django.contrib.auth import get_user_model
from django.db import transaction
from django.db.models import F

from todo_project.db.querysets import key_batches

from .models import EPOCHS, Clock

BATCH_SIZE = 1000
SKIPPED_VERSIONS = 1_000_000
"""More than the number of changes that a user makes between a backup and its restore."""


def start_new_epochs() -> Iterator[int]:
    """Give each user's clock a new epoch and skip versions; yield the number of users of each batch.

    A user without a clock gets one: the backup may be older than the user's first change.
    """
    for batch in key_batches(get_user_model().objects.all(), BATCH_SIZE):
        with transaction.atomic():
            Clock.objects.bulk_create([Clock(owner_id=key) for key in batch], ignore_conflicts=True)
            # As random as before, and never the same: the distance is 1 to EPOCHS - 1.
            other = (F("epoch") + secrets.randbelow(EPOCHS - 1)) % EPOCHS + 1
            Clock.objects.filter(pk__in=batch).update(epoch=other, tick=F("tick") + SKIPPED_VERSIONS)
        yield len(batch)
