"""Figures of training and confusion matrix, and the style of all figures of the report."""

from html import escape

import numpy as np
import numpy.typing as npt
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from byol_kedro.evaluation.metrics import percent

# Each is visible on a white and on a dark page.
BLUE, GRAY, SAND, GREEN, PLUM = "#3a7ab8", "#8a97a6", "#c2a26b", "#5b8c6e", "#8c5b7a"
FAINT, INK = "#ccd4dd", "#30363d"
LINE = "#7b8794"  # of error bars and reference lines, on a white and on a dark page
MAX_CLASSES_WITH_TEXT = 12  # with more classes the numbers in the cells are too small to read
MAX_ROWS = 40  # of full height: the matrix of more classes still fits one screen
KNN = "kNN top-1 on training images"
PANEL_HEIGHT = 196  # pixels
NO_CLASSIFIER = (
    "No classifier was evaluated: the training images have labels of<br>fewer than two classes, or no test image has "
    "a label."
)


def training_curves(history: pd.DataFrame, projection_dim: int) -> go.Figure:
    """Plots loss, projection statistics, online kNN accuracy, learning rate and tau over the epochs.

    The standard deviation of unit vectors that are uniform on the sphere is 1/sqrt(projection_dim) (SimSiam,
    arXiv 2011.10566, section 4.1). Collapsed projections have standard deviation 0 and effective rank 1.
    """
    spread = 1 / projection_dim**0.5
    panels = {
        "loss": "",
        "standard deviation of projections": f"dashed: uniform, 1/√{projection_dim} = {spread:.3f}; collapsed: 0",
        "effective rank of projections": f"uniform: {projection_dim}; collapsed: 1",
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
    figure.add_scatter(x=epoch, y=history["feature_std"], name="standard deviation", line_color=BLUE, row=2, col=1)
    figure.add_hline(y=spread, line_dash="dash", line_color=GRAY, row=2, col=1)
    _add_sparse(figure, epoch, history["effective_rank"], "effective rank", 3)
    for row in (2, 3):
        figure.update_yaxes(rangemode="tozero", row=row, col=1)
    if KNN in panels:
        # In percent rather than a formatted fraction: the ticks then have as many digits as they need.
        _add_sparse(figure, epoch, 100 * history["knn_top1"], KNN, 4)
        figure.update_yaxes(ticksuffix=" %", rangemode="nonnegative", row=4, col=1)
    _add_rates(figure, history, len(panels))
    figure.update_xaxes(title="epoch", row=len(panels), col=1)
    figure.update_annotations(font_size=13, x=0, xanchor="left", align="left")
    return style(figure, "Training curves", "", height=PANEL_HEIGHT * len(panels))


def confusion_matrix(predictions: pd.DataFrame, class_names: list[str]) -> go.Figure:
    """Plots the confusion matrix of one classifier, each row in percent of its true class.

    `predictions` has the columns `truth` and `guess`, int64 indices into `class_names`, and `classifier`.
    """
    if predictions.empty:
        return empty("Confusion matrix", NO_CLASSIFIER)
    number = len(class_names)
    truth, guess = predictions["truth"].to_numpy(), predictions["guess"].to_numpy()
    counts = np.zeros((number, number))
    np.add.at(counts, (truth, guess), 1)
    shares = 100 * counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    # Plotly reads labels as HTML.
    labels = [escape(name, quote=False) for name in class_names]
    heat = go.Heatmap(
        z=shares,
        x=labels,
        y=labels,
        zmin=0,
        zmax=100,
        colorscale=[[0, "#ffffff"], [0.5, "#86abd0"], [1, "#17406b"]],
        colorbar={"title": "%", "thickness": 12},
        text=[[f"{share:.0f}" if share >= 1 else "" for share in row] for row in shares],
        texttemplate="%{text}" if number <= MAX_CLASSES_WITH_TEXT else "",
        hovertext=_cell_texts(counts, labels),
        hoverinfo="text",
    )
    first = predictions.iloc[0]
    title = f"{first['features']} + {first['classifier']}: {percent(float((truth == guess).mean()))} % top-1"
    figure = go.Figure(heat)
    figure.update_xaxes(title="predicted class", type="category", tickangle=-45, showgrid=False)
    figure.update_yaxes(title="true class", type="category", autorange="reversed", showgrid=False)
    note = "% of each true class; the classifier was fixed in advance,<br>not selected by test accuracy"
    return style(figure, title, note, height=300 + 22 * min(max(number, 8), MAX_ROWS))


def _cell_texts(counts: npt.NDArray[np.float64], labels: list[str]) -> list[list[str]]:
    """What each cell of a confusion matrix (C, C), rows of true classes, says."""
    totals = counts.sum(axis=1)
    return [
        [
            f"{counts[true, predicted]:,.0f} of {totals[true]:,.0f} images of {labels[true]}<br>"
            + ("predicted correctly" if true == predicted else f"predicted as {labels[predicted]}")
            for predicted in range(len(labels))
        ]
        for true in range(len(labels))
    ]


def empty(title: str, why: str) -> go.Figure:
    """Returns a figure without data that shows the reason."""
    figure = go.Figure()
    figure.add_annotation(text=why, showarrow=False, font_size=14, x=0.5, y=0.5, xref="paper", yref="paper")
    figure.update_xaxes(visible=False)
    figure.update_yaxes(visible=False)
    return style(figure, title, "", height=240)


def _add_sparse(figure: go.Figure, epoch: pd.Series, values: pd.Series, name: str, row: int) -> None:
    """Adds a curve of values that are missing at most steps."""
    seen = values.dropna()
    figure.add_scatter(x=epoch[seen.index], y=seen, name=name, mode="lines+markers", line_color=BLUE, row=row, col=1)


def _add_rates(figure: go.Figure, history: pd.DataFrame, row: int) -> None:
    """Adds learning rate (left axis) and tau (right axis)."""
    place = {"row": row, "col": 1}
    columns = (("lr", "learning rate", BLUE, False), ("tau", "τ", SAND, True))
    for column, name, color, right in columns:
        figure.add_scatter(
            x=history["epoch"], y=history[column], name=name, line_color=color, secondary_y=right, **place
        )
        title = {"text": name, "font_color": color}
        figure.update_yaxes(title=title, showgrid=not right, secondary_y=right, **place)
    figure.update_yaxes(tickmode="auto", nticks=4, secondary_y=True, **place)


def style(figure: go.Figure, title: str, subtitle: str, height: int) -> go.Figure:
    """Applies the common style: title at the top left, no legend, readable at 900 pixels and on a phone."""
    lines = len(subtitle.split("<br>")) if subtitle else 0
    # Anchored to the top edge, so that the title does not move into the plot with the height.
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
