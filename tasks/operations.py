"""What operations on tasks, projects and labels do: to an object, to what is in it, and to the order."""

import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from functools import partial
from itertools import chain
from typing import Any, cast
from zoneinfo import ZoneInfo

from todo_project.api.errors import Conflict, QuotaExceeded, ValidationFailed, quota_limit

from .dates import later
from .ledger.kinds import CREATE, DELETE, RESTORE, UPDATE, FindObject, Lookup, purge, restore, trash
from .ledger.operations import Operation
from .ledger.querysets import ObjectQuerySet
from .ledger.writes import Write
from .models import Label, OrderedObject, Project, Task, comparable
from .order import DIRECTIONS, anchors, last_position, place
from .querysets import ProjectQuerySet, TaskQuerySet, neighbour_lookups
from .recurrence import Repeat, RuleError

MAX_LEVELS = 5
COMPLETE, REOPEN, MOVE, SKIP = "complete", "reopen", "move", "skip"
ARCHIVE, UNARCHIVE = "archive", "unarchive"

Rows = Callable[[Any], Any]
Find = Callable[[Any, Any], ObjectQuerySet]
Values = Mapping[str, Any]


# What operations read besides their own objects


def read_for_tasks(operations: Sequence[Operation], find: FindObject) -> Iterator[Lookup]:
    values = [each.values for each in operations]
    moving = {each.id for each in operations if each.values.keys() & {"project", "parent"}}
    restoring = _ids(operations, RESTORE)
    completing, reopening = _ids(operations, COMPLETE), _ids(operations, REOPEN)
    for each in operations:
        task = find(Task, each.id) if "completed" in each.values else None
        if task and task.completed != each.values["completed"]:
            (reopening if task.completed else completing).add(task.pk)
    named = [one for each in values for name in ("labels", "add_labels") for one in each.get(name, ())]
    yield from _lookup(_tasks_with_contents, moving | completing | reopening)
    yield from _lookup(_tasks_with_containers, restoring | reopening | _named(values, "parent"))
    yield from _lookup(_next_occurrences, reopening)
    yield from _lookup(_projects, _named(values, "project"))
    yield from _lookup(_projects_of_tasks, restoring)
    yield from _lookup(_labels, {each for each in named if isinstance(each, uuid.UUID)})
    yield from _named_labels(each["name"] for each in named if isinstance(each, dict))
    yield from _neighbours(Task, operations)


def read_for_projects(operations: Sequence[Operation], find: FindObject) -> Iterator[Lookup]:
    moving = {each.id for each in operations if "parent" in each.values}
    parents = _named([each.values for each in operations], "parent")
    yield from _lookup(_projects_with_contents, moving | _ids(operations, ARCHIVE, UNARCHIVE))
    yield from _lookup(_projects_with_containers, parents | _ids(operations, RESTORE, UNARCHIVE))
    yield from _neighbours(Project, operations)


def read_for_labels(operations: Sequence[Operation], find: FindObject) -> Iterator[Lookup]:
    yield from _named_labels(each.values["name"] for each in operations if "name" in each.values)
    yield from _lookup(_tasks_with_label, _ids(operations, DELETE))
    yield from _neighbours(Label, operations)


def _tasks_with_contents(rows: Rows, ids: Any) -> ObjectQuerySet:
    return rows(Task).with_contents(ids)


def _tasks_with_containers(rows: Rows, ids: Any) -> ObjectQuerySet:
    return rows(Task).with_containers(ids)


def _next_occurrences(rows: Rows, ids: Any) -> ObjectQuerySet:
    return rows(Task).with_contents(rows(Task).successors_of(ids).values("pk"))


def _tasks_with_label(rows: Rows, ids: Any) -> ObjectQuerySet:
    return rows(Task).with_any_label(ids)


def _projects(rows: Rows, ids: Any) -> ObjectQuerySet:
    return rows(Project).with_ids(ids)


def _projects_of_tasks(rows: Rows, ids: Any) -> ObjectQuerySet:
    return rows(Project).containing(rows(Task).with_ids(ids))


def _projects_with_contents(rows: Rows, ids: Any) -> ObjectQuerySet:
    return rows(Project).with_contents(ids)


def _projects_with_containers(rows: Rows, ids: Any) -> ObjectQuerySet:
    return rows(Project).with_containers(ids)


def _labels(rows: Rows, ids: Any) -> ObjectQuerySet:
    return rows(Label).with_ids(ids)


def _labels_named(rows: Rows, ids: Any, *, names: frozenset[str]) -> ObjectQuerySet:
    return cast(ObjectQuerySet, rows(Label).named(names))


