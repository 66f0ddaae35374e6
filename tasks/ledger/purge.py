"""What the purge command deletes of this app."""

from datetime import datetime
from typing import Any

from django.db.models import QuerySet

from todo_project.operations.purging import PurgePolicy, policies

from .models import Tombstone
from .trash import kinds_with_trash, prune_tombstones, purge_trash


def trashed_before(at: datetime) -> QuerySet[Any]:
    """The primary keys of the objects of all kinds."""
    rows, *others = (
        kind.model.objects.of_all_owners().trashed_before(at).values("pk") for kind in kinds_with_trash()
    )
    return rows.union(*others, all=True)


policies["trash"] = PurgePolicy(
    "objects in the trash",
    trashed_before,
    days=30,
    delete=purge_trash,
)
policies["tombstones"] = PurgePolicy(
    "tombstones of purged objects, which tell syncing clients that an object is gone",
    Tombstone.objects.purged_before,
    days=90,
    delete=prune_tombstones,
)
