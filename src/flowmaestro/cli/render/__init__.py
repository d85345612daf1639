"""The live view of an execution, wherever its events come from.

``state`` folds events into what is known of an execution, ``tree`` chooses the rows of it that fit,
``live`` draws them on a terminal, ``lines`` writes one line for each event elsewhere, ``show`` puts
them together.
"""

from flowmaestro.cli.render.lines import JsonRenderer, PlainRenderer
from flowmaestro.cli.render.show import (
    Outcome,
    PlannedNode,
    Renderer,
    make_renderer,
    show,
    show_async,
)

__all__ = [
    "JsonRenderer",
    "Outcome",
    "PlainRenderer",
    "PlannedNode",
    "Renderer",
    "make_renderer",
    "show",
    "show_async",
]