def _ids(operations: Sequence[Operation], *verbs: str) -> set[Any]:
    return {each.id for each in operations if each.verb in verbs}


def _named(values: Sequence[Values], name: str) -> set[Any]:
    return {each[name] for each in values if each.get(name)}


def _lookup(find: Find, ids: set[Any]) -> Iterator[Lookup]:
    if known := ids - {None}:  # New objects have no id yet.
        yield Lookup(find, frozenset(known))


def _named_labels(names: Iterable[str]) -> Iterator[Lookup]:
    if wanted := {comparable(name) for name in names}:
        yield Lookup(partial(_labels_named, names=frozenset(wanted)), frozenset())


def _neighbours(model: type[OrderedObject], operations: Sequence[Operation]) -> Iterator[Lookup]:
    if named := {each for operation in operations for each in anchors(operation.values)}:
        # Of the moved objects, too: when one has gone, its neighbours are next to each other.
        moving = {*DIRECTIONS, *model.siblings_share}
        moved = {each.id for each in operations if each.id and each.values.keys() & moving}
        ids = frozenset(named | moved)
        for find in neighbour_lookups(model):
            yield Lookup(find, ids)


# Tasks


def update_task(task: Task, values: Values, write: Write) -> set[str]:
    own = {name: value for name, value in values.items() if name not in RELATIONS}
    completed = own.pop("completed", None)
    changed = task.set_fields(own, at=write.at)
    if completed is False:
        changed |= reopen(task, {}, write)  # Before a new rule is set, because it restores the former one.
    changed |= _set_repeat(task, values, write)
    changed |= move_task(task, values, write) | _set_labels(task, values, write)
    if completed and task.repeat:
        write.record(write.drafts[task.pk], changed)  # Before the next occurrence is created.
        changed = set()
    return changed | complete(task, {}, write) if completed else changed


PLACE = {"project", "parent", *DIRECTIONS}
"""Fields that move a task."""

RELATIONS = {"labels", "add_labels", "remove_labels", "repeat", *PLACE}
"""Fields whose change is more than setting a column."""


def complete(task: Task, values: Values, write: Write) -> set[str]:
    """Complete a task, and by default its subtasks at the same time. Repeating it changes nothing."""
    if task.completed:
        return set()
    subtasks = [each for each in write.contents(task) if not each.completed and not each.deleted_at]
    choice = values.get("subtasks", "complete")
    if subtasks and choice == "refuse":
        number = f"{len(subtasks)} open subtask{'s' if len(subtasks) > 1 else ''}"
        raise Conflict(f"This task has {number}. Complete them first.", details={"field": "subtasks"})
    if choice == "complete":
        for each in subtasks:
            write.change(each, completed=True)
    if task.repeat is None:
        return task.set_fields({"completed": True}, at=write.at)
    following = _following(task, write)
    # Changed here, so that clients see it before the next occurrence.
    write.change(task, completed=True, repeat=None, repeated=task.repeat)
    if following:
        _continue_series(task, following, write)
    return set()


def reopen(task: Task, values: Values, write: Write) -> set[str]:
    """Reopen a task, what it is in, and the subtasks that were completed with it."""
    if not task.completed:
        return set()
    for each in write.contents(task):
        if each.completed_at == task.completed_at and not each.deleted_at:
            write.change(each, completed=False)
    for each in _containers(task, write):
        if each.completed:
            # If it repeated, its next occurrence stays.
            write.change(each, completed=False, **({"repeated": None} if each.series else {}))
    repeat = task.repeat or (_take_back(task, write) if task.repeated else None)
    changed = task.set_fields({"completed": False, "repeat": repeat, "repeated": None}, at=write.at)
    return changed | _set_repeat(task, {}, write)


def skip(task: Task, values: Values, write: Write) -> set[str]:
    """Move on to the next occurrence. Repeating it changes nothing, because it names the occurrence."""
    if task.repeat is None or task.completed:
        message = f"This task {'is completed' if task.completed else 'does not repeat'}."
        raise Conflict(message, details={"field": "due_date"})
    if values["due_date"] != task.due_day:
        return set()
    following = _following(task, write)
    if following is None:
        message = "This is the last occurrence. Complete the task, or delete it."
        raise Conflict(message, details={"field": "due_date"})
    days = (following.anchor - task.due_day).days
    return task.set_fields({**task.days_later(days), "repeat": following.as_json()}, at=write.at)


