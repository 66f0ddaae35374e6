"""Bar charts, drawn as SVG by the template admin/chart.html."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Any


@dataclass(frozen=True)
class Series:
    name: str
    counts: list[int]
    urls: list[str] = field(default_factory=list)
    """The list of the rows of each count, if there is one."""


@dataclass(frozen=True)
class Chart:
    """Bars over time: a group for each label. A count that reached the limit is shown with a plus."""

    title: str
    labels: list[str]
    series: list[Series]
    limit: int
    empty: str
    note: str = ""

    @property
    def is_empty(self) -> bool:
        return not any(any(series.counts) for series in self.series)

    @property
    def formatted_limit(self) -> str:
        return f"{self.limit:,}"

    @property
    def is_capped(self) -> bool:
        """Whether a bar would be higher without the limit."""
        return any(max(series.counts) >= self.limit for series in self.series)

    @property
    def top(self) -> int:
        """A round number that no bar exceeds."""
        highest = max(max(series.counts) for series in self.series)
        power = 10 ** (len(str(highest)) - 1)
        return next(step * power for step in (1, 2, 3, 4, 6, 8, 10) if step * power >= highest)

    @property
    def y_labels(self) -> list[str]:
        return [f"{self.top:,}", f"{self.top // 2:,}" if self.top % 2 == 0 else "", "0"]

    @property
    def x_labels(self) -> list[str]:
        return [self.labels[0], self.labels[len(self.labels) // 2], self.labels[-1]]

    @property
    def description(self) -> str:
        return " ".join(self._describe(series) for series in self.series)

    @property
    def rows(self) -> list[tuple[str, tuple[Any, ...]]]:
        """The counts as a table, each with the URL of its rows; the latest first."""
        columns = [zip_longest(map(self._format, each.counts), each.urls) for each in self.series]
        return list(zip(self.labels, zip(*columns, strict=True), strict=True))[::-1]

    @property
    def groups(self) -> Iterator[dict[str, Any]]:
        """The bars of each label, one per series, measured in percent of the drawing."""
        width = 100 / len(self.labels)
        bar_width = 0.8 * width / len(self.series)
        for position, label in enumerate(self.labels):
            x = position * width
            counts = [series.counts[position] for series in self.series]
            texts = (f"{self._format(c)} {s.name}" for c, s in zip(counts, self.series, strict=True))
            # A minimum height, so that 1 beside thousands is still visible.
            heights = [max(1.5, 100 * count / self.top) if count else 0 for count in counts]
            bars = [
                {"series": i, "x": x + 0.1 * width + i * bar_width, "y": 100 - height, "height": height}
                for i, height in enumerate(heights)
                if height
            ]
            text = f"{label}: {', '.join(texts)}"
            yield {"text": text, "x": x, "width": width, "bars": bars, "bar_width": bar_width}

    def _format(self, count: int) -> str:
        return format_capped(count, self.limit)

    def _describe(self, series: Series) -> str:
        highest = max(series.counts)
        total = f"{sum(series.counts):,}{'+' if highest >= self.limit else ''} {series.name}"
        if not highest:
            return f"{total}."
        return f"{total}, at most {self._format(highest)} ({self.labels[series.counts.index(highest)]})."


def format_capped(count: int, limit: int) -> str:
    """A count from capped_counts(), with a plus if it stopped at the limit."""
    return f"{count:,}+" if count >= limit else f"{count:,}"
