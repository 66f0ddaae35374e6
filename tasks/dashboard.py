"""Dashboard panel: tasks."""

from datetime import datetime

from todo_project.admin.charts import Chart, Series
from todo_project.admin.dashboard import (
    Figures,
    day_label,
    estimated_tile,
    last_days,
    list_url,
    list_urls,
    panel,
)
from todo_project.db.counting import Sample, capped_counts

from .models import Task

DAYS = 30
COUNT_LIMIT = 50_000
"""Tasks counted per day: even 30 such days take a fraction of a second."""


@panel("Tasks", permission="tasks.view_task", order=10)
def tasks(at: datetime) -> Figures:
    sample = Sample(Task.objects.all())
    in_sample = sample.rows.stats(at=at)
    total = in_sample["open"] + in_sample["completed"] + in_sample["trashed"]
    counts = sample.extrapolate(in_sample, among=total)
    days = last_days(DAYS, at=at)
    all_tasks = Task.objects.of_all_owners()
    created = capped_counts(COUNT_LIMIT, [all_tasks.created_in(*span) for span in days])
    completed = capped_counts(COUNT_LIMIT, [all_tasks.completed_in(*span) for span in days])
    return [
        *(
            estimated_tile(state, counts[state], sample, url=list_url(Task, state=state))
            for state in ("open", "completed", "overdue")
        ),
        Chart(
            f"Created and completed per day, the last {DAYS} days",
            [day_label(start) for start, _ in days],
            [Series("created", created, list_urls(Task, "created_at", days)), Series("completed", completed)],
            limit=COUNT_LIMIT,
            empty="Nothing was created or completed." if any(in_sample.values()) else "No tasks yet.",
            note="Includes tasks in the trash.",
        ),
    ]
