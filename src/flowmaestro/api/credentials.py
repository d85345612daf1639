"""What keys and tickets look like in a text, so that they can be blotted out of it.

One in a path, a message or a header it does not belong into is somebody's mistake; no log and no
error may keep it, since both are read by others.
"""

from __future__ import annotations

import re

BLOT = "***"
"""As in events."""

_CREDENTIAL = (
    r"(fm_(?:live|test)_)[0-9A-Za-z]{6,}|(fm_ticket_)[\w.-]{6,}|((?:[?&]|\b)ticket=)[^&\s\"'\\]+"
)
_IN_TEXT = re.compile(_CREDENTIAL)
_IN_BYTES = re.compile(_CREDENTIAL.encode())


def blotted(text: str) -> str:
    """Return *text* with every key and ticket in it replaced, but for what says which it is."""
    return _IN_TEXT.sub(lambda match: f"{match[1] or match[2] or match[3]}{BLOT}", text)


def blotted_json(body: bytes) -> bytes:
    """Return the JSON *body* likewise; it stays JSON."""
    return _IN_BYTES.sub(
        lambda match: (match[1] or match[2] or match[3]) + BLOT.encode("ascii"), body
    )


def is_like_credential(text: str) -> bool:
    """Return whether a key or a ticket is in *text*."""
    return _IN_TEXT.search(text) is not None
