"""Generates users from a seed: the same arguments give the same rows, including their ids."""

import json
import uuid
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from itertools import accumulate
from random import Random

from .words import LANGUAGES, DemoProject, Language

DEFAULT_SEED = 1
PURGE_EVERY = 50
"""Every fiftieth change of an owner's tasks purged one."""
TASKS_PER_PROJECT, TASKS_PER_LABEL = 7, 10
"""People with few tasks have few projects and labels."""

MINUTE = 60_000_000  # Times are in microseconds since the first day.
DAY = 24 * 60 * MINUTE
PAST, FUTURE = 366, 60
"""Days before and after now that tasks may lie in."""

CLOCK_COLUMNS = "owner_id, epoch, tick, counts, pruned_version, prune_count"
MINUTES = tuple(f"{hour:02}:{minute:02}" for hour in range(24) for minute in range(60))
# Turn 128 random bits into a version 4 UUID; uuid.UUID() takes three times as long.
UUID4_BITS = 4 << 76 | 2 << 62
RANDOM_BITS = ~(0xF << 76 | 3 << 62)


@dataclass(frozen=True)
class Person:
    """Their labels have the first versions, then come active projects, tasks, and archived projects."""

    number: int
    id: uuid.UUID
    name: str
    email: str
    language: Language
    joined_at: datetime
    tasks: int

    @cached_property
    def labels(self) -> list[tuple[str, str]]:
        return list(self.language.labels.items())[: self.tasks // TASKS_PER_LABEL]

    @cached_property
    def projects(self) -> list[DemoProject]:
        """In the order of their versions."""
        found = self.language.projects[: self.tasks // TASKS_PER_PROJECT]
        return sorted(found, key=lambda project: project.is_archived)

    @cached_property
    def task_versions(self) -> range:
        """Of tasks, and of the tombstones of tasks."""
        first = len(self.labels) + sum(not project.is_archived for project in self.projects) + 1
        return range(first, first + self.tasks + self.tasks // (PURGE_EVERY - 1))

    @cached_property
    def purge_versions(self) -> range:
        return self.task_versions[PURGE_EVERY - 1 :: PURGE_EVERY]

    @cached_property
    def changes(self) -> int:
        """The highest version."""
        return len(self.labels) + len(self.projects) + len(self.task_versions)


class World:
    def __init__(self, *, seed: int, users: int, tasks: int, now: datetime) -> None:
        self.seed, self.users, self.tasks, self.now = seed, users, tasks, now
        self.counts: dict[int, dict[str, Counter[str]]] = defaultdict(lambda: defaultdict(Counter))
        """The number of objects by person, kind and state."""
        self.ticks: dict[int, int] = {}
        """The last version of each person who has objects of further kinds."""
        self.task_labels: list[str] = []
        """Rows of the table of tasks' labels, for the tasks generated since it was last emptied."""
        self.first_day = datetime(now.year, now.month, now.day, tzinfo=UTC) - timedelta(days=PAST)
        self.days = [f"{self.first_day + timedelta(days=day):%Y-%m-%d}" for day in range(PAST + FUTURE)]
        self.notes = {language: self._notes(language) for language in LANGUAGES}

    def random(self, *purpose: object) -> Random:
        """A generator for one purpose, so that another user does not change the data of the others."""
        return Random(f"{self.seed} {purpose}")  # noqa: S311 (not used for security)

    def people(self) -> Iterator[Person]:
        """The second has half as many tasks as the first, the third a third, and so on."""
        generator = self.random("people")
        names = {language: sorted(language.names().items()) for language in LANGUAGES}
        for pairs in names.values():
            generator.shuffle(pairs)
        tag = "" if self.seed == DEFAULT_SEED else f"+{self.seed}"
        shares = [1 / (number + 1) for number in range(self.users)]
        total = sum(shares)
        done = 0
        for number, so_far in enumerate(accumulate(shares)):
            language = LANGUAGES[number % len(LANGUAGES)]
            round_number, index = divmod(number // len(LANGUAGES), len(names[language]))
            login, name = names[language][index]
            last = round(self.tasks * (so_far / total))
            # The first user joined a full year ago.
            year = 1 if number == 0 else generator.uniform(0.05, 1)
            yield Person(
                number,
                id=uuid.UUID(int=generator.getrandbits(128), version=4),
                name=name,
                email=f"{login}{round_number + 1 if round_number else ''}{tag}@example.com",
                language=language,
                joined_at=self.now - timedelta(days=365) * year,
                tasks=last - done,
            )
            done = last

    def clocks(self) -> Iterator[str]:
        """After the rows of all kinds, whose generators count the objects in each state."""
        epochs = self.random("epochs")
        for person in self.people():
            tick = self.ticks.get(person.number, person.changes)
            counts = json.dumps(self.counts[person.number])
            yield f"{person.id.hex}\t{epochs.randrange(1, 2**32)}\t{tick}\t{counts}\t0\t0\n"

    def next_version(self, person: Person) -> int:
        """For an object of a further kind."""
        version = self.ticks[person.number] = self.ticks.get(person.number, person.changes) + 1
        return version

    def span_of(self, person: Person) -> tuple[int, int]:
        """The start and the duration of a person's changes."""
        microsecond = timedelta(microseconds=1)
        start = (person.joined_at - self.first_day) // microsecond
        return start, (self.now - self.first_day) // microsecond - start

    def middle_of(self, person: Person, version: int) -> str:
        """A time in the middle of a version's interval."""
        start, span = self.span_of(person)
        return self.text(start + (2 * version - 1) * span // (2 * person.changes) | 1)

    def text(self, time: int) -> str:
        """In the format in which Django stores it in SQLite, and PostgreSQL parses it."""
        day, minutes = divmod(time, DAY)
        minute, rest = divmod(minutes, MINUTE)
        seconds = f"{rest:08}"
        return f"{self.days[day]} {MINUTES[minute]}:{seconds[:2]}.{seconds[2:]}"

    def _notes(self, language: Language) -> list[str]:
        """Nearly half of them are empty; a few fill a page."""
        generator = self.random("notes", LANGUAGES.index(language))
        texts = ["" for _ in range(450)]
        texts += [generator.choice(language.notes) for _ in range(300)]
        for _ in range(200):
            texts.append(" ".join(generator.sample(language.notes, generator.randint(2, 4))))
        for _ in range(40):
            items = generator.choices(language.all_titles(), k=generator.randint(2, 8))
            texts.append("\n".join(f"- {item}" for item in items))
        for _ in range(10):
            pages = [" ".join(generator.sample(language.notes, 5)) for _ in range(generator.randint(3, 8))]
            texts.append("\n\n".join(pages))
        return [note.replace("\n", r"\n") for note in texts]


def random_id(generator: Random) -> str:
    return f"{generator.getrandbits(128) & RANDOM_BITS | UUID4_BITS:032x}"
