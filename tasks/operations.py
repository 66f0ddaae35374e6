"""What operations on tasks, projects and labels do: to an object, to what is in it, and to the order."""

import uuid
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any

from todo_project.api.errors import Conflict, QuotaExceeded, ValidationFailed, quota_limit

from .ledger.kinds import CREATE, DELETE, RESTORE, UPDATE, purge, restore
from .ledger.operations import Operation
from .ledger.querysets import ObjectQuerySet
from .ledger.writes import Write
from .models import Label, OrderedObject, Project, Task, comparable
from .order import DIRECTIONS, anchors, last_position, place
from .querysets import ProjectQuerySet, TaskQuerySet

MAX_LEVELS = 5
COMPLETE, REOPEN, MOVE, ARCHIVE, UNARCHIVE = "complete", "reopen", "move", "archive", "unarchive"

Rows = Callable[[Any], Any]
Values = Mapping[str, Any]


# What operations read besides their own objects: one query reads it for all of them.


def read_for_tasks(rows: Rows, operations: Sequence[Operation]) -> Iterator[ObjectQuerySet]:
    values = [each.values for each in operations]
    moving = _ids(operations, (), {"project", "parent"})
    restoring = _ids(operations, {RESTORE})
    if with_contents := moving | _ids(operations, {COMPLETE, REOPEN}, {"completed"}):
        yield rows(Task).with_contents(with_contents)
    reopening = _ids(operations, {REOPEN}, {"completed"})
    if with_containers := restoring | reopening | _named(values, "parent"):
        yield rows(Task).with_containers(with_containers)
    if projects := _named(values, "project"):
        yield rows(Project).with_ids(projects)
    if restoring:
        yield rows(Project).containing(rows(Task).with_ids(restoring))
    added = [each for one in values for name in ("labels", "add_labels") for each in one.get(name, ())]
    if labels := {each for each in added if isinstance(each, uuid.UUID)}:
        yield rows(Label).with_ids(labels)
    if names := {comparable(each["name"]) for each in added if isinstance(each, dict)}:
        yield rows(Label).named(names)
    yield from _neighbours(Task, rows, operations)


def read_for_projects(rows: Rows, operations: Sequence[Operation]) -> Iterator[ObjectQuerySet]:
    if with_contents := _ids(operations, {ARCHIVE, UNARCHIVE}, {"parent"}):
        yield rows(Project).with_contents(with_contents)
    named = _named([each.values for each in operations], "parent")
    if with_containers := named | _ids(operations, {RESTORE, UNARCHIVE}):
        yield rows(Project).with_containers(with_containers)
    yield from _neighbours(Project, rows, operations)


def read_for_labels(rows: Rows, operations: Sequence[Operation]) -> Iterator[ObjectQuerySet]:
    if names := {comparable(each.values["name"]) for each in operations if "name" in each.values}:
        yield rows(Label).named(names)
    if deleted := _ids(operations, {DELETE}):
        yield rows(Task).with_any_label(deleted)
    yield from _neighbours(Label, rows, operations)


def _ids(
    operations: Sequence[Operation], verbs: Collection[str], names: Collection[str] = ()
) -> set[uuid.UUID]:
    """The objects of operations with one of these verbs, or that set one of these fields."""
    return {each.id for each in operations if each.id and (each.verb in verbs or each.values.keys() & names)}


def _named(values: Sequence[Values], name: str) -> set[uuid.UUID]:
    return {each[name] for each in values if each.get(name)}


def _neighbours(
    model: type[OrderedObject], rows: Rows, operations: Sequence[Operation]
) -> Iterator[ObjectQuerySet]:
    named = {each for operation in operations for each in anchors(operation.values)}
    if named:
        yield rows(model).with_ids(named)
        # Of the moved objects, too: when one has gone, its neighbours are next to each other.
        yield from rows(model).neighbours(named | _ids(operations, (), DIRECTIONS))


# Tasks


def update_task(task: Task, values: Values, write: Write) -> set[str]:
    own = {name: value for name, value in values.items() if name not in RELATIONS}
    completed = None if task.is_new else own.pop("completed", None)
    changed = task.set_fields(own, at=write.at)
    changed |= _move_task(task, values, write) | _set_labels(task, values, write)
    if completed is not None:
        changed |= (complete if completed else reopen)(task, {}, write)
    return changed


RELATIONS = {"project", "parent", "labels", "add_labels", "remove_labels", *DIRECTIONS}


def complete(task: Task, values: Values, write: Write) -> set[str]:
    """Complete a task, and by default its subtasks at the same time. Repeating it changes nothing."""
    if task.completed:
        return set()
    subtasks = [each for each in write.contents(task) if not each.completed and not each.deleted_at]
    choice = values.get("subtasks", "complete")
    if subtasks and choice == "refuse":
        titles = f"{len(subtasks)} open subtask{'s' if len(subtasks) > 1 else ''}"
        raise Conflict(f"This task has {titles}. Complete them first.", details={"field": "subtasks"})
    if choice == "complete":
        for each in subtasks:
            write.change(each, completed=True)
    return task.set_fields({"completed": True}, at=write.at)


def reopen(task: Task, values: Values, write: Write) -> set[str]:
    """Reopen a task, what it is in, and the subtasks that were completed with it."""
    if not task.completed:
        return set()
    for each in write.contents(task):
        if each.completed_at == task.completed_at and not each.deleted_at:
            write.change(each, completed=False)
    for each in _containers(task, write):
        if each.completed:
            write.change(each, completed=False)
    return task.set_fields({"completed": False}, at=write.at)


def restore_task(task: Task, values: Values, write: Write) -> set[str]:
    """Out of a parent or a project that is in the trash."""
    if not task.deleted_at:
        return set()
    changed = set()
    if task.project_id and write.find(Project, task.project_id) is None:
        changed |= _move_task(task, {"project": None}, write)
    if task.parent_id and write.find(Task, task.parent_id) is None:
        changed |= _move_task(task, {"parent": None}, write)
    return changed | restore(task, values, write)


def move_task(task: Task, values: Values, write: Write) -> set[str]:
    return _move_task(task, values, write)


def _move_task(task: Task, values: Values, write: Write) -> set[str]:
    siblings, project_id, parent_id = task.sibling_key, task.project_id, task.parent_id
    if values.get("project", project_id) != project_id:
        project_id, parent_id = values["project"], None
        project = write.find(Project, project_id)
        if project_id and project is None:
            raise _unknown("project", Project)
        if project and project.archived_at:
            message = "This project is archived. Unarchive it first, or choose another one."
            raise ValidationFailed.of("project", "archived", message)
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


# Projects


def update_project(project: Project, values: Values, write: Write) -> set[str]:
    own = {name: value for name, value in values.items() if name not in {"parent", *DIRECTIONS}}
    return project.set_fields(own, at=write.at) | move_project(project, values, write)


def move_project(project: Project, values: Values, write: Write) -> set[str]:
    siblings, changed = project.sibling_key, set()
    if values.get("parent", project.parent_id) != project.parent_id:
        if values["parent"]:
            _check_parent(project, values["parent"], write)
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
