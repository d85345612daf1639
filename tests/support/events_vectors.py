"""Reading the protocol's language-neutral test vectors."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

_VECTORS = Path(__file__).parents[2] / "protocol" / "vectors"


def read_vectors(name: str) -> Any:
    """Return the document ``protocol/vectors/NAME.json``."""
    return json.loads((_VECTORS / f"{name}.json").read_text(encoding="ascii"))


def chunk_bytes(chunk: str | dict[str, str]) -> bytes:
    """Return the bytes of one chunk of an ``sse-decode`` vector."""
    return chunk.encode() if isinstance(chunk, str) else bytes.fromhex(chunk["hex"])
