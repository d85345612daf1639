"""What every log record is given of where it came from: its request, execution, node and attempt.

The fields are in a context variable, so that tasks and the threads of nodes inherit them, and code
that knows nothing of this (a node author's ``logging.info``, a library's warning) is found again.
They are read when a record is written, and by nobody else.
"""

from __future__ import annotations

import contextvars
import logging
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

_NONE: Final[Mapping[str, object]] = MappingProxyType({})
_fields: contextvars.ContextVar[Mapping[str, object]] = contextvars.ContextVar(
    "flowmaestro_log_fields", default=_NONE
)


def set_log_fields(fields: Mapping[str, object]) -> contextvars.Token[Mapping[str, object]]:
    """Have the records of this task, and of what it starts from now on, carry *fields* and no
    others; return what :func:`reset_log_fields` takes."""
    return _fields.set(fields)


def reset_log_fields(token: contextvars.Token[Mapping[str, object]]) -> None:
    """Undo :func:`set_log_fields`."""
    _fields.reset(token)


def detached() -> contextvars.Context:
    """Return an empty context, for a task or a callback that serves many and outlives the request
    in which it happens to begin."""
    return contextvars.Context()


class ContextFilter(logging.Filter):
    """Adds the fields to each record that passes; what came with ``extra=`` wins.

    It belongs on a handler: there it runs in the thread and task that logs, and only for records
    that are written.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        given = vars(record)
        for name, value in _fields.get().items():
            given.setdefault(name, value)
        return True
