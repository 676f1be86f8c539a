"""Protects CSV files from formula injection, for example an image named `=HYPERLINK(…)`.

A text that a spreadsheet would evaluate gets a leading apostrophe, see
https://owasp.org/www-community/attacks/CSV_Injection. Numbers are unchanged. Existing apostrophes before such a text
get another one, so that the original can be restored.
"""

import re
from collections.abc import Callable

import pandas as pd

BEGINS = "=+\\-@\t\r\n＝＋－＠"  # the last four are full-width forms
FORMULA = re.compile(f"'*[{BEGINS}]")
GUARDED = re.compile(f"'+[{BEGINS}]")


def guarded(text: str) -> str:
    """Escape a formula: `=1+1` → `'=1+1`; other texts are unchanged."""
    return f"'{text}" if FORMULA.match(text) else text


def unguarded(text: str) -> str:
    """Undo `guarded`."""
    return text[1:] if GUARDED.match(text) else text


def has_carriage_returns(table: pd.DataFrame) -> bool:
    """Return whether any text contains a carriage return, which Python's csv does not quote by default."""
    texts = table.select_dtypes(exclude=["number", "bool"])
    return any(isinstance(cell, str) and "\r" in cell for name in texts for cell in texts[name])


def map_texts(table: pd.DataFrame, change: Callable[[str], str]) -> pd.DataFrame:
    """Return the table with `change` applied to every text; numbers in mixed columns are unchanged."""
    changed = table.copy(deep=False)
    for name in table.select_dtypes(exclude=["number", "bool"]):
        changed[name] = table[name].map(lambda cell: change(cell) if isinstance(cell, str) else cell)
    return changed
