"""Streaming: brings the events of a log to those who watch it, each at their own pace.

Reading order: ``subscription`` (the one idea: a cursor that is behind or level), ``hub`` (who hears
of a commit), ``reader`` (a stream), ``pages`` (asking instead of streaming), ``views`` and
``formats`` (which events, in which bytes), ``paging`` (reading the log). It knows nothing of HTTP.
"""

from flowmaestro.streaming.errors import HubClosed, LogGap, StreamingError
from flowmaestro.streaming.formats import JSON_LINES, SERVER_SENT_EVENTS, Format
from flowmaestro.streaming.hub import Hub, Member, StreamingCounters, StreamingGauges
from flowmaestro.streaming.options import StreamingOptions
from flowmaestro.streaming.pages import EventPage, read_events, wait_for_events
from flowmaestro.streaming.paging import PageSize, read_page
from flowmaestro.streaming.reader import Outcome, Reader
from flowmaestro.streaming.subscription import Subscription
from flowmaestro.streaming.views import Batch, Chunk, View, render, visible_types

__all__ = [
    "JSON_LINES",
    "SERVER_SENT_EVENTS",
    "Batch",
    "Chunk",
    "EventPage",
    "Format",
    "Hub",
    "HubClosed",
    "LogGap",
    "Member",
    "Outcome",
    "PageSize",
    "Reader",
    "StreamingCounters",
    "StreamingError",
    "StreamingGauges",
    "StreamingOptions",
    "Subscription",
    "View",
    "read_events",
    "read_page",
    "render",
    "visible_types",
    "wait_for_events",
]
