"""Streaming: brings the events of a log to those who watch it, each at their own pace.

Reading order: ``topic`` (one execution that somebody follows), ``hub`` (all of them), ``views``
and ``formats`` (which events, in which bytes), ``paging`` (reading the log). Then the two ways to
feed a reader: ``lane`` writes to its transport; ``subscription`` and ``reader`` are for where no
transport is to be had, and a task pulls from them. ``pages`` is asking instead of streaming. It
knows nothing of HTTP but how a stream is framed.
"""

from flowmaestro.streaming.admission import Admission
from flowmaestro.streaming.errors import HubClosed, LogGap, StreamingError, TooManyStreams
from flowmaestro.streaming.formats import (
    CHUNKED,
    JSON_LINES,
    SERVER_SENT_EVENTS,
    UNFRAMED,
    Format,
    Framing,
)
from flowmaestro.streaming.hub import Hub, StreamingCounters, StreamingGauges
from flowmaestro.streaming.lane import Connection, Lane, Opening, Stream
from flowmaestro.streaming.options import StreamingOptions
from flowmaestro.streaming.pages import EventPage, read_events, wait_for_events
from flowmaestro.streaming.paging import PageSize, read_page
from flowmaestro.streaming.reader import Outcome, Reader
from flowmaestro.streaming.subscription import Subscription
from flowmaestro.streaming.topic import Member, Topic
from flowmaestro.streaming.views import Batch, Chunk, Piece, View, render, visible_types

__all__ = [
    "CHUNKED",
    "JSON_LINES",
    "SERVER_SENT_EVENTS",
    "UNFRAMED",
    "Admission",
    "Batch",
    "Chunk",
    "Connection",
    "EventPage",
    "Format",
    "Framing",
    "Hub",
    "HubClosed",
    "Lane",
    "LogGap",
    "Member",
    "Opening",
    "Outcome",
    "PageSize",
    "Piece",
    "Reader",
    "Stream",
    "StreamingCounters",
    "StreamingError",
    "StreamingGauges",
    "StreamingOptions",
    "Subscription",
    "TooManyStreams",
    "Topic",
    "View",
    "read_events",
    "read_page",
    "render",
    "visible_types",
    "wait_for_events",
]
