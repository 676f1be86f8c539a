"""The report's figures. Wide enough at 900 pixels, still readable on a phone."""

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from byol_kedro.evaluation.metrics import percent

BLUE, GRAY, SAND, GREEN, PLUM = "#2b5c8a", "#8a97a6", "#c2a26b", "#5b8c6e", "#8c5b7a"
FAINT, INK = "#ccd4dd", "#30363d"
# Above this many classes a number in each cell cannot be read.
CELLS_WITH_TEXT = 12
MOST_ROWS = 40  # of full height: the matrix of more classes is one screen all the same
KNN = "kNN top-1 within train"
PANEL = 196  # pixels of height


def training_curves(history: pd.DataFrame, projection_dim: int) -> go.Figure:
    """Loss, deviation and rank of projections, kNN within train, learning rate and tau over the epochs.

    The deviation of vectors of length 1 that spread evenly over all directions is 1/sqrt(projection_dim)
    (SimSiam, arXiv 2011.10566, section 4.1); that of collapsed ones is 0.
    The effective rank of collapsed ones is 1.
    """
    spread = 1 / projection_dim**0.5
    panels = {
        "loss": "",
        "deviation of projections": f"dashed: evenly spread, 1/√{projection_dim} = {spread:.3f}; collapsed: 0",
        "effective rank of projections": f"evenly spread: {projection_dim}; collapsed: 1",
        **({KNN: ""} if history["knn_top1"].notna().any() else {}),
        "learning rate and τ": "",
    }
    figure = make_subplots(
        rows=len(panels),
        cols=1,
        shared_xaxes=True,
        vertical_spacing=0.3 / len(panels),
        specs=[[{"secondary_y": number == len(panels)}] for number in range(1, len(panels) + 1)],
        subplot_titles=[f"{name}<br><span style='font-size:11px'>{note}</span>" for name, note in panels.items()],
    )
    epoch = history["epoch"]
    figure.add_scatter(x=epoch, y=history["loss"], name="loss", line_color=BLUE, row=1, col=1)
    figure.add_scatter(x=epoch, y=history["feature_std"], name="deviation", line_color=BLUE, row=2, col=1)
    figure.add_hline(y=spread, line_dash="dash", line_color=GRAY, row=2, col=1)
    _add_measured(figure, epoch, history["effective_rank"], "effective rank", 3)
    for row in (2, 3):
        figure.update_yaxes(rangemode="tozero", row=row, col=1)
    if KNN in panels:
        # In percent, not as a fraction with a format: the ticks then have as many digits as they need.
        _add_measured(figure, epoch, 100 * history["knn_top1"], KNN, 4)
        figure.update_yaxes(ticksuffix=" %", rangemode="nonnegative", row=4, col=1)
    _add_rates(figure, history, len(panels))
    figure.update_xaxes(title="epoch", row=len(panels), col=1)
    figure.update_annotations(font_size=13, x=0, xanchor="left", align="left")
    return dress(figure, "Training curves", "", height=PANEL * len(panels))


def confusion_matrix(predictions: pd.DataFrame, class_names: list[str]) -> go.Figure:
    """Shares of each true class's guesses, of `predictions` of one classifier (truth, guess: int64)."""
    if predictions.empty:
        return empty(
            "Confusion matrix", "nothing was measured:<br>no labels of two classes to learn,<br>or none to test on"
        )
    number = len(class_names)
    truth, guess = predictions["truth"].to_numpy(), predictions["guess"].to_numpy()
    counts = np.zeros((number, number))
    np.add.at(counts, (truth, guess), 1)
    shares = 100 * counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    heat = go.Heatmap(
        z=shares,
        x=class_names,
        y=class_names,
        zmin=0,
        zmax=100,
        colorscale=[[0, "#ffffff"], [0.5, "#86abd0"], [1, "#17406b"]],
        colorbar={"title": "%", "thickness": 12},
        text=[[f"{share:.0f}" if share >= 1 else "" for share in row] for row in shares],
        texttemplate="%{text}" if number <= CELLS_WITH_TEXT else "",
        hovertemplate="%{y} taken for %{x}: %{z:.1f} %<extra></extra>",
    )
    first = predictions.iloc[0]
    title = f"BYOL + {first['classifier']}: {percent(float((truth == guess).mean()))} % right"
    figure = go.Figure(heat)
    figure.update_xaxes(title="guess", type="category", tickangle=-45, showgrid=False)
    figure.update_yaxes(title="truth", type="category", autorange="reversed", showgrid=False)
    # The classifier is fixed: picking the best one by its test score would choose on test.
    note = "% of each true class; shown for this classifier<br>always, not for the best on test"
    return dress(figure, title, note, height=300 + 22 * min(max(number, 8), MOST_ROWS))


def empty(title: str, why: str) -> go.Figure:
    """A figure that says why there is nothing to see."""
    figure = go.Figure()
    figure.add_annotation(text=why, showarrow=False, font_size=14, x=0.5, y=0.5, xref="paper", yref="paper")
    figure.update_xaxes(visible=False)
    figure.update_yaxes(visible=False)
    return dress(figure, title, "", height=240)


def _add_measured(figure: go.Figure, epoch: pd.Series, values: pd.Series, name: str, row: int) -> None:
    """A curve of what is measured now and then."""
    seen = values.dropna()
    figure.add_scatter(x=epoch[seen.index], y=seen, name=name, mode="lines+markers", line_color=BLUE, row=row, col=1)


def _add_rates(figure: go.Figure, history: pd.DataFrame, row: int) -> None:
    """Learning rate (left axis) and tau (right axis)."""
    place = {"row": row, "col": 1}
    columns = (("lr", "learning rate", BLUE, False), ("tau", "τ", SAND, True))
    for column, name, color, right in columns:
        figure.add_scatter(
            x=history["epoch"], y=history[column], name=name, line_color=color, secondary_y=right, **place
        )
        title = {"text": name, "font_color": color}
        figure.update_yaxes(title=title, showgrid=not right, secondary_y=right, **place)
    figure.update_yaxes(tickmode="auto", nticks=4, secondary_y=True, **place)


def dress(figure: go.Figure, title: str, subtitle: str, height: int) -> go.Figure:
    lines = len(subtitle.split("<br>")) if subtitle else 0
    # Titles hang from the top edge, so that no height can push them into the plot.
    heading = {"text": title, "font_size": 17, "x": 0, "xref": "container", "xanchor": "left"}
    heading |= {"y": 1, "yref": "container", "yanchor": "top", "pad": {"t": 12, "l": 10}}
    return figure.update_layout(
        template="plotly_white",
        title={**heading, "subtitle": {"text": subtitle, "font": {"size": 12, "color": "#6b7580"}}},
        font={"family": "system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif", "color": INK},
        height=height,
        autosize=True,
        showlegend=False,
        margin={"l": 10, "r": 10, "t": 56 + 18 * lines, "b": 40},
    ).update_yaxes(automargin=True)
