"""The words of a search that PostgreSQL's index of three letters at a time can find."""

import re

SHORTEST, AT_MOST = 3, 10
_INDEXED = re.compile(rf"[^\W_]{{{SHORTEST}}}")


def searchable(text: str) -> list[str]:
    """Those with so many letters or digits in a row: for others the table would be read from end to end."""
    return [word for word in text.split() if _INDEXED.search(word)][:AT_MOST]
