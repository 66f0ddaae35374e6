"""People and their tasks, made up from a number: the same arguments give the same rows, ids included.

Tasks are lines as PostgreSQL's COPY reads them, because a million of them must cost seconds. They are made
one after the other and never kept.
"""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from random import Random

from .words import LANGUAGES, Language

DEFAULT_SEED = 1
PURGE_EVERY = 50
"""Of an owner's changes each fiftieth was a deletion for good."""

MINUTE = 60_000_000  # Times are counted in microseconds, from the first of the days.
DAY = 24 * 60 * MINUTE
PAST, FUTURE = 366, 60
"""Days before and after now."""

TASK_COLUMNS = (
    "id, owner_id, title, description, completed, completed_at, priority, due_at, created_at, updated_at, "
    "deleted_at, version"
)
TOMBSTONE_COLUMNS = "task, owner_id, version, purged_at"
CLOCK_COLUMNS = "owner_id, tick, forgotten, forgettings"
NULL = r"\N"
DUE_HOURS = ("08:00:00", "09:00:00", "12:00:00", "17:00:00", "18:30:00")
MINUTES = tuple(f"{hour:02}:{minute:02}" for hour in range(24) for minute in range(60))
PRIORITIES = "0000011223"
# The bits that make 128 random ones a uuid4. uuid.UUID() would take three times as long.
UUID4 = 4 << 76 | 2 << 62
OF_CHANCE = ~(0xF << 76 | 3 << 62)


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
        """The last version that one of their tasks, or what is left of one, has."""
        return self.tasks + self.tasks // (PURGE_EVERY - 1)


class World:
    def __init__(self, *, seed: int, users: int, tasks: int, now: datetime) -> None:
        self.seed, self.users, self.tasks, self.now = seed, users, tasks, now
        self._first_day = datetime(now.year, now.month, now.day, tzinfo=UTC) - timedelta(days=PAST)
        self._days = [f"{self._first_day + timedelta(days=day):%Y-%m-%d}" for day in range(PAST + FUTURE)]
        self._words = {language: (language.all_titles(), self._notes(language)) for language in LANGUAGES}

    def chance(self, *what: object) -> Random:
        """A source of numbers for one purpose, so that one more user changes nothing about the others."""
        return Random(f"{self.seed} {what}")  # noqa: S311 (it guards nothing)

    def people(self) -> Iterator[Person]:
        """The second has half as many tasks as the first, the third a third, and so on."""
        chance = self.chance("people")
        names = {language: sorted(language.names().items()) for language in LANGUAGES}
        for of_language in names.values():
            chance.shuffle(of_language)
        tag = "" if self.seed == DEFAULT_SEED else f"+{self.seed}"
        shares = [1 / (number + 1) for number in range(self.users)]
        whole = sum(shares)
        done = 0
        for number, so_far in enumerate(accumulate(shares)):
            language = LANGUAGES[number % len(LANGUAGES)]
            again, which = divmod(number // len(LANGUAGES), len(names[language]))
            login, name = names[language][which]
            until = round(self.tasks * (so_far / whole))
            # The first has been there for all of the year.
            year = 1 if number == 0 else chance.uniform(0.05, 1)
            yield Person(
                number,
                id=uuid.UUID(int=chance.getrandbits(128), version=4),
                name=name,
                email=f"{login}{again + 1 if again else ''}{tag}@example.com",
                language=language,
                joined_at=self.now - timedelta(days=365) * year,
                tasks=until - done,
            )
            done = until

    def clocks(self) -> Iterator[str]:
        for person in self.people():
            yield f"{person.id.hex}\t{person.changes}\t0\t0\n"

    def all_tasks(self) -> Iterator[str]:
        for person in self.people():
            yield from self.tasks_of(person)

    def all_tombstones(self) -> Iterator[str]:
        for person in self.people():
            yield from self.tombstones_of(person)

    def tombstones_of(self, person: Person) -> Iterator[str]:
        """Each amid the time that its version has for itself, so they are found without making the rest."""
        chance = self.chance("purged", person.number)
        start, span = self._span_of(person)
        for version in range(PURGE_EVERY, person.changes + 1, PURGE_EVERY):
            at = self._text(start + (2 * version - 1) * span // (2 * person.changes) | 1)
            yield f"{self._id(chance)}\t{person.id.hex}\t{version}\t{at}\n"

    def tasks_of(self, person: Person) -> Iterator[str]:
        """In the order of their versions, which is that of their last changes.

        The older the last change, the likelier it was the completion. A line holds its values in the order of
        TASK_COLUMNS.
        """
        chance = self.chance("tasks", person.number)
        random, text, new_id = chance.random, self._text, self._id
        titles, notes = self._words[person.language]
        n_titles, n_notes = len(titles), len(notes)
        owner, changes, days = person.id.hex, person.changes, self._days
        start, span = self._span_of(person)
        for version in range(1, changes + 1):
            if version % PURGE_EVERY == 0:
                continue
            # An odd time is never a whole second, which Django would write in a shorter way.
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
                created = updated  # Nothing has happened to it since.
            due_at = NULL
            if random() < 0.65:
                day = created // DAY + 1
                day = day + int(random() * 14) if completed else max(day, PAST - 15 + int(random() * 75))
                due_at = f"{days[day]} {DUE_HOURS[int(random() * 5)]}"
            yield (
                f"{new_id(chance)}\t{owner}\t{titles[int(random() * n_titles)]}\t"
                f"{notes[int(random() * n_notes)]}\t{'1' if completed else '0'}\t{completed_at}\t"
                f"{PRIORITIES[int(random() * 10)]}\t{due_at}\t{text(created)}\t{text(updated)}\t"
                f"{deleted_at}\t{version}\n"
            )

    def _span_of(self, person: Person) -> tuple[int, int]:
        """When a person's changes begin, and for how long they go on."""
        microsecond = timedelta(microseconds=1)
        start = (person.joined_at - self._first_day) // microsecond
        return start, (self.now - self._first_day) // microsecond - start

    def _notes(self, language: Language) -> list[str]:
        """Nearly half of all tasks have none; a few have a page."""
        chance = self.chance("notes", LANGUAGES.index(language))
        some = ["" for _ in range(450)]
        some += [chance.choice(language.notes) for _ in range(300)]
        for _ in range(200):
            some.append(" ".join(chance.sample(language.notes, chance.randint(2, 4))))
        for _ in range(40):
            items = chance.choices(language.all_titles(), k=chance.randint(2, 8))
            some.append("\n".join(f"- {item}" for item in items))
        for _ in range(10):
            pages = [" ".join(chance.sample(language.notes, 5)) for _ in range(chance.randint(3, 8))]
            some.append("\n\n".join(pages))
        return [note.replace("\n", r"\n") for note in some]

    def _text(self, time: int) -> str:
        """As Django writes it for SQLite, and PostgreSQL reads it in UTC."""
        day, minutes = divmod(time, DAY)
        minute, rest = divmod(minutes, MINUTE)
        seconds = f"{rest:08}"
        return f"{self._days[day]} {MINUTES[minute]}:{seconds[:2]}.{seconds[2:]}"

    @staticmethod
    def _id(chance: Random) -> str:
        return f"{chance.getrandbits(128) & OF_CHANCE | UUID4:032x}"
