"""Connections that are kept alive are kept for one execution.

A server may send more than the response it announced, and a pool takes what is left over for the
answer to the connection's next request. That request must not be another workspace's. A pool tells
connections apart by their host, so a host carries the execution that it is connected to for.
"""

from __future__ import annotations

EXTENSION = "flowmaestro_execution"
"""The extension of a request that names its execution."""
_SEPARATOR = "|"


def scoped(host: bytes, execution_id: str) -> bytes:
    """Return *host*, as the connections of *execution_id* to it are known by."""
    return f"{execution_id}{_SEPARATOR}".encode() + host


def unscoped(host: str) -> str:
    """Return the host that :func:`scoped` was given."""
    return host.partition(_SEPARATOR)[2]
