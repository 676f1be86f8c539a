"""TensorBoard's event files as TensorBoard reads them."""

import io

import numpy as np
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator


def read(folder):
    return EventAccumulator(str(folder)).Reload()


def points(folder):
    """(step, value) of every curve, by its name."""
    events = read(folder)
    return {tag: [(event.step, event.value) for event in events.Scalars(tag)] for tag in events.Tags()["scalars"]}


def image(folder, tag):
    """(H, W, 3) uint8; there must be one alone."""
    (event,) = read(folder).Images(tag)
    return np.asarray(Image.open(io.BytesIO(event.encoded_image_string)).convert("RGB"))
