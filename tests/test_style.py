import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.colors import to_rgb

from restudy import style

MEANINGS = ("PAPER", "OURS", "BASELINE", "FAULT", "GENERIC", "ML")
# Linear RGB as seen without one kind of cones (Machado et al. 2009, severity 1).
CONES = {
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216],
                   [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413],
                     [-0.011820, 0.042940, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602],
                   [0.004733, 0.691367, 0.303900]],
}  # fmt: skip


def linear(colour):
    rgb = np.array(to_rgb(colour))
    return np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)


def lab(rgb):
    """CIE L*a*b* of linear sRGB, white D65."""
    xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    t = xyz @ np.clip(rgb, 0, 1) / [0.9505, 1.0, 1.089]
    f = np.where(t > 0.008856, np.cbrt(t), 7.787 * t + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


@pytest.mark.parametrize("vision", [None, *CONES])
def test_colours_with_a_meaning_can_be_told_apart(vision):
    seen = np.eye(3) if vision is None else np.array(CONES[vision])
    colours = [lab(seen @ linear(getattr(style, name))) for name in MEANINGS]
    distance = [np.linalg.norm(a - b) for at, a in enumerate(colours) for b in colours[at + 1 :]]
    assert min(distance) > 15


def test_colours_stand_out_from_the_card():
    for name in MEANINGS:
        luminance = linear(getattr(style, name)) @ [0.2126, 0.7152, 0.0722]
        assert 1.05 / (luminance + 0.05) > 2.9, name


def test_use_sets_an_opaque_card_and_sizes_for_the_web():
    with mpl.rc_context():
        style.use()
        fig, ax = plt.subplots()
        width = fig.get_size_inches()[0]
        assert fig.get_facecolor() == (1, 1, 1, 1)
        assert ax.xaxis.label.get_size() / 72 * 360 / width > 9  # pixels on a phone
        assert ax.yaxis.get_ticklabels()[0].get_size() / 72 * 360 / width > 8
        assert not ax.spines["top"].get_visible()
        plt.close(fig)
