"""A table as CSV that a spreadsheet opens as it is meant, written while it is read."""

import csv
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from django.http import StreamingHttpResponse

# With these a cell would be taken for a formula, and run.
RUN_BY_SPREADSHEETS = ("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠")
# Without it Excel reads UTF-8 as something else.
BYTE_ORDER_MARK = "\ufeff"


class _Line:
    """csv writes to a file; this one only gives back what it is given."""

    def write(self, text: str) -> str:
        return text


def as_csv(heading: Sequence[str], rows: Iterable[Sequence[Any]]) -> Iterator[str]:
    write = csv.writer(_Line()).writerow
    yield BYTE_ORDER_MARK + write(heading)
    for row in rows:
        yield write([harmless(cell) for cell in row])


def harmless(cell: Any) -> Any:
    """A text that stays a text: what a spreadsheet would run is quoted by an apostrophe."""
    if not isinstance(cell, str):
        return cell
    seen = cell.replace(BYTE_ORDER_MARK, "")
    runs = seen.startswith(RUN_BY_SPREADSHEETS) or seen.lstrip().startswith(RUN_BY_SPREADSHEETS)
    return f"'{cell}" if runs else cell


def csv_file(name: str, heading: Sequence[str], rows: Iterable[Sequence[Any]]) -> StreamingHttpResponse:
    headers = {"Content-Disposition": f'attachment; filename="{name}.csv"', "Cache-Control": "no-store"}
    return StreamingHttpResponse(
        as_csv(heading, rows), content_type="text/csv; charset=utf-8", headers=headers
    )
