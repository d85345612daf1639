"""``http``: sends an HTTP request."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field

from flowmaestro.nodes.config import NodeConfig, Text, TimeoutMs
from flowmaestro.nodes.context import NodeContext
from flowmaestro.nodes.errors import NodeError
from flowmaestro.nodes.http_body import outputs_of
from flowmaestro.nodes.http_request import HttpRequest, send
from flowmaestro.nodes.node_type import NodeType
from flowmaestro.nodes.services import Services
from flowmaestro.workflow.catalog import NodeTypeSpec

DEFAULT_TIMEOUT_MS = 30_000
DEFAULT_RESPONSE_BYTES = 524_288
MAX_RESPONSE_BYTES = 2 * 1_048_576
"""Outputs are kept up to 1,000,000 bytes: there is no use for much more. As JSON, 16 MiB can be
half a gigabyte of small objects that keep the event loop for seconds."""
SHOWN_BODY_CHARACTERS = 200
RETRYABLE_STATUSES = frozenset({408, 425, 429})


def _http_url(url: str) -> str:
    if not url.lower().startswith(("http://", "https://")):
        raise ValueError("must be an absolute URL that starts with `http://` or `https://`")
    return url


def _upper(method: Any) -> Any:
    return method.strip().upper() if isinstance(method, str) else method


Method = Annotated[
    Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"], BeforeValidator(_upper)
]
Scalar = str | int | float | bool | None


class HttpConfig(NodeConfig):
    """Sends an HTTP request and gives the response: `status`, `headers` and `body`."""

    method: Method = Field(default="GET", description="The request's method.")
    url: Annotated[str, AfterValidator(_http_url)] = Field(
        description="An absolute `http` or `https` URL."
    )
    headers: dict[str, Text] = Field(default_factory=dict, description="Headers by name.")
    query: dict[str, Scalar | list[Scalar]] = Field(
        default_factory=dict,
        description="Query parameters by name, added to the URL's own; a list repeats its name.",
    )
    body: Any = Field(
        default=None, description="Text is sent as it is; any other value as JSON; `null` is none."
    )
    timeout_ms: TimeoutMs = Field(
        default=DEFAULT_TIMEOUT_MS,
        description="How long the whole request may take, redirects included, in milliseconds.",
    )
    max_response_bytes: int = Field(
        default=DEFAULT_RESPONSE_BYTES,
        ge=1,
        le=MAX_RESPONSE_BYTES,
        description="The largest response body, in bytes, once decompressed.",
    )
    follow_redirects: bool = Field(
        default=True,
        description="Whether to follow redirects, at most 5. Across origins none of `headers` go "
        "along but `Accept`, `Accept-Language`, `Content-Type` and `User-Agent`.",
    )
    fail_on_status: bool = Field(
        default=True, description="Whether a status of 400 and above fails the node."
    )


def make_http(services: Services) -> NodeType:
    """Return the ``http`` type, which sends with the client of *services*."""

    async def run(config: HttpConfig, context: NodeContext) -> dict[str, Any]:
        """Send the request and read the response.

        :raises NodeError: see :func:`~flowmaestro.nodes.http_request.send`; ``http_status`` for a
            response of 400 and above, where 408, 425, 429 and 5xx are worth another attempt.

        Cancelling closes the connection.
        """
        response = await send(
            await services.http_client(),
            HttpRequest(
                method=config.method,
                url=config.url,
                headers=_with_trace(config, context, services),
                query=config.query,
                body=config.body,
                timeout_ms=config.timeout_ms,
                max_response_bytes=config.max_response_bytes,
                follow_redirects=config.follow_redirects,
                execution_id=context.execution_id,
            ),
        )
        if config.fail_on_status and response.status >= 400:
            shown = response.content[: SHOWN_BODY_CHARACTERS * 4].decode("utf-8", "replace")
            excerpt = " ".join(shown.split())[:SHOWN_BODY_CHARACTERS]
            raise NodeError(
                f"{response.origin} answered with status {response.status}"
                + (f": {excerpt}" if excerpt else ""),
                code="http_status",
                retryable=response.status >= 500 or response.status in RETRYABLE_STATUSES,
            )
        return outputs_of(response)

    spec = NodeTypeSpec(
        name="http",
        config_model=HttpConfig,
        description="Sends an HTTP request and gives the response.",
    )
    return NodeType(spec, run)


def _with_trace(config: HttpConfig, context: NodeContext, services: Services) -> dict[str, str]:
    """Return the request's headers, with the attempt's trace for hosts that may be told of it."""
    traceparent = context.traceparent
    if traceparent is None or not services.may_be_told_of_traces(
        urlsplit(config.url).hostname or ""
    ):
        return config.headers
    given = {name.lower() for name in config.headers}
    return (
        config.headers if "traceparent" in given else {**config.headers, "traceparent": traceparent}
    )
