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

from flowmaestro.api.credentials import BLOT, blotted
from flowmaestro.engine.log_context import ContextFilter
from flowmaestro.engine.redaction import spellings
from flowmaestro.events import format_timestamp

_PLAIN_FIELDS = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
"""What every record has; the rest came with ``extra=``."""
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_IN_TRACEBACK = "  | "
"""Begins each line of a traceback: what an exception says could begin one like a record."""


class Redactor:
    """Replaces credentials, and the operator's secrets, in a line of text."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        pattern = "|".join(re.escape(text) for text in spellings(secrets))
        self._secrets = re.compile(pattern) if pattern else None

    def __call__(self, text: str) -> str:
        if self._secrets is not None:
            text = self._secrets.sub(BLOT, text)
        return blotted(text)

    def value(self, value: Any) -> Any:
        """Return *value* with nothing secret in any text inside."""
        if isinstance(value, str):
            return self(value)
        if isinstance(value, dict):
            return {self(str(name)): self.value(item) for name, item in value.items()}
        if isinstance(value, list | tuple):
            return [self.value(item) for item in value]
        return value


class TextFormatter(logging.Formatter):
    """``TIME LEVEL logger message name=value …`` for people."""

    def __init__(self, redact: Redactor) -> None:
        super().__init__()
        self._redact = redact

    def format(self, record: logging.LogRecord) -> str:
        fields = "".join(f" {name}={value}" for name, value in _fields(record).items())
        message = self._one_line(self._redact(record.getMessage() + fields))
        line = f"{_timestamp(record)} {record.levelname:<7} {record.name} {message}"
        for told in self._redact(_traceback(record)).split("\n") if record.exc_info else ():
            line += f"\n{_IN_TRACEBACK}{self._one_line(told)}"
        return line

    @staticmethod
    def _one_line(text: str) -> str:
        # One record is one line, or a client could write lines of its own into the log.
        return _CONTROL.sub(lambda match: ascii(match[0])[1:-1], text)


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
        if record.exc_info and (told := _traceback(record)):
            body["exception"] = told
        # Before they are JSON: its escapes would hide a secret that holds a quote.
        return json.dumps(self._redact.value(body), default=lambda value: self._redact(str(value)))


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


def _traceback(record: logging.LogRecord) -> str:
    if not record.exc_info or record.exc_info[0] is None:
        return ""
    return "".join(traceback.format_exception(*record.exc_info)).rstrip()


def _timestamp(record: logging.LogRecord) -> str:
    return format_timestamp(datetime.fromtimestamp(record.created, UTC))
