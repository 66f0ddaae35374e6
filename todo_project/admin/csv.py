"""CSV downloads that are streamed, and that a spreadsheet opens as text."""

import csv
import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from django.http import StreamingHttpResponse

FORMULA_PREFIXES = ("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠")
# Without it Excel does not read the file as UTF-8.
BYTE_ORDER_MARK = "\ufeff"


class _Echo:
    """A file for csv.writer that returns each line instead of storing it."""

    def write(self, text: str) -> str:
        return text


def csv_lines(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> Iterator[str]:
    write = csv.writer(_Echo()).writerow
    yield BYTE_ORDER_MARK + write(header)
    for row in rows:
        yield write([escape_formula(_plain(cell)) for cell in row])


def _plain(cell: Any) -> Any:
    match cell:
        case list():
            return " ".join(map(str, cell))
        case dict():
            return json.dumps(cell)
    return cell


def escape_formula(cell: Any) -> Any:
    """Put an apostrophe before a text that a spreadsheet would run as a formula."""
    if not isinstance(cell, str):
        return cell
    text = cell.replace(BYTE_ORDER_MARK, "")
    is_formula = text.startswith(FORMULA_PREFIXES) or text.lstrip().startswith(FORMULA_PREFIXES)
    return f"'{cell}" if is_formula else cell


def csv_response(name: str, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> StreamingHttpResponse:
    headers = {"Content-Disposition": f'attachment; filename="{name}.csv"', "Cache-Control": "no-store"}
    return StreamingHttpResponse(
        csv_lines(header, rows), content_type="text/csv; charset=utf-8", headers=headers
    )
