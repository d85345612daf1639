"""Node types and functions over texts, for the examples in the documentation.

Give it to a server or to a run: ``flowmaestro serve --nodes examples/text_nodes.py``.
"""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import Field

from flowmaestro import NodeContext, NodeError, Routed, SyncNodeContext, function, node

GOOD_WORDS = frozenset({"excellent", "good", "great", "happy", "love"})
BAD_WORDS = frozenset({"awful", "bad", "broken", "late", "sad"})


@function
def count_words(text: str, minimum_length: int = 1) -> dict[str, int]:
    """Count the words of a text that have at least so many letters."""
    words = re.findall(r"\w+", text)
    return {"words": sum(len(word) >= minimum_length for word in words)}


@node("sentiment", handles=("positive", "negative", "neutral"))
def sentiment(text: Annotated[str, Field(description="What to judge.")]) -> Routed:
    """Judge a text by its words, and take the way of the verdict."""
    words = re.findall(r"\w+", text.lower())
    score = sum((word in GOOD_WORDS) - (word in BAD_WORDS) for word in words)
    handle = "positive" if score > 0 else "negative" if score < 0 else "neutral"
    return Routed(handle, {"score": score})


@node("find_lines")
async def find_lines(text: str, pattern: str, context: NodeContext) -> dict[str, Any]:
    """Find the lines of a text that a regular expression matches."""
    try:
        expression = re.compile(pattern)
    except re.error as error:
        raise NodeError(
            f"the pattern is no regular expression: {error}", code="bad_pattern", retryable=False
        ) from error
    lines = text.splitlines()
    found = []
    for number, line in enumerate(lines, start=1):
        if expression.search(line):
            found.append({"line": number, "text": line})
        await context.progress(100 * number / len(lines))
    context.log(f"{len(found)} of {len(lines)} lines match")
    return {"lines": found}


@node("checksum")
def checksum(text: str, context: SyncNodeContext, rounds: int = 1) -> int:
    """Add up the characters of a text, slowly: a function without async runs in a thread."""
    total = 0
    for done in range(rounds):
        if context.cancelled:
            break
        total = (total * 31 + sum(map(ord, text))) % 1_000_003
        context.progress(100 * (done + 1) / rounds)
    return total
