"""A tour of the API with a client that is generated from its description, as docs/clients.md explains."""
# ruff: noqa: T201  (the user reads the output)

import datetime
import os
import uuid
from typing import TypeVar

from todo_api import AuthenticatedClient, Client
from todo_api.api.auth import refresh_tokens, register, sign_in, sign_out
from todo_api.api.bulk import apply_changes
from todo_api.api.me import delete_account, get_profile
from todo_api.api.projects import create_project
from todo_api.api.sync import list_changes
from todo_api.api.tasks import create_task, list_tasks, update_task
from todo_api.models import (
    BulkRequest,
    BulkResponse,
    Changes,
    DeletionRequest,
    Ended,
    Error,
    LabelEntry,
    LabelNameRequest,
    ListTasksOrdering,
    LoginRequest,
    LoginResponse,
    NewProjectRequest,
    NewTaskRequest,
    OpEnum,
    OperationRequest,
    PaginatedTaskList,
    PatchedTaskRequest,
    PriorityEnum,
    Project,
    ProjectEntry,
    RefreshRequest,
    RegistrationRequest,
    RepeatRequest,
    Task,
    TaskDataRequest,
    TaskEntry,
    TaskPreconditionFailed,
    TokenPair,
    Tombstone,
    User,
)
from todo_api.types import UNSET, Unset

URL = os.environ.get("TODO_API_URL", "http://127.0.0.1:8000")

Expected = TypeVar("Expected")


def ok(answer: object, expected: type[Expected]) -> Expected:
    """The answer, if it is the expected one. Errors become exceptions, with the text for people."""
    if isinstance(answer, expected):
        return answer
    if isinstance(answer, Error):
        raise RuntimeError(f"{answer.error.code}: {answer.error.message}")
    raise RuntimeError(f"unexpected response: {answer}")


def signed_in(tokens: LoginResponse | TokenPair) -> AuthenticatedClient:
    return AuthenticatedClient(base_url=URL, token=tokens.access)


# Register, and sign in.

public = Client(base_url=URL)
email, password = f"ann-{uuid.uuid4()}@example.com", "correct horse battery"
user = ok(
    register.sync(client=public, body=RegistrationRequest(email=email, password=password, name="Ann")), User
)
login = ok(sign_in.sync(client=public, body=LoginRequest(email=email, password=password)), LoginResponse)
client = signed_in(login)
print(f"Signed in as {user.name}")

# A project, and tasks in it. With an Idempotency-Key, a request that is sent again creates nothing twice.

project = ok(
    create_project.sync(
        client=client,
        idempotency_key=str(uuid.uuid4()),
        body=NewProjectRequest(name="Garden", color="#2e8b57"),
    ),
    Project,
)
watering = ok(
    create_task.sync(
        client=client,
        body=NewTaskRequest(
            title="Water the tomatoes",
            project=project.id,
            add_labels=[LabelNameRequest(name="outside")],
            due_date=datetime.date(2027, 5, 3),
            repeat=RepeatRequest(rule="FREQ=WEEKLY;BYDAY=MO,TH"),
        ),
    ),
    Task,
)
for title in ("Sow carrots", "Mow the lawn", "Clean the pond", "Prune the roses"):
    body = NewTaskRequest(title=title, project=project.id, priority=PriorityEnum.LOW)
    ok(create_task.sync(client=client, body=body), Task)
rule = watering.repeat.rule if watering.repeat else None
print(f"{watering.title}, due on {watering.due_date}, repeats by {rule}")

# A list has pages. Each has the cursor of the next one.

tasks: list[Task] = []
cursor: str | Unset | None = UNSET
while cursor is not None:
    page = ok(
        list_tasks.sync(
            client=client, project=project.id, ordering=ListTasksOrdering.TITLE, limit=2, cursor=cursor
        ),
        PaginatedTaskList,
    )
    tasks += page.results
    cursor = page.next_cursor
print(f"Tasks: {', '.join(task.title for task in tasks)}")

# Update a task only if nobody has changed it since it was read.


def rename(task: Task, title: str) -> Task | TaskPreconditionFailed | Error | None:
    body = PatchedTaskRequest(title=title)
    return update_task.sync(task.id, client=client, if_match=f'"{task.version}"', body=body)


ok(rename(watering, "Water the tomatoes and beans"), Task)
# With the version from before that update.
stale = ok(rename(watering, "Water the beans"), TaskPreconditionFailed)
current = stale.error.details.current
print(f'Not renamed, because it is now "{current.title}"')
ok(rename(current, "Water the beans and tomatoes"), Task)

# Several changes in one request: all of them happen, or none.

buy = TaskDataRequest(
    title="Buy seeds", priority=PriorityEnum.HIGH, add_labels=[LabelNameRequest(name="shop")]
)
operations = [
    OperationRequest(op=OpEnum.CREATE, data=buy),
    OperationRequest(op=OpEnum.COMPLETE, id=watering.id),
    *(OperationRequest(op=OpEnum.DELETE, id=task.id) for task in tasks[:2]),
]
changed = ok(apply_changes.sync(client=client, body=BulkRequest(operations=operations)), BulkResponse)
print(f"Changed: {', '.join(each.kind for each in changed.results)}")

# Keep a copy of everything: follow the feed to its end, and later go on from there.

copy: dict[uuid.UUID, TaskEntry | ProjectEntry | LabelEntry] = {}
since, has_more = "0", True
while has_more:
    changes = ok(list_changes.sync(client=client, since=since, limit=5), Changes)
    for change in changes.changes:
        if isinstance(change, Tombstone):
            copy.pop(change.id, None)
        else:
            copy[change.id] = change
    since, has_more = changes.since, changes.has_more
open_tasks = [
    each
    for each in copy.values()
    if isinstance(each, TaskEntry) and not each.completed and each.deleted_at is None
]
print(f"The copy has {len(copy)} objects, of which {len(open_tasks)} are open tasks")

# After 15 minutes the access token expires, and the refresh token gets the next pair.

tokens = ok(refresh_tokens.sync(client=public, body=RefreshRequest(refresh=login.refresh)), TokenPair)
client = signed_in(tokens)
print(f"Refreshed for {tokens.expires_in} seconds")

# Sign out: the session of the token ends immediately.

ok(sign_out.sync(client=client), Ended)
unauthorized = ok(get_profile.sync(client=client), Error)
print(f"After signing out: {unauthorized.error.code}")

# Delete the account and everything in it.

login = ok(sign_in.sync(client=public, body=LoginRequest(email=email, password=password)), LoginResponse)
ok(delete_account.sync(client=signed_in(login), body=DeletionRequest(password=password)), User)
print("Deleted the account")
