"""Recurrence rules: a subset of RFC 5545 whose next day is computed, without trying one day after the other.

A month that is too short takes its last day, as with SKIP=BACKWARD of RFC 7529; the rule keeps its own day.
"""

import re
from calendar import day_name, month_name, monthrange
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from math import gcd
from typing import Any, Self

MAX_LENGTH = 100
PARTS = ("FREQ", "INTERVAL", "BYDAY", "BYMONTHDAY", "BYMONTH", "UNTIL", "COUNT")
"""In the order of the canonical text."""

DAY_PARTS: dict[str, tuple[str, ...]] = {
    "DAILY": (),
    "WEEKLY": ("BYDAY",),
    "MONTHLY": ("BYDAY", "BYMONTHDAY"),
    "YEARLY": ("BYDAY", "BYMONTHDAY", "BYMONTH"),
}
"""The parts that choose days, by frequency."""

UNITS = {"DAILY": "day", "WEEKLY": "week", "MONTHLY": "month", "YEARLY": "year"}
WEEKDAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
ORDINALS = {1: "first", 2: "second", 3: "third", 4: "fourth", 5: "fifth", -1: "last"}

CYCLE = {"DAILY": 146_097, "WEEKLY": 20_871, "MONTHLY": 4_800, "YEARLY": 400}
"""400 years, after which the calendar repeats. Only a fifth weekday can need more than two periods."""


class RuleError(ValueError):
    """A rule that is not allowed. `part` is the part at fault, or None for the rule as a whole."""

    def __init__(self, part: str | None, message: str) -> None:
        super().__init__(message)
        self.part = part


