"""Generates users' labels, projects and tasks as lines in the format of PostgreSQL's COPY.

One at a time, so that a million take seconds.
"""

import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TypeVar

from tasks.models import Task, comparable
from tasks.positions import last
from tasks.recurrence import Repeat

from .words import Topic
from .world import DAY, PAST, Person, World, random_id

T = TypeVar("T")

LABEL_COLUMNS = "id, owner_id, name, comparable_name, color, position, created_at, updated_at, version"
PROJECT_COLUMNS = (
    "id, owner_id, name, color, parent_id, position, archived_at, created_at, updated_at, version"
)
TASK_COLUMNS = (
    "id, owner_id, title, description, completed, completed_at, priority, project_id, parent_id, position, "
    "labels, due_date, due_at, due_zone, start_date, repeat, series, created_at, updated_at, deleted_at, "
    "version"
)
TASK_LABEL_COLUMNS = "owner_id, task_id, label_id"
TOMBSTONE_COLUMNS = "object_id, owner_id, kind, version, purged_at"
NULL = r"\N"
PRIORITIES = "0000011223"


def labels_of(world: World, person: Person) -> Iterator[str]:
    created = world.text(world.span_of(person)[0] | 1)
    ids = _label_ids(world, person)
    for version, (name, color) in enumerate(person.labels, 1):
        world.counts[person.number]["label"]["live"] += 1
        yield (
            f"{ids[name].hex}\t{person.id.hex}\t{name}\t{comparable(name)}\t{color}\t{last(version)}\t"
            f"{created}\t{world.middle_of(person, version)}\t{version}\n"
        )


def projects_of(world: World, person: Person) -> Iterator[str]:
    created = world.text(world.span_of(person)[0] | 1)
    ids = _project_ids(world, person)
    for number, project in enumerate(person.projects, 1):
        version = len(person.labels) + number + (len(person.task_versions) if project.is_archived else 0)
        updated = world.middle_of(person, version)
        world.counts[person.number]["project"]["archived" if project.is_archived else "active"] += 1
        yield (
            f"{ids[project.name]}\t{person.id.hex}\t{project.name}\t{project.color or NULL}\t"
            f"{ids[project.parent] if project.parent else NULL}\t{last(version)}\t"
            f"{updated if project.is_archived else NULL}\t{created}\t{updated}\t{version}\n"
        )


