"""docs/performance.md, whose sections and chart the benchmarks write."""

import datetime as dt
import os
import platform
import re
import subprocess
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path

from .servers.postgres import find_binaries

DOCS = Path(__file__).parents[2] / "docs"
PAGE = DOCS / "performance.md"

BAR, GAP, LABEL, WIDTH = 16, 10, 150, 720

STYLE = """\
  text { font: 13px system-ui, sans-serif; fill: #24292f }
  .first { fill: #2f6fb7 }
  .second { fill: #d9822b }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 }
    .first { fill: #6cb0f5 }
    .second { fill: #f0a95b }
  }
"""


def machine() -> str:
    """What figures depend on. The load tells what else the machine did when the measurement began."""
    cpu = re.search(r"model name\s*: (.+)", Path("/proc/cpuinfo").read_text())
    binaries = find_binaries()
    postgres = (
        binaries and subprocess.check_output([binaries / "postgres", "--version"], text=True).split()[2]
    )
    versions = f"Python {platform.python_version()}, Django {version('django')}, PostgreSQL {postgres}"
    cores = f"{os.cpu_count()} cores of {cpu[1] if cpu else platform.machine()}"
    return (
        f"{dt.datetime.now(dt.UTC).date()}, {cores}, {versions}. "
        f"Load of the machine before: {os.getloadavg()[0]:.1f}."
    )


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """In Markdown, and in columns on a terminal."""
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]

    def line(cells: Sequence[str]) -> str:
        first, *others = [
            f"{cell:{'>' if number else '<'}{width}}"
            for number, (cell, width) in enumerate(zip(cells, widths, strict=True))
        ]
        return f"| {' | '.join([first, *others])} |"

    rule = [f"{'-' * (width - 1)}{':' if number else '-'}" for number, width in enumerate(widths)]
    return "\n".join(map(line, [head, rule, *rows]))


def bar_chart(bars: Mapping[str, tuple[float, float]], names: tuple[str, str]) -> str:
    """SVG with a bar of two parts for each name, in milliseconds."""
    scale = (WIDTH - LABEL - 70) / max(map(sum, bars.values()))
    height = (len(bars) + 1) * (BAR + GAP) + GAP
    parts = [
        f'<rect class="first" x="{LABEL}" y="{GAP}" width="{BAR}" height="{BAR}"/>'
        f'<text x="{LABEL + 22}" y="{GAP + 13}">{names[0]}</text>'
        f'<rect class="second" x="{LABEL + 90}" y="{GAP}" width="{BAR}" height="{BAR}"/>'
        f'<text x="{LABEL + 112}" y="{GAP + 13}">{names[1]}, ms of processor time per request</text>'
    ]
    for number, (name, (first, second)) in enumerate(bars.items(), 1):
        y, middle, end = GAP + number * (BAR + GAP), LABEL + first * scale, LABEL + (first + second) * scale
        parts.append(
            f'<text x="{LABEL - 8}" y="{y + 13}" text-anchor="end">{name}</text>'
            f'<rect class="first" x="{LABEL}" y="{y}" width="{first * scale:.1f}" height="{BAR}"/>'
            f'<rect class="second" x="{middle:.1f}" y="{y}" width="{second * scale:.1f}" height="{BAR}"/>'
            f'<text x="{end + 8:.1f}" y="{y + 13}">{first + second:.1f}</text>'
        )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img">\n'
        f"<style>\n{STYLE}</style>\n" + "\n".join(parts) + "\n</svg>\n"
    )


def write_section(name: str, text: str, chart: str | None = None) -> None:
    """Replace what is between two comments in the page, and the chart below it."""
    if chart:
        (DOCS / f"performance-{name}.svg").write_text(chart)
        text += f"\n\n![Processor time per request](performance-{name}.svg)"
    begin, end = (f"<!-- {each} {name} -->" for each in ("begin", "end"))
    before, _, rest = PAGE.read_text().partition(begin)
    _, found, after = rest.partition(end)
    assert found, f"{PAGE} has no {begin} … {end}."
    PAGE.write_text(f"{before}{begin}\n{text}\n{end}{after}")