def restore_task(task: Task, values: Values, write: Write) -> set[str]:
    """Out of a parent or a project that is in the trash."""
    if not task.deleted_at:
        return set()
    changed = set()
    if task.project_id and write.find(Project, task.project_id) is None:
        changed |= move_task(task, {"project": None}, write)
    if task.parent_id and write.find(Task, task.parent_id) is None:
        changed |= move_task(task, {"parent": None}, write)
    return changed | restore(task, values, write)


def move_task(task: Task, values: Values, write: Write) -> set[str]:
    if task.position and not values.keys() & PLACE:
        return set()
    siblings, project_id, parent_id = task.sibling_key, task.project_id, task.parent_id
    if values.get("project", project_id) != project_id:
        project_id, parent_id = values["project"], None
        project = write.find(Project, project_id)
        if project_id and project is None:
            raise _unknown("project", Project)
        if project:
            _check_active("project", project)
    if "parent" in values:
        parent_id = values["parent"]
    if parent_id and parent_id != task.parent_id:
        parent = _check_parent(task, parent_id, write)
        if "project" in values and project_id != parent.project_id:
            message = "A subtask is in the project of its parent. Send parent without project."
            raise ValidationFailed.of("project", "exclusive", message)
        project_id = parent.project_id
    changed = set()
    if project_id != task.project_id:
        for each in write.contents(task):
            write.change(each, project=project_id)
        changed |= task.set_fields({"project": project_id}, at=write.at)
    if parent_id != task.parent_id:
        changed |= task.set_fields({"parent": parent_id}, at=write.at)
    return changed | _place(task, siblings, values, write)


def _set_repeat(task: Task, values: Values, write: Write) -> set[str]:
    repeat = values.get("repeat", task.repeat)
    if repeat is None:
        return task.set_fields({"repeat": None}, at=write.at) if "repeat" in values else set()
    changed = set()
    if task.due_at and not task.due_zone:
        changed |= task.set_fields({"due_zone": write.time_zone.key}, at=write.at)
    if task.due_day is None:
        field = "repeat" if "repeat" in values else "due_date"
        message = "A repeating task needs due_date or due_at. To end the repetition, send repeat as null."
        raise ValidationFailed.of(field, "without_due", message)
    if "repeat" in values:
        from_completion = repeat["from"] == "completion"
        try:
            parsed = Repeat.parse(repeat["rule"], task.due_day, from_completion=from_completion)
        except RuleError as error:
            raise ValidationFailed.of("repeat.rule", "invalid", str(error)) from error
        # The days of a series only ever follow each other: the id of an occurrence is computed from its day.
        continues = task.repeat and parsed.anchor >= Repeat.read(task.repeat).anchor
        series = task.series if continues else task.pk
        changed |= task.set_fields({"repeat": parsed.as_json(), "series": series}, at=write.at)
    return changed


def _following(task: Task, write: Write) -> Repeat | None:
    """The next occurrence, if the present one is completed or skipped now."""
    return Repeat.read(task.repeat).next(_day_of(task, write.at, write))


def _day_of(task: Task, at: datetime, write: Write) -> date:
    zone = ZoneInfo(task.due_zone) if task.due_zone else write.time_zone
    return at.astimezone(zone).date()


def _continue_series(task: Task, repeat: Repeat, write: Write) -> None:
    """Create the next occurrence, with open copies of the subtasks.

    Its id follows from the series and the day, so that it is created once, whoever completes the task.
    """
    ids = _next_ids(task, repeat, write)
    if not write.looked_up.issuperset(ids.values()):
        # In one query for all tasks that other operations may complete.
        repeating = [each for each in write.objects(Task) if each.repeat and not each.completed]
        pairs = [(each, _following(each, write)) for each in repeating]
        others = [_next_ids(each, following, write) for each, following in pairs if following]
        write.look_up(Task, {*chain.from_iterable((*each.keys(), *each.values()) for each in [ids, *others])})
    if write.find(Task, ids[task.pk]):
        return  # Somebody has restored it.
    days = (repeat.anchor - cast(date, task.due_day)).days
    values = {"completed": False, "repeated": None}
    write.copy(task, ids[task.pk], **values, **task.days_later(days), repeat=repeat.as_json())
    copied = {task.pk}
    for each in write.contents(task):
        copy_id = ids.get(each.pk)
        if copy_id is None or each.parent_id not in copied or write.find(Task, copy_id):
            continue
        own: dict[str, Any] = {"repeat": None, "series": None}
        if each.repeat:
            rule = Repeat.read(each.repeat)
            rule = replace(rule, anchor=later(rule.anchor, days))
            own = {"repeat": rule.as_json(), "series": copy_id}
        write.copy(each, copy_id, **values, **each.days_later(days), **own, parent=ids[each.parent_id])
        copied.add(each.pk)


