"""What a node says faster than it can be recorded takes bounded memory."""

from __future__ import annotations

from flowmaestro.engine.redaction import Redactor
from flowmaestro.engine.reports import (
    MAX_MESSAGE_CHARACTERS,
    MAX_PENDING_CHARACTERS,
    LogMessage,
    Message,
    NodeReporter,
)
from flowmaestro.engine.statistics import EngineStatistics


async def test_long_messages_that_wait_are_bounded_by_their_length() -> None:
    inbox: list[Message] = []
    reporter = NodeReporter("node", 1, inbox.append, EngineStatistics(), Redactor(()))
    for _ in range(500):
        reporter.log("info", "x" * MAX_MESSAGE_CHARACTERS)
    waiting = [message for message in inbox if isinstance(message, LogMessage)]
    characters = sum(len(message.message) for message in waiting)
    assert MAX_PENDING_CHARACTERS <= characters < MAX_PENDING_CHARACTERS + MAX_MESSAGE_CHARACTERS
    for message in waiting:
        message.taken()
    inbox.clear()
    reporter.log("info", "the next")
    said = [message.message for message in inbox if isinstance(message, LogMessage)]
    dropped = 500 - len(waiting)
    assert said == [f"{dropped} messages were dropped: they came too fast", "the next"]
