"""What the purge command deletes of this app."""

from todo_project.operations.purging import PurgePolicy, policies

from .models import Task, Tombstone
from .trash import prune_tombstones, purge_trash

policies["trash"] = PurgePolicy(
    "tasks in the trash",
    Task.objects.trashed_before,
    days=30,
    delete=purge_trash,
)
policies["tombstones"] = PurgePolicy(
    "tombstones of purged tasks, which tell syncing clients that a task is gone",
    Tombstone.objects.purged_before,
    days=90,
    delete=prune_tombstones,
)
