"""The kinds of objects of this app."""

from .ledger.kinds import CREATE, UPDATE, Kind, kinds
from .models import Label, Project, Task, TaskLabel
from .operations import (
    LABEL_VERBS,
    PROJECT_VERBS,
    TASK_VERBS,
    project_problems,
    read_for_labels,
    read_for_projects,
    read_for_tasks,
    task_problems,
)

PLAIN_TASK_FIELDS = {"title", "description", "priority", "start_date"}

TASK = kinds["task"] = Kind(
    "task",
    Task,
    fields=(
        "title",
        "description",
        "completed",
        "completed_at",
        "priority",
        "project",
        "parent",
        "position",
        "labels",
        "due_date",
        "due_at",
        "due_zone",
        "start_date",
        "repeat",
        "series",
    ),
    serializer="tasks.serializers.TaskSerializer",
    verbs=TASK_VERBS,
    bodies={
        "complete": "tasks.serializers.CompletionSerializer",
        "move": "tasks.serializers.TaskMoveSerializer",
        "skip": "tasks.serializers.SkipSerializer",
    },
    reads=read_for_tasks,
    single_statement_fields={
        CREATE: PLAIN_TASK_FIELDS | {"completed", "due_date", "due_at", "due_zone"},
        UPDATE: PLAIN_TASK_FIELDS,
    },
    links={"labels": TaskLabel},
    problems=task_problems,
    quota="tasks",
)
PROJECT = kinds["project"] = Kind(
    "project",
    Project,
    fields=("name", "color", "parent", "position", "archived_at"),
    serializer="tasks.serializers.ProjectSerializer",
    verbs=PROJECT_VERBS,
    bodies={"move": "tasks.serializers.ProjectMoveSerializer"},
    reads=read_for_projects,
    single_statement_fields={CREATE: {"name", "color"}, UPDATE: {"name", "color"}},
    problems=project_problems,
    quota="projects",
)
LABEL = kinds["label"] = Kind(
    "label",
    Label,
    fields=("name", "color", "position"),
    serializer="tasks.serializers.LabelSerializer",
    verbs=LABEL_VERBS,
    reads=read_for_labels,
    single_statement_fields={UPDATE: {"color"}},
    has_trash=False,
    quota="labels",
)
