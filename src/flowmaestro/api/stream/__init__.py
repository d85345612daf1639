"""The HTTP side of streams.

Reading order: ``endpoint`` (the resource), ``query`` and ``accept`` (what is asked for),
``response`` (a stream that has been granted), ``takeover`` and ``protocol`` (its own way to the
socket).
"""

from flowmaestro.api.stream.endpoint import Asker, StreamServices, stream_events

__all__ = ["Asker", "StreamServices", "stream_events"]
