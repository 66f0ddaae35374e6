"""Generates users and their objects from a seed: the same arguments give the same rows, including their ids.

Objects are generated as lines in the format of PostgreSQL's COPY, one at a time, so that a million take
seconds.
"""

import json
import uuid
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from random import Random

from .words import LANGUAGES, Language

DEFAULT_SEED = 1
PURGE_EVERY = 50
"""Every fiftieth change of an owner purged a task."""

MINUTE = 60_000_000  # Times are in microseconds since the first day.
DAY = 24 * 60 * MINUTE
PAST, FUTURE = 366, 60
"""Days before and after now that tasks may lie in."""

TASK_COLUMNS = (
    "id, owner_id, title, description, completed, completed_at, priority, due_date, due_at, created_at, "
    "updated_at, deleted_at, version"
)
TOMBSTONE_COLUMNS = "object_id, owner_id, kind, version, purged_at"
CLOCK_COLUMNS = "owner_id, epoch, tick, counts, pruned_version, prune_count"
NULL = r"\N"
DUE_HOURS = ("08:00:00", "09:00:00", "12:00:00", "17:00:00", "18:30:00")
MINUTES = tuple(f"{hour:02}:{minute:02}" for hour in range(24) for minute in range(60))
PRIORITIES = "0000011223"
# Turn 128 random bits into a version 4 UUID; uuid.UUID() takes three times as long.
UUID4_BITS = 4 << 76 | 2 << 62
RANDOM_BITS = ~(0xF << 76 | 3 << 62)


@dataclass(frozen=True)
class Person:
    number: int
    id: uuid.UUID
    name: str
    email: str
    language: Language
    joined_at: datetime
    tasks: int

    @property
    def changes(self) -> int:
        """The highest version of their tasks and tombstones."""
        return self.tasks + self.tasks // (PURGE_EVERY - 1)


class World:
    def __init__(self, *, seed: int, users: int, tasks: int, now: datetime) -> None:
        self.seed, self.users, self.tasks, self.now = seed, users, tasks, now
        self.counts: dict[int, dict[str, Counter[str]]] = defaultdict(lambda: defaultdict(Counter))
        """The number of objects by person, kind and state."""
        self.ticks: dict[int, int] = {}
        """The last version of each person who has objects of other kinds than tasks."""
        self._first_day = datetime(now.year, now.month, now.day, tzinfo=UTC) - timedelta(days=PAST)
        self._days = [f"{self._first_day + timedelta(days=day):%Y-%m-%d}" for day in range(PAST + FUTURE)]
        self._words = {language: (language.all_titles(), self._notes(language)) for language in LANGUAGES}

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
        """After all_rows() of all kinds, which counts the objects in each state."""
        epochs = self.random("epochs")
        for person in self.people():
            tick = self.ticks.get(person.number, person.changes)
            counts = json.dumps(self.counts[person.number])
            yield f"{person.id.hex}\t{epochs.randrange(1, 2**32)}\t{tick}\t{counts}\t0\t0\n"

    def next_version(self, person: Person) -> int:
        """For an object of another kind: they come after the tasks."""
        version = self.ticks[person.number] = self.ticks.get(person.number, person.changes) + 1
        return version

    def all_rows(self, generator: "Generator") -> Iterator[str]:
        for person in self.people():
            yield from generator.rows(self, person)

    def all_tombstones(self) -> Iterator[str]:
        for person in self.people():
            yield from self.tombstones_of(person)

    def tombstones_of(self, person: Person) -> Iterator[str]:
        """Each in the middle of its version's interval, so that no task has to be generated to find it."""
        generator = self.random("purged", person.number)
        start, span = self._span_of(person)
        for version in range(PURGE_EVERY, person.changes + 1, PURGE_EVERY):
            at = self._text(start + (2 * version - 1) * span // (2 * person.changes) | 1)
            yield f"{self._id(generator)}\t{person.id.hex}\ttask\t{version}\t{at}\n"

    def tasks_of(self, person: Person) -> Iterator[str]:
        """In the order of their versions, with the values in the order of TASK_COLUMNS.

        The older a task's last change, the more likely it is completed.
        """
        generator = self.random("tasks", person.number)
        random, text, new_id = generator.random, self._text, self._id
        titles, notes = self._words[person.language]
        n_titles, n_notes = len(titles), len(notes)
        owner, changes, days = person.id.hex, person.changes, self._days
        start, span = self._span_of(person)
        if not changes:
            return
        counts = self.counts[person.number]["task"]
        for version in range(1, changes + 1):
            if version % PURGE_EVERY == 0:
                continue
            # Odd, so that it is never a whole second: Django writes those without a fraction.
            updated = start + ((version - 1) * span + int(random() * span)) // changes | 1
            created = start + int((updated - start) * (1 - random() ** 3)) | 1
            completed_at = deleted_at = NULL
            completed = random() * changes > version * 0.7
            trashed = random() < 0.04
            if completed:
                before = trashed or random() < 0.1
                at = created + int((updated - created) * random()) | 1 if before else updated
                completed_at = text(at)
            if trashed:
                deleted_at = text(updated)
            elif not completed and random() < 0.6:
                created = updated  # Unchanged since its creation.
            counts["trashed" if trashed else "completed" if completed else "open"] += 1
            due_date = due_at = NULL
            if random() < 0.65:
                day = created // DAY + 1
                day = day + int(random() * 14) if completed else max(day, PAST - 15 + int(random() * 75))
                hour = int(random() * 10)
                if hour < len(DUE_HOURS):
                    due_at = f"{days[day]} {DUE_HOURS[hour]}"
                else:
                    due_date = days[day]
            yield (
                f"{new_id(generator)}\t{owner}\t{titles[int(random() * n_titles)]}\t"
                f"{notes[int(random() * n_notes)]}\t{'1' if completed else '0'}\t{completed_at}\t"
                f"{PRIORITIES[int(random() * 10)]}\t{due_date}\t{due_at}\t{text(created)}\t{text(updated)}\t"
                f"{deleted_at}\t{version}\n"
            )

    def _span_of(self, person: Person) -> tuple[int, int]:
        """The start and the duration of a person's changes."""
        microsecond = timedelta(microseconds=1)
        start = (person.joined_at - self._first_day) // microsecond
        return start, (self.now - self._first_day) // microsecond - start

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

    def _text(self, time: int) -> str:
        """In the format in which Django stores it in SQLite, and PostgreSQL parses it."""
        day, minutes = divmod(time, DAY)
        minute, rest = divmod(minutes, MINUTE)
        seconds = f"{rest:08}"
        return f"{self._days[day]} {MINUTES[minute]}:{seconds[:2]}.{seconds[2:]}"

    @staticmethod
    def _id(generator: Random) -> str:
        return f"{generator.getrandbits(128) & RANDOM_BITS | UUID4_BITS:032x}"


@dataclass(frozen=True)
class Generator:
    """The rows of a kind of objects, as lines with the values of the columns."""

    columns: str
    rows: Callable[[World, Person], Iterator[str]]


GENERATORS = {"task": Generator(TASK_COLUMNS, World.tasks_of)}
"""The generators by the name of the kind. Kinds without one have no demo data."""
