"""The log line of a reader that was dropped because it took nothing."""

from __future__ import annotations

import logging

_logger = logging.getLogger(__name__)


def tell_drop(execution_id: str, owner: str, lag: int) -> None:
    """Say who was dropped, and how many events it had yet to be given."""
    fields = {"execution_id": execution_id, "key_id": owner, "events_behind": lag}
    _logger.warning("a reader was dropped: it took nothing for too long", extra=fields)
