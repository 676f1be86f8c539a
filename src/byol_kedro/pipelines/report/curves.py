"""Top-1 over the number of labels."""

from collections.abc import Sequence
from itertools import groupby
from typing import Any

import plotly.graph_objects as go

from byol_kedro.evaluation.metrics import percent
from byol_kedro.log import counted

from .bars import colour
from .figures import dress, empty

TITLE = "How many labels the features need"


def few_label_curve(rows: Sequence[dict[str, Any]]) -> go.Figure:
    """A curve with its band (mean ± one standard deviation over the draws) for each kind of features.

    `rows` are those of `few_labels.few_label_rows`, features after features.
    """
    if not rows:
        return empty(TITLE, "nothing was measured:<br>no labels of two classes to learn,<br>or none to test on")
    figure = go.Figure()
    for features, group in groupby(rows, key=lambda row: str(row["features"])):
        figure.add_traces(_curve(features, list(group)))
    ticks = {row["per_class"]: _tick(row) for row in rows}
    figure.update_xaxes(
        title="labels a class", type="log", tickvals=list(ticks), ticktext=list(ticks.values()), minor_ticks=""
    )
    figure.update_yaxes(title="top-1, %", rangemode="tozero")
    draws = max(row["n"] for row in rows)
    note = f"band: one standard deviation over {counted(draws, 'draw')}; all labels: one draw"
    # Below the axis: its rows, of which a phone has several, then push nothing but the lower edge.
    legend = {"orientation": "h", "x": 0, "xanchor": "left", "y": -0.22, "yanchor": "top"}
    return dress(figure, TITLE, note, height=480).update_layout(showlegend=True, legend=legend)


def _curve(features: str, rows: list[dict[str, Any]]) -> list[go.Scatter]:
    x = [row["per_class"] for row in rows]
    mean = [100 * row["mean"] for row in rows]
    high, low = ([100 * (row["mean"] + sign * row["std"]) for row in rows] for sign in (1, -1))
    band = go.Scatter(
        x=[*x, *reversed(x)],
        y=[*high, *reversed(low)],
        name=f"{features}, band",
        mode="lines",
        fill="toself",
        fillcolor=colour(features),
        opacity=0.25,
        line_width=0,
        hoverinfo="skip",
        showlegend=False,
    )
    line = go.Scatter(
        x=x,
        y=mean,
        name=features,
        mode="lines+markers",
        line_color=colour(features),
        customdata=[percent(row["mean"]) for row in rows],
        hovertemplate=f"{features}, %{{x:.4g}} labels a class: %{{customdata}} %<extra></extra>",
    )
    return [band, line]


def _tick(row: dict[str, Any]) -> str:
    return f"{row['per_class']:.4g}{'<br>(all)' if row['whole'] else ''}"