def _next_ids(task: Task, repeat: Repeat, write: Write) -> dict[uuid.UUID, uuid.UUID]:
    """The ids of the next occurrence and of the copies of its subtasks, by the ids of the present ones.

    Of subtasks that repeat themselves, only the latest occurrence is copied.
    """
    ids = {task.pk: uuid.uuid5(cast(uuid.UUID, task.series), repeat.anchor.isoformat())}
    subtasks = [each for each in write.contents(task) if not each.deleted_at]
    latest = {each.series: each for each in sorted(subtasks, key=lambda each: each.created_at)}
    for each in subtasks:
        if each.parent_id in ids and (each.series is None or latest[each.series] is each):
            ids[each.pk] = uuid.uuid5(ids[each.parent_id], str(each.pk))
    return ids


def _take_back(task: Task, write: Write) -> Any:
    """Remove the next occurrence if nobody has changed it, and return the rule; None if both stay."""
    if task.due_day is None:
        return None
    completed_at = cast(datetime, task.completed_at)
    for each in write.objects(Task):
        if each.series == task.series and each.created_at == completed_at and each is not task:
            if each.deleted_at or any(
                one.updated_at != completed_at for one in [each, *write.contents(each)]
            ):
                return None
            write.apply(trash, each)
            return task.repeated
    was_last = Repeat.read(task.repeated).next(_day_of(task, completed_at, write)) is None
    return task.repeated if was_last else None


def _set_labels(task: Task, values: Values, write: Write) -> set[str]:
    labels = {*task.labels}
    if "labels" in values:
        labels = {_label_id(each, "labels", write) for each in values["labels"]}
    labels |= {_label_id(each, "add_labels", write) for each in values.get("add_labels", ())}
    labels -= {*values.get("remove_labels", ())}
    if labels == {*task.labels}:
        return set()
    if len(labels) > quota_limit("labels_per_task"):
        raise QuotaExceeded.of("labels_per_task", "A task can have at most {limit} labels.")
    return task.set_fields({"labels": sorted(labels)}, at=write.at)


def _label_id(wanted: Any, field: str, write: Write) -> uuid.UUID:
    """Of an existing label, or of a new one if no label has the wanted name."""
    if isinstance(wanted, uuid.UUID):
        if write.find(Label, wanted) is None:
            raise _unknown(field, Label)
        return wanted
    name = comparable(wanted["name"])
    for label in write.objects(Label):
        if label.comparable_name == name:
            return label.pk
    return write.create(Label, uuid.uuid4(), wanted).pk


def next_occurrences(task: Task, *, now: datetime, zone: ZoneInfo) -> Iterator[dict[str, Any]]:
    """When the next ones are due, if each is completed on its day."""
    if task.repeat:
        today = now.astimezone(ZoneInfo(task.due_zone) if task.due_zone else zone).date()
        for day in Repeat.read(task.repeat).days(today):
            moved = task.days_later((day - cast(date, task.due_day)).days)
            yield {"due_date": moved.get("due_date"), "due_at": moved.get("due_at")}


# Projects


def update_project(project: Project, values: Values, write: Write) -> set[str]:
    own = {name: value for name, value in values.items() if name not in {"parent", *DIRECTIONS}}
    return project.set_fields(own, at=write.at) | move_project(project, values, write)


def move_project(project: Project, values: Values, write: Write) -> set[str]:
    siblings, changed = project.sibling_key, set()
    if values.get("parent", project.parent_id) != project.parent_id:
        if values["parent"]:
            _check_active("parent", _check_parent(project, values["parent"], write))
        changed |= project.set_fields({"parent": values["parent"]}, at=write.at)
    return changed | _place(project, siblings, values, write)


def archive(project: Project, values: Values, write: Write) -> set[str]:
    """Archive a project with those in it. Repeating it changes nothing."""
    if project.archived_at:
        return set()
    for each in write.contents(project):
        if isinstance(each, Project) and not each.archived_at and not each.deleted_at:
            write.change(each, archived_at=write.at)
    return project.set_fields({"archived_at": write.at}, at=write.at)


def unarchive(project: Project, values: Values, write: Write) -> set[str]:
    """Unarchive a project, what it is in, and those that were archived with it."""
    if not project.archived_at:
        return set()
    for each in write.contents(project):
        if isinstance(each, Project) and each.archived_at == project.archived_at and not each.deleted_at:
            write.change(each, archived_at=None)
    for each in _containers(project, write):
        if each.archived_at:
            write.change(each, archived_at=None)
    return project.set_fields({"archived_at": None}, at=write.at)


