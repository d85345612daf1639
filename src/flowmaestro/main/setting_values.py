"""What the members of a setting's list must look like, so that none is set and never matches."""

from __future__ import annotations

import re

# The serialisation of an origin (WHATWG HTML §7.1.1): compared as it is, so what is spelled in
# another way would never match.
_ORIGIN = re.compile(
    r"(?!http://[^/]*:80$|https://[^/]*:443$)[a-z][a-z0-9+.-]*://[a-z0-9.\-_\[\]:]+", re.ASCII
)
# A URL's host, without the brackets of an IPv6 address; ``*``, ``?`` and ``[…]`` stand for more.
_HOST_PATTERN = re.compile(r"[^\s/@:]+|[0-9a-fA-F:.*?\[\]]+")


def require_origin(origin: str) -> None:
    """Refuse what no browser sends as an origin, but for ``*``.

    Raises:
        ValueError: *origin* would never match.
    """
    if origin != "*" and not _ORIGIN.fullmatch(origin):
        raise ValueError(
            f"{origin!r} is no origin as a browser sends it, such as https://app.example.com: "
            "lower case, no path, no port that is the scheme's own; or * for any"
        )


def require_host_pattern(host: str) -> None:
    """Refuse what is no host, nor a pattern of hosts.

    Raises:
        ValueError: *host* would never match.
    """
    if not _HOST_PATTERN.fullmatch(host):
        raise ValueError(
            f"{host!r} is no host, such as api.example.com or *.internal: no scheme, no port, "
            "no path"
        )
