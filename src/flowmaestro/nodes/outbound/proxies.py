"""The proxies that the operator's environment names."""

from __future__ import annotations

from collections.abc import Callable
from urllib.request import getproxies, proxy_bypass

import httpx2


class EnvironmentProxies:
    """Transports through ``HTTP_PROXY``, ``HTTPS_PROXY`` and ``ALL_PROXY``, except to the hosts of
    ``NO_PROXY``; on macOS and Windows, through the system's settings where these are not set.

    :param make: makes the transport through the proxy at a URL.
    """

    def __init__(self, make: Callable[[str], httpx2.AsyncBaseTransport]) -> None:
        found = getproxies()
        self._transports = {
            scheme: make(url if "://" in url else f"http://{url}")
            for scheme in ("http", "https", "all")
            if (url := found.get(scheme))
        }

    def transport_for(self, url: httpx2.URL) -> httpx2.AsyncBaseTransport | None:
        """Return the transport for *url*, or ``None`` if it is to be reached without a proxy."""
        transport = self._transports.get(url.scheme) or self._transports.get("all")
        return None if transport is None or _bypassed(url) else transport

    async def aclose(self) -> None:
        """Close every connection."""
        for transport in self._transports.values():
            await transport.aclose()


def _bypassed(url: httpx2.URL) -> bool:
    port = port_of(url)
    # An IPv6 address may be in `NO_PROXY` with brackets or without.
    return any(proxy_bypass(f"{host}:{port}") for host in (url.host, f"[{url.host}]"))


def port_of(url: httpx2.URL) -> int:
    """Return the port that *url* leads to, an ``http`` or ``https`` one."""
    return url.port or (443 if url.scheme == "https" else 80)