@dataclass(frozen=True)
class Rule:
    """A rule without its first day, which implies the parts that are left out, such as the weekday."""

    frequency: str
    interval: int = 1
    ordinal: int = 0
    weekdays: tuple[int, ...] = ()
    month_day: int = 0
    months: tuple[int, ...] = ()
    until: date | None = None
    count: int | None = None
    """The number of occurrences left, including the present one."""

    @classmethod
    def parse(cls, text: str) -> Self:
        values = _split(text)
        frequency = values.get("FREQ", "")
        if frequency not in DAY_PARTS:
            raise RuleError("FREQ", f"FREQ must be one of {', '.join(DAY_PARTS)}.")
        for part in DAY_PARTS["YEARLY"]:
            if part in values and part not in DAY_PARTS[frequency]:
                raise RuleError(part, f"{part} is not allowed with FREQ={frequency}.")
        for part, other in (("BYMONTHDAY", "BYDAY"), ("COUNT", "UNTIL")):
            if part in values and other in values:
                raise RuleError(part, f"{part} is not allowed together with {other}.")
        # Without BYMONTH, RFC 5545 means that day of every month, or the weekday's place in the year.
        if frequency == "YEARLY" and "BYMONTH" not in values and {"BYDAY", "BYMONTHDAY"} & values.keys():
            raise RuleError("BYMONTH", "BYMONTH is required with BYDAY or BYMONTHDAY if FREQ=YEARLY.")

        ordinal, weekdays = _weekdays(values["BYDAY"], frequency) if "BYDAY" in values else (0, ())
        return cls(
            frequency,
            interval=_number("INTERVAL", values.get("INTERVAL", "1"), 999),
            ordinal=ordinal,
            weekdays=weekdays,
            month_day=_month_day(values["BYMONTHDAY"]) if "BYMONTHDAY" in values else 0,
            months=_months(values["BYMONTH"]) if "BYMONTH" in values else (),
            until=_until(values["UNTIL"]) if "UNTIL" in values else None,
            count=_number("COUNT", values["COUNT"], 999) if "COUNT" in values else None,
        )

    def __str__(self) -> str:
        """The canonical text."""
        values = {
            "FREQ": self.frequency,
            "INTERVAL": self.interval if self.interval > 1 else None,
            "BYDAY": ",".join(f"{self.ordinal or ''}{WEEKDAYS[weekday]}" for weekday in self.weekdays),
            "BYMONTHDAY": self.month_day,
            "BYMONTH": ",".join(map(str, self.months)),
            "UNTIL": self.until and self.until.isoformat().replace("-", ""),
            "COUNT": self.count,
        }
        return ";".join(f"{part}={values[part]}" for part in PARTS if values[part])

    def begun_on(self, day: date) -> Self:
        """The rule with the parts that its first day implies."""
        if self.weekdays or self.month_day or self.frequency == "DAILY":
            return self
        if self.frequency == "WEEKLY":
            return replace(self, weekdays=(day.weekday(),))
        months = self.months or ((day.month,) if self.frequency == "YEARLY" else ())
        return replace(self, month_day=day.day, months=months)

    def after(self, start: date, day: date) -> date | None:
        """The first day of the rule begun on `start` that is later than both."""
        if self.count == 1:
            return None
        rule, latest = self.begun_on(start), max(start, day)
        first, current, last = (rule._period(each) for each in (start, latest, date.max))
        periods = range(current - (current - first) % rule.interval, last + 1, rule.interval)
        cycle = CYCLE[rule.frequency] // gcd(CYCLE[rule.frequency], rule.interval)
        end = (rule.until or date.max).toordinal()
        for period in periods[: cycle + 1]:
            for found in rule._days(period):
                if found > latest.toordinal():
                    return date.fromordinal(found) if found <= end else None
        return None

    def _period(self, day: date) -> int:
        """The number of the day, week, month or year."""
        match self.frequency:
            case "DAILY":
                return day.toordinal()
            case "WEEKLY":
                return (day.toordinal() - 1) // 7
            case "MONTHLY":
                return day.year * 12 + day.month - 1
            case _:
                return day.year

    def _days(self, period: int) -> Sequence[int]:
        """The ordinals of the rule's days in a period, ascending. In the last week they exceed date.max."""
        match self.frequency:
            case "DAILY":
                return [period]
            case "WEEKLY":
                return [period * 7 + 1 + weekday for weekday in self.weekdays]
            case "MONTHLY":
                return self._days_of_month(period // 12, period % 12 + 1)
            case _:
                return [day for month in self.months for day in self._days_of_month(period, month)]

    def _days_of_month(self, year: int, month: int) -> Sequence[int]:
        """At most one; a month may have no fifth Monday."""
        first_weekday, length = monthrange(year, month)
        if self.ordinal:
            day = 1 + (self.weekdays[0] - first_weekday) % 7
            day += 7 * (self.ordinal - 1 if self.ordinal > 0 else (length - day) // 7)
        else:
            day = length if self.month_day == -1 else min(self.month_day, length)
        return [date(year, month, day).toordinal()] if day <= length else []


@dataclass(frozen=True)
class Repeat:
    """A rule with its own day of the present occurrence, which stays when that occurrence is moved."""

    rule: Rule
    anchor: date
    from_completion: bool = False

    @classmethod
    def parse(cls, text: str, anchor: date, *, from_completion: bool = False) -> Self:
        """Read a user's rule, anchored at the day on which the task is due, or a stored one.

        What the anchor implies is filled in, but not from completion, where the day of completion implies it.
        """
        rule = Rule.parse(text)
        if rule.until and rule.until < anchor:
            raise RuleError("UNTIL", "UNTIL must not be before the due day.")
        return cls(rule if from_completion else rule.begun_on(anchor), anchor, from_completion)

    @classmethod
    def read(cls, stored: Any) -> Self:
        """From what as_json() returned."""
        rule, anchor = Rule.parse(stored["rule"]), date.fromisoformat(stored["anchor"])
        return cls(rule, anchor, stored["from"] == "completion")

    def as_json(self) -> dict[str, str]:
        origin = "completion" if self.from_completion else "due"
        return {"rule": str(self.rule), "from": origin, "anchor": self.anchor.isoformat()}

    def next(self, today: date) -> Self | None:
        """The next occurrence, if this one is completed or skipped today; None after the last one.

        It is later than this one and than today, so no day comes twice in a series.
        """
        start, day = (today, self.anchor) if self.from_completion else (self.anchor, today)
        anchor = self.rule.after(start, day)
        if anchor is None:
            return None
        rule = replace(self.rule, count=self.rule.count - 1) if self.rule.count else self.rule
        return replace(self, rule=rule, anchor=anchor)

    def days(self, today: date) -> Iterator[date]:
        """The days of the next occurrences, if this one is completed today and each later one on its day."""
        repeat = self.next(today)
        while repeat:
            yield repeat.anchor
            repeat = repeat.next(repeat.anchor)

    def describe(self) -> str:
        """The rule in words, such as "every 2 weeks on Friday until 31 January 2027"."""
        words = _describe(self.rule)
        if self.from_completion:
            words += " after completion"
        if until := self.rule.until:
            words += f" until {until.day} {month_name[until.month]} {until.year}"
        if count := self.rule.count:
            words += ", once" if count == 1 else f", {count} times"
        return words


def _split(text: str) -> dict[str, str]:
    if len(text) > MAX_LENGTH or not text.isascii():
        raise RuleError(None, f"A rule must be at most {MAX_LENGTH} ASCII characters long.")
    values: dict[str, str] = {}
    for each in text.upper().split(";"):
        part, _, value = each.partition("=")
        if part not in PARTS:
            raise RuleError(part, f"{part!r} is not supported. The parts of a rule are {', '.join(PARTS)}.")
        if part in values:
            raise RuleError(part, f"{part} must appear only once.")
        values[part] = value
    return values


def _number(part: str, text: str, maximum: int) -> int:
    if re.fullmatch("[0-9]{1,3}", text) and 1 <= int(text) <= maximum:
        return int(text)
    raise RuleError(part, f"{part} must be from 1 to {maximum}.")


def _weekdays(text: str, frequency: str) -> tuple[int, tuple[int, ...]]:
    if frequency == "WEEKLY":
        names = set(text.split(","))
        if names <= set(WEEKDAYS):
            return 0, tuple(sorted(map(WEEKDAYS.index, names)))
        raise RuleError("BYDAY", f"BYDAY must be any of {','.join(WEEKDAYS)} if FREQ=WEEKLY.")
    if match := re.fullmatch(rf"([+]?0?[1-5]|-0?1)({'|'.join(WEEKDAYS)})", text):
        return int(match[1]), (WEEKDAYS.index(match[2]),)
    raise RuleError(
        "BYDAY", "BYDAY must be 1 to 5, or -1 for the last, and one weekday, such as 2TU or -1FR."
    )


def _month_day(text: str) -> int:
    if re.fullmatch("[+]?[0-9]{1,2}|-0?1", text) and int(text) in (-1, *range(1, 32)):
        return int(text)
    raise RuleError("BYMONTHDAY", "BYMONTHDAY must be from 1 to 31, or -1 for the last day.")


def _months(text: str) -> tuple[int, ...]:
    return tuple(sorted({_number("BYMONTH", month, 12) for month in text.split(",")}))


def _until(text: str) -> date:
    try:
        if re.fullmatch("[0-9]{8}", text):
            return date.fromisoformat(text)
    except ValueError:
        pass
    raise RuleError("UNTIL", "UNTIL must be a day without a time, such as 20270131.")


def _describe(rule: Rule) -> str:
    weekdays = _enumerate([day_name[weekday] for weekday in rule.weekdays])
    months = _enumerate([month_name[month] for month in rule.months])
    if rule.ordinal:
        day = f"the {ORDINALS[rule.ordinal]} {weekdays}"
    elif rule.month_day:
        day = "the last day" if rule.month_day == -1 else f"the {_ordinal_number(rule.month_day)}"
    else:
        day = weekdays

    if rule.interval > 1:
        words = f"every {rule.interval} {UNITS[rule.frequency]}s"
    elif rule.frequency == "WEEKLY" and day:
        return f"every {day}"
    else:
        words = rule.frequency.lower() if day else f"every {UNITS[rule.frequency]}"
    if day:
        words += f" on {day}"
    if months:
        words += f" of {months}" if day else f" in {months}"
    return words


def _ordinal_number(number: int) -> str:
    suffixes = {1: "st", 2: "nd", 3: "rd", 21: "st", 22: "nd", 23: "rd", 31: "st"}
    return f"{number}{suffixes.get(number, 'th')}"


def _enumerate(words: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(words[:-1]), *words[-1:]]))
