"""A web developer's own site: pages, the TypeScript SDK, and tickets for its visitors."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2

from tests.support.http_server import ReceivedRequest, http_server, json_response, response

# `watch` uses the browser's own EventSource, `follow` the SDK's helper for it.
_PAGE = """<!doctype html>
<title>A site of its own</title>
<script type="module">
  const types = [
    "connected", "execution:started", "execution:progress", "node:started", "node:completed",
    "node:failed", "execution:completed", "execution:failed", "execution:cancelled",
    "node:skipped", "node:retrying", "node:expanded", "node:log",
  ];
  window.seen = [];
  window.watch = (url) => {
    window.source = new EventSource(url);
    for (const type of types) {
      source.addEventListener(type, ({ lastEventId, data }) => {
        if (type !== "connected") seen.push({ number: Number(lastEventId), ...JSON.parse(data) });
      });
    }
  };
  window.fetchTicket = async (id) => {
    const answer = await fetch(`/tickets/${id}`, { method: "POST" });
    return (await answer.json()).ticket;
  };
  window.reconnects = [];
  window.follow = async (baseUrl, id, options = {}) => {
    const { FlowMaestroClient } = await import("/sdk/index.js");
    const client = new FlowMaestroClient({ apiKey: null, baseUrl });
    window.subscription = client.executions.openEventSource(id, {
      ticket: () => fetchTicket(id),
      onEvent: (event) => seen.push(event),
      onError: (error) => { window.failure = `${error.name}: ${error.message}`; },
      onClose: () => { window.isOver = true; },
      onReconnect: ({ reason }) => reconnects.push(reason.name),
      ...options,
    });
  };
  window.ready = true;
</script>
"""


@dataclass
class WebSite:
    """What runs, and what it gave."""

    origin: str
    flows: httpx2.AsyncClient | None = None
    """Where executions run; with the key."""
    ttl_seconds: int = 300
    tickets: list[dict[str, Any]] = field(default_factory=list)


@contextlib.asynccontextmanager
async def web_site(sdk: Path) -> AsyncIterator[WebSite]:
    """Serve the site until the block ends; it gives tickets once it has ``flows``."""
    site = WebSite("")

    async def answer(request: ReceivedRequest, writer: asyncio.StreamWriter) -> None:
        writer.write(await respond(request))

    async def respond(request: ReceivedRequest) -> bytes:
        folder, _, name = request.path.removeprefix("/").partition("/")
        if folder == "sdk" and (sdk / name).is_file():
            return response(200, (sdk / name).read_bytes(), content_type="text/javascript")
        if folder == "tickets" and site.flows is not None:
            created = await site.flows.post(
                f"/api/v1/executions/{name}/tickets", json={"ttl_seconds": site.ttl_seconds}
            )
            if created.status_code == 201:
                site.tickets.append(created.json()["data"])
            return json_response(created.json()["data"] if created.is_success else {})
        return response(200, _PAGE, content_type="text/html; charset=utf-8")

    async with http_server(answer) as server:
        site.origin = server.url
        yield site
