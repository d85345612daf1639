"""A response's body, decompressed, within a bound on its size."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

from flowmaestro.nodes.errors import NodeError
from flowmaestro.nodes.http_failures import origin_of

if TYPE_CHECKING:
    import httpx2

PIECE_BYTES = 65_536
CHUNKS_A_TURN = 256
_GZIP_OR_ZLIB = zlib.MAX_WBITS | 32
_RAW_DEFLATE = -zlib.MAX_WBITS
_HEAD_BYTES = 2
_SLACK_BYTES = 1_024


async def read_body(response: httpx2.Response, limit: int) -> bytes:
    """Read *response* to its end and return its body, decompressed.

    It is decompressed here, and not by the client, whose decoders bound what comes out of them in
    one piece, but not what goes in: a compressed stream that has ended, or that stands for
    nothing, may be followed by bytes without end, and they keep them.

    :raises NodeError: ``http_response_too_large``, if the body has more than *limit* bytes;
        ``http_invalid_response``, if it cannot be decompressed.
    """
    inflater = _inflater(response)
    content = bytearray()
    received = 0
    chunks = 0
    async for chunk in response.aiter_raw():
        received += len(chunk)
        # What is compressed is at most a little larger than what it stands for.
        if received > limit + (limit // 100 + _SLACK_BYTES if inflater is not None else 0):
            raise _too_large(response, limit)
        try:
            for piece in (chunk,) if inflater is None else inflater.feed(chunk):
                content += piece
                if len(content) > limit:
                    raise _too_large(response, limit)
        except zlib.error as error:
            raise _undecodable(response, str(error)) from error
        chunks += 1
        if chunks % CHUNKS_A_TURN == 0:
            # A response in chunks of one byte is all work, and no waiting.
            await asyncio.sleep(0)
    if inflater is not None and not inflater.whole:
        raise _undecodable(response, "it ends early")
    return bytes(content)


class _Inflater:
    """Decompresses ``gzip`` and ``deflate``: the latter is zlib's format (RFC 9110, section
    8.4.1.2), or without its header, as some servers send it."""

    def __init__(self, coding: str) -> None:
        self._raw_is_allowed = coding == "deflate"
        self._head = b""
        self._decompressor: zlib._Decompress | None = None

    @property
    def whole(self) -> bool:
        """Whether the stream has ended, or never began."""
        return not self._head if self._decompressor is None else self._decompressor.eof

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Yield what *data* adds, in pieces of at most ``PIECE_BYTES``. What follows the stream's
        end is no part of the body.

        :raises zlib.error: it is no such stream.
        """
        if self._decompressor is None:
            self._head += data
            if len(self._head) < _HEAD_BYTES:
                return
            data = self._head
            raw = self._raw_is_allowed and not _has_zlib_header(data)
            self._decompressor = zlib.decompressobj(_RAW_DEFLATE if raw else _GZIP_OR_ZLIB)
        elif self._decompressor.eof:
            return
        while piece := self._decompressor.decompress(data, PIECE_BYTES):
            yield piece
            data = self._decompressor.unconsumed_tail


def _has_zlib_header(data: bytes) -> bool:
    """RFC 1950, section 2.2: the method is 8, and both bytes together a multiple of 31."""
    return data[0] & 0x0F == 8 and int.from_bytes(data[:2], "big") % 31 == 0


def _inflater(response: httpx2.Response) -> _Inflater | None:
    codings = response.headers.get("content-encoding", "").lower().split(",")
    if len(codings) > 1:
        # Layers multiply: three small ones hold terabytes of work.
        raise NodeError(
            f"{origin_of(response.url)} compressed its response more than once",
            code="http_invalid_response",
            retryable=False,
        )
    coding = codings[0].strip()
    return _Inflater(coding) if coding in ("gzip", "x-gzip", "deflate") else None


def _too_large(response: httpx2.Response, limit: int) -> NodeError:
    return NodeError(
        f"the response of {origin_of(response.url)} is larger than {limit} bytes",
        code="http_response_too_large",
        retryable=False,
    )


def _undecodable(response: httpx2.Response, reason: str) -> NodeError:
    return NodeError(
        f"{origin_of(response.url)} sent something that is no HTTP response: "
        f"its compressed body cannot be read: {reason}",
        code="http_invalid_response",
    )