def restore_project(project: Project, values: Values, write: Write) -> set[str]:
    """Out of a project that is in the trash."""
    changed = set()
    if project.deleted_at and project.parent_id and write.find(Project, project.parent_id) is None:
        changed |= move_project(project, {"parent": None}, write)
    return changed | restore(project, values, write)


# Labels


def update_label(label: Label, values: Values, write: Write) -> set[str]:
    own = {name: value for name, value in values.items() if name not in DIRECTIONS}
    changed = label.set_fields(own, at=write.at)
    for other in write.objects(Label):
        if other is not label and other.comparable_name == label.comparable_name:
            raise ValidationFailed.of("name", "unique", "You already have a label with this name.")
    return changed | _place(label, label.sibling_key, values, write)


def delete_label(label: Label, values: Values, write: Write) -> set[str]:
    for task in write.objects(Task):
        labels = [each for each in task.labels if each != label.pk]
        if len(labels) < len(task.labels):
            write.change(task, labels=labels)
    return purge(label, values, write)


# Levels and order


def _check_active(field: str, project: Project) -> None:
    if project.archived_at:
        message = f"{field.capitalize()} is archived. Unarchive it first, or choose another project."
        raise ValidationFailed.of(field, "archived", message)


def _check_parent(each: Any, parent_id: uuid.UUID, write: Write) -> Any:
    model, name = type(each), each._meta.verbose_name
    parent = write.find(model, parent_id)
    if parent is None:
        raise _unknown("parent", model)
    contents = [other for other in write.contents(each) if isinstance(other, model)]
    if parent in (each, *contents):
        message = f"Parent must not be the {name} itself or one that is in it."
        raise ValidationFailed.of("parent", "cycle", message)
    above = len([parent, *_containers(parent, write)])
    below = max((len(_containers(other, write, up_to=each)) for other in contents), default=0)
    if above + 1 + below > MAX_LEVELS:
        message = f"Parent is nested too deeply: at most {MAX_LEVELS} levels of {name}s are allowed."
        raise ValidationFailed.of("parent", "max_levels", message)
    return parent


def _containers(each: Any, write: Write, up_to: Any = None) -> list[Any]:
    """Its parent, the parent of that, and so on, as far as they have been loaded."""
    found: list[Any] = []
    while each is not up_to and (draft := write.drafts.get(each.parent_id)):
        each = draft.object
        found.append(each)
    return found


def _place(each: OrderedObject, siblings: tuple[Any, ...], values: Values, write: Write) -> set[str]:
    """Where the operation says; by default it becomes the last one among new siblings."""
    has_moved = each.sibling_key != siblings or not each.position
    if DIRECTIONS & values.keys():
        return place(each, values, write, has_moved=has_moved)
    return each.set_fields({"position": last_position(write)}, at=write.at) if has_moved else set()


def _unknown(field: str, model: type[OrderedObject]) -> ValidationFailed:
    name = field.replace("_", " ").capitalize()
    one, many = model._meta.verbose_name, model._meta.verbose_name_plural
    what = f"IDs of your {many}" if field.endswith("s") else f"the ID of a {one} of yours outside the trash"
    return ValidationFailed.of(field, "does_not_exist", f"{name} must be {what}.")


def task_problems(tasks: TaskQuerySet) -> Iterator[str]:
    yield from _first(tasks.nested_beyond(MAX_LEVELS), "Task {} is nested too deeply, or in itself.")
    yield from _first(tasks.apart_from_parents(), "Task {} is in another project than its parent.")
    yield from _first(tasks.live_in_trash(), "Task {} is not in the trash, but what it is in is.")


def project_problems(projects: ProjectQuerySet) -> Iterator[str]:
    yield from _first(projects.nested_beyond(MAX_LEVELS), "Project {} is nested too deeply, or in itself.")
    yield from _first(projects.live_in_trash(), "Project {} is not in the trash, but what it is in is.")


def _first(rows: ObjectQuerySet, problem: str) -> Iterator[str]:
    for object_id in rows.values_list("pk", flat=True)[:1]:
        yield problem.format(object_id)


TASK_VERBS = {
    CREATE: update_task,
    UPDATE: update_task,
    RESTORE: restore_task,
    COMPLETE: complete,
    REOPEN: reopen,
    MOVE: move_task,
    SKIP: skip,
}
PROJECT_VERBS = {
    CREATE: update_project,
    UPDATE: update_project,
    RESTORE: restore_project,
    ARCHIVE: archive,
    UNARCHIVE: unarchive,
    MOVE: move_project,
}
LABEL_VERBS = {CREATE: update_label, UPDATE: update_label, DELETE: delete_label}