def tasks_of(world: World, person: Person) -> Iterator[str]:
    """In the order of their versions. Subtasks follow their parent.

    The older a task's last change, the more likely it is completed.
    """
    generator = world.random("tasks", person.number)
    random, text = generator.random, world.text

    def choice(choices: Sequence[T]) -> T:  # generator.choice() takes three times as long.
        return choices[int(random() * len(choices))]

    language = person.language
    titles = [(title, topic) for topic in language.topics for title in topic.titles]
    notes, steps, due_times = world.notes[language], language.steps.split("|"), language.due_times.split()
    project_choices, label_choices = _project_choices(world, person), _label_choices(world, person)
    counts = world.counts[person.number]["task"]
    owner, changes, days = person.id.hex, person.changes, world.days
    start, span = world.span_of(person)
    subtasks_left, parent_completed = 0, False
    for version in person.task_versions:
        if version in person.purge_versions:
            continue
        task_id = random_id(generator)
        # Odd, so that it is never a whole second: Django writes those without a fraction.
        updated = start + ((version - 1) * span + int(random() * span)) // changes | 1
        trashed, labels = False, "[]"
        due_date = due_at = due_zone = start_date = repeat = series = NULL
        if subtasks_left:
            subtasks_left -= 1
            title = steps[version % len(steps)]  # They follow each other.
            if not parent_completed:
                completed = random() < 0.4
                completed_at = text(updated) if completed else NULL
        else:
            parent_id = completed_at = NULL
            title, topic = choice(titles)
            created = start + int((updated - start) * (1 - random() ** 3)) | 1
            completed = random() * changes > version * 0.7
            trashed = random() < 0.04
            if completed:
                before = trashed or random() < 0.1
                at = created + int((updated - created) * random()) | 1 if before else updated
                completed_at = text(at)
            elif not trashed and random() < 0.6:
                created = updated  # Unchanged since its creation.
            if random() < 0.65:
                day = created // DAY + 1
                day = day + int(random() * 14) if completed else max(day, PAST - 15 + int(random() * 75))
                number = int(random() * 10)
                if number < len(due_times):
                    due_at = f"{days[day]} {due_times[number]}:00"
                    due_zone = language.time_zone if number < 2 else NULL
                else:
                    due_date = days[day]
                    start_date = days[max(day - 7, created // DAY)] if number == 9 else NULL
            rule = topic.rules[version % len(topic.rules)]
            if rule and due_date != NULL and not completed and not trashed:
                repeat, series = repetition(rule, due_date), task_id
            project_id = choice(project_choices[topic, completed])
            labels, label_ids = choice(label_choices[topic])
            for label_id in label_ids:
                world.task_labels.append(f"{owner}\t{task_id}\t{label_id.hex}\n")
        # A few have been moved between others.
        position = last(int(random() * version)) + last(version) + "V" if random() < 0.1 else last(version)
        counts["trashed" if trashed else "completed" if completed else "open"] += 1
        yield (
            f"{task_id}\t{owner}\t{title}\t{choice(notes)}\t{'1' if completed else '0'}\t{completed_at}\t"
            f"{choice(PRIORITIES)}\t{project_id}\t{parent_id}\t{position}\t{labels}\t{due_date}\t{due_at}\t"
            f"{due_zone}\t{start_date}\t{repeat}\t{series}\t{text(created)}\t{text(updated)}\t"
            f"{text(updated) if trashed else NULL}\t{version}\n"
        )
        if parent_id == NULL and not trashed and random() < 0.05:
            parent_id, parent_completed, subtasks_left = task_id, completed, 2 + int(random() * 4)


def repetition(rule: str, day: str) -> str:
    """The value of the column."""
    parsed = Repeat.parse(rule, date.fromisoformat(day))
    text: str = Task._meta.get_field("repeat").get_prep_value(parsed.as_json())
    return text


def tombstones_of(world: World, person: Person) -> Iterator[str]:
    generator = world.random("purged", person.number)
    for version in person.purge_versions:
        at = world.middle_of(person, version)
        yield f"{random_id(generator)}\t{person.id.hex}\ttask\t{version}\t{at}\n"


def _label_ids(world: World, person: Person) -> dict[str, uuid.UUID]:
    generator = world.random("labels", person.number)
    return {name: uuid.UUID(random_id(generator)) for name, _ in person.labels}


def _project_ids(world: World, person: Person) -> dict[str, str]:
    generator = world.random("projects", person.number)
    return {project.name: random_id(generator) for project in person.projects}


def _project_choices(world: World, person: Person) -> dict[tuple[Topic, bool], list[str]]:
    """By topic, and whether a task is completed: an archived project has no open ones."""
    ids = _project_ids(world, person)
    open_ids = {each.name: ids[each.name] for each in person.projects if not each.is_archived}
    return {
        (topic, completed): [(ids if completed else open_ids).get(name, NULL) for name in topic.projects]
        for topic in person.language.topics
        for completed in (True, False)
    }


def _label_choices(world: World, person: Person) -> dict[Topic, list[tuple[str, list[uuid.UUID]]]]:
    """Sets of labels by topic, also as the value of the column. Most tasks have none, few have several."""
    ids, column = _label_ids(world, person), Task._meta.get_field("labels")
    choices = {}
    for topic in person.language.topics:
        all_of_them = [ids[name] for name in topic.labels if name in ids]
        sets = [*[[]] * 4, *([each] for each in all_of_them * 2), all_of_them]
        choices[topic] = [(column.get_prep_value(each), each) for each in sets]
    return choices


@dataclass(frozen=True)
class Generator:
    """The rows of a kind of objects, as lines with the values of the columns."""

    columns: str
    rows: Callable[[World, Person], Iterator[str]]

    def all_rows(self, world: World) -> Iterator[str]:
        for person in world.people():
            yield from self.rows(world, person)


GENERATORS = {
    "label": Generator(LABEL_COLUMNS, labels_of),
    "project": Generator(PROJECT_COLUMNS, projects_of),
    "task": Generator(TASK_COLUMNS, tasks_of),
}
"""The generators by the name of the kind, in the order of the references between them."""

TOMBSTONES = Generator(TOMBSTONE_COLUMNS, tombstones_of)
