"""FlowMaestro: random workflows on one process with SQLite, over HTTP and its Python SDK."""

from torture.subjects.flowmaestro.subject import FlowMaestro

__all__ = ["FlowMaestro"]
