"""What staging does to the outputs of a chapter."""

import base64
import io

import matplotlib.pyplot as plt
import numpy as np
from PIL import Image

from restudy import style
from restudy.book.stage import with_palette


def pixels(png: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB"), dtype="int16")


def test_a_figure_keeps_its_look_at_less_than_half_the_size() -> None:
    with plt.rc_context():
        style.use()
        figure, ax = plt.subplots()
        x = np.linspace(0, 20, 400)
        for k, colour in enumerate(style.SERIES):
            ax.plot(x, np.sin(x + k), color=colour, label=f"line {k}")
        ax.imshow(np.random.default_rng(0).random((8, 8)), extent=(0, 5, 1, 2))
        ax.legend()
        file = io.BytesIO()
        figure.savefig(file, format="png")
        plt.close(figure)
    before = file.getvalue()
    after = base64.b64decode(with_palette(base64.b64encode(before).decode()))
    assert len(after) < len(before) / 2
    assert pixels(after).shape == pixels(before).shape
    difference = np.abs(pixels(after) - pixels(before))
    assert difference.mean() < 1
    assert np.quantile(difference, 0.999) < 32
