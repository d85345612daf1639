"""The checks of a server at a URL, in the order in which they are told."""

from __future__ import annotations

from collections.abc import Iterator

import httpx2

from flowmaestro.client.errors import ConfigurationError
from flowmaestro.client.options import api_url
from flowmaestro.main.doctor.findings import Finding, problem
from flowmaestro.main.doctor.remote.reach import check_reach
from flowmaestro.main.doctor.remote.streams import check_streams
from flowmaestro.main.doctor.remote.transport import check_transport
from flowmaestro.main.doctor.remote.verdicts import PATIENCE_SECONDS


def check_server(
    url: str,
    api_key: str | None,
    *,
    wait_seconds: float = 0,
    patience_seconds: float = PATIENCE_SECONDS,
) -> Iterator[Finding]:
    """Yield what there is to say of the server at *url*.

    Args:
        url: where the server is for its clients, proxies included.
        api_key: what to open a stream with; ``None``: none is opened.
        wait_seconds: how long to keep a stream open in which nothing happens; 0: not at all.
        patience_seconds: how long what is in the log may take to come out of a stream.
    """
    try:
        base_url = api_url(url)
    except ConfigurationError as error:
        yield problem("server.reach", str(error).rstrip("."), "check --url")
        return
    with httpx2.Client(timeout=10.0, follow_redirects=False) as http:
        answers = False
        for finding in check_reach(http, base_url):
            answers = answers or finding.state != "problem"
            yield finding
        if not answers:
            return
        yield from check_transport(http, base_url)
    yield from check_streams(
        base_url, api_key, wait_seconds=wait_seconds, patience_seconds=patience_seconds
    )
