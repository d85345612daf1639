"""Running executions: :class:`LocalEngine` is the engine of a single process.

Reading order: ``execute_node`` (one attempt of one node), ``run`` (one execution), ``local`` (all
of them, and recovery).
"""

from .clock import steady_seconds, utc_now
from .errors import (
    AlreadyEnded,
    EngineBusy,
    EngineError,
    EngineOverloaded,
    EngineStopping,
    InvalidInputs,
    UncallableWorkflow,
)
from .local import LocalEngine
from .options import EngineOptions

__all__ = [
    "AlreadyEnded",
    "EngineBusy",
    "EngineError",
    "EngineOptions",
    "EngineOverloaded",
    "EngineStopping",
    "InvalidInputs",
    "LocalEngine",
    "UncallableWorkflow",
    "steady_seconds",
    "utc_now",
]
