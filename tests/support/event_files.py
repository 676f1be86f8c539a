"""Reads event files like TensorBoard."""

import io

import numpy as np
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator


def read(folder):
    return EventAccumulator(str(folder)).Reload()


def points(folder):
    """Return the (step, value) pairs of every curve by name."""
    events = read(folder)
    return {tag: [(event.step, event.value) for event in events.Scalars(tag)] for tag in events.Tags()["scalars"]}


def image(folder, tag):
    """Return the only image, (H, W, 3) uint8."""
    (event,) = read(folder).Images(tag)
    return np.asarray(Image.open(io.BytesIO(event.encoded_image_string)).convert("RGB"))
