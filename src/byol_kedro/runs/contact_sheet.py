"""A contact sheet: similar images as one HTML file that loads nothing from elsewhere."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jinja2 import Environment, StrictUndefined
from numpy.typing import NDArray

from byol_kedro.files.atomic import replacing
from byol_kedro.pipelines.report.examples import jpeg

PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Similar images</title>
<link rel="icon" href="data:,">
<style>
:root { --ink: #1f252b; --soft: #5c6670; --rule: #e3e7eb; --page: #fff; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e9ec; --soft: #9aa4ae; --rule: #343b42; --page: #16191c; } }
body { margin: 0 auto; max-width: 1120px; padding: 24px 16px 64px; background: var(--page); color: var(--ink);
       font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, Arial, sans-serif; }
h1 { font-size: 1.5rem; margin: 0 0 4px; }
p { color: var(--soft); margin: 0; overflow-wrap: anywhere; }
section { margin-top: 28px; padding-top: 20px; border-top: 1px solid var(--rule); }
h2 { font-size: 1rem; margin: 0 0 12px; overflow-wrap: anywhere; }
.images { display: grid; grid-template-columns: repeat(auto-fill, minmax(116px, 1fr)); gap: 14px 10px;
          margin-top: 16px; }
figure { margin: 0; }
img { display: block; width: 100%; aspect-ratio: 1; object-fit: cover; border-radius: 4px; }
.query { width: 160px; }
figcaption { font-size: .75rem; color: var(--soft); overflow-wrap: anywhere; }
figcaption b { color: var(--ink); font-variant-numeric: tabular-nums; }
a { color: inherit; }
</style>
</head>
<body>
<h1>Similar images</h1>
<p>{{ about }}</p>
{% for query in queries %}
<section>
<h2>{{ query.path }}</h2>
<img class="query" src="data:image/jpeg;base64,{{ query.jpeg }}" alt="{{ query.path }}">
<div class="images">
{% for image in query.found %}
<figure><img src="data:image/jpeg;base64,{{ image.jpeg }}" alt="{{ image.path }}" title="{{ image.path }}">
<figcaption><b>{{ "%.3f" | format(image.similarity) }}</b> {{ image.split }}<br>{{ image.name }}</figcaption></figure>
{% endfor %}
</div>
</section>
{% endfor %}
</body>
</html>
"""


@dataclass(frozen=True, eq=False)
class Shown:
    """An image of the sheet: its pixels (3, H, W) uint8 and, of a match, name, split and similarity."""

    path: str
    pixels: NDArray[np.uint8]
    name: str = ""
    split: str = ""
    similarity: float = 1.0

    @property
    def jpeg(self) -> str:
        """The image as JPEG in base64."""
        return jpeg(self.pixels)


@dataclass(frozen=True, eq=False)
class Query(Shown):
    """An image that was searched for, and what was found."""

    found: Sequence[Shown] = ()


def write_contact_sheet(output: Path, about: str, queries: Sequence[Query]) -> None:
    """Write the sheet atomically, with `about` below the heading.

    Raises:
        UserError: The file cannot be written.
    """
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    page = environment.from_string(PAGE).render(about=about, queries=queries)
    with replacing(output, len(page)) as temporary:
        temporary.write_text(page, encoding="utf-8")
