"""Texts in CSV files that a spreadsheet would compute, as it would `=HYPERLINK(…)` in the name of an image.

https://owasp.org/www-community/attacks/CSV_Injection: an apostrophe before such a text makes it one. Numbers are left
as they are. Apostrophes that were there get another, so that what was written can be read back.
"""

import re
from collections.abc import Callable

import pandas as pd

BEGINS = "=+\\-@\t\r\n＝＋－＠"  # the last four are their full width forms
FORMULA = re.compile(f"'*[{BEGINS}]")
GUARDED = re.compile(f"'+[{BEGINS}]")


def guarded(text: str) -> str:
    """`=1+1` → `'=1+1`; other texts are unchanged."""
    return f"'{text}" if FORMULA.match(text) else text


def unguarded(text: str) -> str:
    """What `guarded` was given."""
    return text[1:] if GUARDED.match(text) else text


def has_line_ends(table: pd.DataFrame) -> bool:
    """Whether a text has a carriage return in it, which Python's csv does not quote of its own accord."""
    texts = table.select_dtypes(exclude=["number", "bool"])
    return any(isinstance(cell, str) and "\r" in cell for name in texts for cell in texts[name])


def with_texts(table: pd.DataFrame, change: Callable[[str], str]) -> pd.DataFrame:
    """The table with every text in it changed; numbers, also those beside texts in a column, are left as they are."""
    changed = table.copy(deep=False)
    for name in table.select_dtypes(exclude=["number", "bool"]):
        changed[name] = table[name].map(lambda cell: change(cell) if isinstance(cell, str) else cell)
    return changed
