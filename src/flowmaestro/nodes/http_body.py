"""A response's body as JSON values."""

from __future__ import annotations

import base64
from email.message import Message
from typing import Any

from pydantic_core import from_json

from flowmaestro.nodes.errors import NodeError
from flowmaestro.nodes.http_request import HttpResponse

_TEXT_TYPES = frozenset(
    {
        "application/javascript",
        "application/x-ndjson",
        "application/x-www-form-urlencoded",
        "application/xml",
        "application/yaml",
    }
)
# Python has codecs that are no character sets; some take quadratic time.
_CHARSETS = (
    *("utf-8", "utf-16", "utf-32", "us-ascii", "ascii", "iso-8859", "latin", "windows-", "cp"),
    *("koi8", "big5", "euc", "gb", "shift"),
)


def outputs_of(response: HttpResponse) -> dict[str, Any]:
    """Return ``status``, ``headers`` and ``body``: parsed if it is JSON, else text, and ``null``
    if it is empty. A body that is neither is given as ``body_base64``, with ``body`` ``null``.

    :raises NodeError: ``http_invalid_response``, if a body that calls itself JSON is none.
    """
    outputs: dict[str, Any] = {
        "status": response.status,
        "headers": response.headers,
        "body": None,
    }
    if not response.content:
        return outputs
    content_type, charset = _content_type(response)
    if content_type == "application/json" or content_type.endswith("+json"):
        try:
            outputs["body"] = from_json(response.content, allow_inf_nan=False)
        except ValueError as error:
            raise NodeError(
                f"{response.origin} sent a JSON response that does not parse: {error}",
                code="http_invalid_response",
            ) from error
        return outputs
    text = _text(response.content, content_type, charset)
    if text is None:
        outputs["body_base64"] = base64.b64encode(response.content).decode("ascii")
    else:
        outputs["body"] = text
    return outputs


def _content_type(response: HttpResponse) -> tuple[str, str]:
    header = Message()
    header["Content-Type"] = response.headers.get("content-type", "")
    charset = header.get_content_charset() or ""
    given = header.get_content_type() if response.headers.get("content-type") else ""
    return given, charset


def _text(content: bytes, content_type: str, charset: str) -> str | None:
    """Return *content* as text, or ``None`` if it is none."""
    is_text = (
        content_type.startswith("text/")
        or content_type.endswith("+xml")
        or content_type in _TEXT_TYPES
    )
    if not is_text:
        # Without a type, or with one that says nothing, what reads as UTF-8 is text.
        if content_type not in ("", "application/octet-stream") or b"\0" in content:
            return None
        try:
            return content.decode("utf-8")
        except UnicodeDecodeError:
            return None
    if charset.startswith(_CHARSETS):
        try:
            return content.decode(charset, "replace")
        except (LookupError, UnicodeError):
            pass
    return content.decode("utf-8", "replace")
