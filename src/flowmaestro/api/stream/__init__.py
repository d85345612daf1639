"""The HTTP side of streams.

Reading order: ``endpoint`` (the resource), ``query`` and ``accept`` (what is asked for),
``response`` (a stream over ASGI), ``protocol`` (what the HTTP server needs for it).
"""

from flowmaestro.api.stream.endpoint import StreamServices, stream_events

__all__ = ["StreamServices", "stream_events"]
