"""How large a definition may be, and how much work one rendering may do."""

from __future__ import annotations

from dataclasses import dataclass

MAX_INTEGER = 10**300
"""No integer in a definition or an expression is larger, so each has a float and a short text."""


@dataclass(frozen=True)
class Limits:
    """Bounds of one definition; nested bodies count with it."""

    max_bytes: int = 1_000_000
    """Of the document's text as parsed, in UTF-8 bytes; of a document given as values, its strings
    and keys in characters."""
    max_values: int = 100_000
    """JSON values in all, after YAML aliases are followed."""
    max_depth: int = 64
    """Lists and objects inside each other."""
    max_expressions: int = 10_000
    """``{{ expressions }}`` in all."""
    max_expression_characters: int = 250_000
    """Characters of all expressions together: a parser reads some 100,000 a second."""
    max_nodes: int = 1_000
    max_edges: int = 10_000
    max_body_depth: int = 8
    """Loops inside each other's bodies."""
    max_id_length: int = 100
    max_name_length: int = 200
    max_description_length: int = 10_000
    max_problems: int = 500
    """Problems reported of one document; what is left out is counted."""


@dataclass(frozen=True)
class RenderLimits:
    """Bounds of one rendering of a template or of a whole config."""

    max_steps: int = 100_000
    """Elements of lists and objects visited."""
    max_size: int = 2_000_000
    """Characters and elements made or searched, in all."""
    max_depth: int = 100
    """Lists and objects inside each other, in a value that is made, compared or written out."""
