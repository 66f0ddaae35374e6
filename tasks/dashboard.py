"""What the admin's first page tells of tasks."""

from datetime import datetime

from todo_project.admin.dashboard import Chart, Series, Tile, counted, day, last_days, panel
from todo_project.db.counting import Sample, counts_up_to

from .models import Task

DAYS = 30
MOST = 50_000
"""A day's tasks are counted up to this: even 30 such days take a fraction of a second."""


@panel("Tasks", permission="tasks.view_task")
def tasks(at: datetime) -> list[Tile | Chart]:
    sample = Sample(Task.objects.all())
    seen = sample.rows.stats(at=at)
    kinds = sample.of_all(seen, among=seen["open"] + seen["completed"] + seen["trashed"])
    days = last_days(DAYS, at=at)
    return [
        *(counted(kind, kinds[kind], sample) for kind in ("open", "completed", "overdue")),
        Chart(
            f"Created and completed per day, the last {DAYS} days",
            [day(start) for start, _ in days],
            [
                Series("created", counts_up_to(MOST, [Task.objects.created_in(*span) for span in days])),
                Series("completed", counts_up_to(MOST, [Task.objects.completed_in(*span) for span in days])),
            ],
            most=MOST,
            empty="Nothing was created or completed." if any(seen.values()) else "No tasks yet.",
            note="Tasks in the trash are counted, too.",
        ),
    ]
