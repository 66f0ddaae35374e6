"""What the purge command deletes of this app."""

from todo_project.operations.purging import PurgePolicy, register

from .models import Task, Tombstone
from .trash import prune_tombstones, purge_trash

register(
    PurgePolicy(
        "trash",
        "tasks in the trash",
        days=30,
        count=lambda before: Task.objects.trashed_before(before).count(),
        purge=purge_trash,
    )
)
register(
    PurgePolicy(
        "tombstones",
        "tombstones of purged tasks, which tell syncing clients that a task is gone",
        days=90,
        count=lambda before: Tombstone.objects.purged_before(before).count(),
        purge=prune_tombstones,
    )
)
