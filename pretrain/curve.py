"""The loss over training as one SVG file, light and dark.

    [(samples, loss), ...], [(samples, validation loss), ...]  ->  "<svg ...>"

Never opens a file.
"""

from __future__ import annotations

from pretrain import chart
from pretrain.chart import Axes, Line, Point


def draw(train: list[Point], valid: list[Point], title: str) -> str:
    """Training loss as a line, validation loss as dots on a line; x in samples, y in nats a token.

    Points that are no finite number are left out.
    """
    axes = Axes(f"{title}: loss, nats a token; dots are the holdout", "samples", width=760, height=380, most=600)
    return chart.draw([Line("training", train), Line("holdout", valid, 1, dots=True)], axes, alone=True)
