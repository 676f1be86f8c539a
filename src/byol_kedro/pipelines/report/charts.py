"""Figures of top-1 accuracy: bars of all classifiers, and curves over the number of labels."""

from collections.abc import Sequence
from itertools import groupby
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from byol_kedro.evaluation.metrics import percent
from byol_kedro.evaluation.names import OWN, PIXELS, SUPERVISED, UNTRAINED
from byol_kedro.log import counted
from byol_kedro.pipelines.report.figures import (
    BLUE,
    FAINT,
    GRAY,
    GREEN,
    LINE,
    NO_CLASSIFIER,
    PLUM,
    SAND,
    empty,
    style,
)
from byol_kedro.pipelines.report.results import comparable, measured
from byol_kedro.pipelines.report.table import classifier

TITLE = "Top-1 accuracy on the test images"
PUBLISHED = "published"  # the group of published rows
GAP = 1.4  # between groups, in bars
FEW_LABELS_TITLE = "Top-1 accuracy by number of labels"


def top1_bars(results: pd.DataFrame, chance: float | None) -> go.Figure:
    """Plots the top-1 of every measured row with its 95 % interval, grouped by features.

    Comparable published rows are a group of their own. `chance`, a fraction, is a dashed line.
    """
    own = measured(results)
    if own.empty:
        return empty(TITLE, NO_CLASSIFIER)
    published = comparable(results).drop(own.index)
    groups = [(str(name), rows) for name, rows in own.groupby("features", sort=False)]
    if not published.empty:
        groups.append((PUBLISHED, published))
    figure = go.Figure()
    ticks: dict[float, str] = {}
    end = 0.0
    for name, rows in groups:
        places = [end + 1 + number for number in range(len(rows))]
        labels = [_label(row, name) for row in rows.to_dict("records")]
        ticks |= {end: f"<b>{name}</b>"} | dict(zip(places, labels, strict=True))
        figure.add_traces(_bars(rows, places, labels, name))
        end = places[-1] + GAP
    if chance is not None:
        figure.add_vline(x=100 * chance, line_dash="dash", line_color=LINE, line_width=1)
        note = {"text": f"chance {percent(chance)} %", "font_size": 11, "showarrow": False}
        figure.add_annotation(x=100 * chance, y=0, xanchor="left", xshift=3, **note)
    bottom = end - GAP + 0.7
    figure.update_yaxes(range=[bottom, -0.7], tickvals=list(ticks), ticktext=list(ticks.values()), showgrid=False)
    # Leaves room for the values to the right of the longest bar.
    longest = max(own["ci_high"].max(), published["top1"].max() if len(published) else 0)
    figure.update_xaxes(title="top-1, %", range=[0, 118 * longest])
    return style(figure, TITLE, "error bars: 95 % interval", height=int(140 + 26 * bottom))


def _bars(rows: pd.DataFrame, places: list[float], labels: list[str], name: str) -> list[go.Bar | go.Scatter]:
    """Returns the bars, and their values to the right of the error bars."""
    top1, low, high = (100 * rows[column] for column in ("top1", "ci_low", "ci_high"))
    # Formatted as in the tables: the browser would round 100 * fraction, whose last digits are inexact.
    shown = [percent(fraction) for fraction in rows["top1"]]
    errors = {"array": high - top1, "arrayminus": top1 - low}
    bars = go.Bar(
        x=top1,
        y=places,
        name=name,
        orientation="h",
        marker_color=color(name),
        error_x={**errors, "color": LINE, "thickness": 1.2, "width": 4},
        customdata=list(zip(labels, shown, strict=True)),
        hovertemplate=f"{name}, %{{customdata[0]}}: %{{customdata[1]}} %<extra></extra>",
    )
    values = go.Scatter(
        x=high.fillna(top1),
        y=places,
        mode="text",
        text=[f" {value}" for value in shown],
        textposition="middle right",
        textfont_size=12,
        hoverinfo="skip",
        cliponaxis=False,
    )
    return [bars, values]


def _label(row: dict[Any, Any], group: str) -> str:
    if group != PUBLISHED:
        return classifier(row).replace(" regression", "")
    if pd.isna(row["epochs"]):
        return f"PCA, {row['classifier'].replace(' regression', '')}"
    by = " (users)" if row["reference"].endswith("(users)") else ""
    return f"{row['features']}, {int(row['epochs'])} epochs{by}"


def color(features: str) -> str:
    """Returns the color of the bars and curves of some features. All reference encoders share one."""
    if features.startswith(PIXELS):
        return SAND
    return {**dict.fromkeys(OWN, BLUE), UNTRAINED: GRAY, SUPERVISED: PLUM, PUBLISHED: FAINT}.get(features, GREEN)


def few_label_curve(rows: Sequence[dict[str, Any]]) -> go.Figure:
    """Plots mean ± one standard deviation of top-1 over the draws of labels, one curve for each kind of features.

    `rows` are those of `few_labels.few_label_rows`, sorted by features.
    """
    if not rows:
        return empty(FEW_LABELS_TITLE, NO_CLASSIFIER)
    figure = go.Figure()
    for features, group in groupby(rows, key=lambda row: str(row["features"])):
        figure.add_traces(_curve(features, list(group)))
    ticks = {row["per_class"]: _tick(row) for row in rows}
    figure.update_xaxes(
        title="labels per class", type="log", tickvals=list(ticks), ticktext=list(ticks.values()), minor_ticks=""
    )
    figure.update_yaxes(title="top-1, %", rangemode="tozero")
    draws = max(row["n"] for row in rows)
    note = f"band: one standard deviation over {counted(draws, 'draw')}; all labels: one draw"
    # Below the axis, where the rows of a legend that wraps on a narrow screen cover nothing.
    legend = {"orientation": "h", "x": 0, "xanchor": "left", "y": -0.22, "yanchor": "top"}
    return style(figure, FEW_LABELS_TITLE, note, height=480).update_layout(showlegend=True, legend=legend)


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
        fillcolor=color(features),
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
        line_color=color(features),
        customdata=[percent(row["mean"]) for row in rows],
        hovertemplate=f"{features}, %{{x:.4g}} labels per class: %{{customdata}} %<extra></extra>",
    )
    return [band, line]


def _tick(row: dict[str, Any]) -> str:
    return f"{row['per_class']:.4g}{'<br>(all)' if row['whole'] else ''}"
