"""The server's log: one line a record, as text or JSON, with keys and tickets blotted out."""

from __future__ import annotations

import json
import logging
import re
import sys
import traceback
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, TextIO

from flowmaestro.engine.log_context import ContextFilter
from flowmaestro.events import format_timestamp

_PLAIN_FIELDS = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
"""What every record has; the rest came with ``extra=``."""
# A key in a path or a message is somebody's mistake, but the log must not keep it.
_CREDENTIAL = re.compile(
    r"(fm_(?:live|test)_)[0-9A-Za-z]{6,}|(fm_ticket_)[\w.-]{6,}|((?:[?&]|\b)ticket=)[^&\s\"']+"
)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_REDACTED = "***"
"""As in events."""


class Redactor:
    """Replaces credentials, and the operator's secrets, in a line of text."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        found = sorted({text for text in secrets if text}, key=len)
        pattern = "|".join(re.escape(text) for text in reversed(found))
        self._secrets = re.compile(pattern) if pattern else None

    def __call__(self, text: str) -> str:
        if self._secrets is not None:
            text = self._secrets.sub(_REDACTED, text)
        return _CREDENTIAL.sub(lambda match: f"{match[1] or match[2] or match[3]}{_REDACTED}", text)


class TextFormatter(logging.Formatter):
    """``TIME LEVEL logger message name=value …`` for people."""

    def __init__(self, redact: Redactor) -> None:
        super().__init__()
        self._redact = redact

    def format(self, record: logging.LogRecord) -> str:
        fields = "".join(f" {name}={value}" for name, value in _fields(record).items())
        # One record is one line, or a client could write lines of its own into the log.
        message = _CONTROL.sub(lambda match: ascii(match[0])[1:-1], record.getMessage() + fields)
        line = f"{_timestamp(record)} {record.levelname:<7} {record.name} {message}"
        if record.exc_info and record.exc_info[0] is not None:
            line += "\n" + "".join(traceback.format_exception(*record.exc_info)).rstrip()
        return self._redact(line)


class JsonFormatter(logging.Formatter):
    """One JSON object a line, for machines."""

    def __init__(self, redact: Redactor) -> None:
        super().__init__()
        self._redact = redact

    def format(self, record: logging.LogRecord) -> str:
        body: dict[str, Any] = {
            "timestamp": _timestamp(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **_fields(record),
        }
        if record.exc_info and record.exc_info[0] is not None:
            body["exception"] = "".join(traceback.format_exception(*record.exc_info)).rstrip()
        # Before they are JSON: its escapes would hide a secret that holds a quote.
        return json.dumps(
            {
                name: self._redact(value) if isinstance(value, str) else value
                for name, value in body.items()
            },
            default=lambda value: self._redact(str(value)),
        )


def configure_logging(
    *,
    level: str,
    log_format: str | None,
    secrets: Iterable[str] = (),
    stream: TextIO | None = None,
) -> None:
    """Send every record of *level* and above to *stream* (standard error).

    *log_format* is ``text``, ``json``, or ``None`` for text on a terminal and JSON elsewhere.
    Replaces the root logger's handlers: for a process that is ours, not for embedding.
    """
    stream = stream or sys.stderr
    redact = Redactor(secrets)
    as_text = log_format == "text" or (log_format is None and stream.isatty())
    handler = logging.StreamHandler(stream)
    handler.setFormatter(TextFormatter(redact) if as_text else JsonFormatter(redact))
    handler.addFilter(ContextFilter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    # Libraries tell more than an operator asked for: full URLs, among other things.
    for name in ("httpx2", "httpcore2", "openai", "asyncio", "alembic", "uvicorn", "urllib3"):
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))
    # Every try to reach a collector would be a warning; that it took nothing is an error.
    debugging = root.level <= logging.DEBUG
    logging.getLogger("opentelemetry").setLevel(logging.WARNING if debugging else logging.ERROR)


def _fields(record: logging.LogRecord) -> dict[str, Any]:
    return {
        name: value
        for name, value in vars(record).items()
        if name not in _PLAIN_FIELDS and value is not None
    }


def _timestamp(record: logging.LogRecord) -> str:
    return format_timestamp(datetime.fromtimestamp(record.created, UTC))
