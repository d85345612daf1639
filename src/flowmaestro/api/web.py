"""The page that shows executions live: the built files of ``web/``, as they are.

They are not in the repository: ``make web`` builds them, and a wheel brings them along. Without
them the server is whole but for the page, whose place says how to get it.
"""

from __future__ import annotations

import re
from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, Response

from flowmaestro.api.errors import ApiError

WEB_FOLDER = Path(__file__).parents[1] / "web"
"""Where the build puts the page."""
PAGE_PATHS = ("/", "/executions/{execution_id}")
ASSETS_PATH = "/assets/{name}"

# A name is one of a file in one folder, so it leads nowhere else.
_ASSET_NAME = re.compile(r"\w[\w.-]{0,199}", re.ASCII)
_MEDIA_TYPES = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
_YEAR_SECONDS = 365 * 24 * 60 * 60

_PAGE_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        # No text becomes HTML, whatever a library of the page's does.
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    )
)
# A ticket was in the address, in its fragment; the rest of it is nobody else's business either.
_HEADERS = {"Referrer-Policy": "no-referrer", "X-Content-Type-Options": "nosniff"}
_PAGE_HEADERS = {
    **_HEADERS,
    "Content-Security-Policy": _PAGE_POLICY,
    "Cache-Control": "no-cache",
    "Cross-Origin-Opener-Policy": "same-origin",
}
# The files' names change with what is in them.
_ASSET_HEADERS = {
    **_HEADERS,
    "Cache-Control": f"public, max-age={_YEAR_SECONDS}, immutable",
    "Vary": "Accept-Encoding",
}

_NOT_BUILT = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>FlowMaestro</title></head>
<body>
<h1>FlowMaestro runs, but the page that shows executions is not built</h1>
<p>In a checkout it is built by <code>make web</code>, which needs Node 20.19 or newer. Then load
this address again; the server can go on running. An installed release brings the page along.</p>
<p>Everything else is here: the <a href="/docs">HTTP API</a>, the SDKs and the command line, such as
<code>flowmaestro watch EXECUTION_ID</code>.</p>
</body>
</html>
"""


async def page() -> Response:
    """The page; what it shows, it finds out from its address."""
    try:
        html = (WEB_FOLDER / "index.html").read_text(encoding="utf-8")
    except FileNotFoundError:
        policy = "default-src 'none'; frame-ancestors 'none'"
        headers = {**_PAGE_HEADERS, "Content-Security-Policy": policy}
        return HTMLResponse(_NOT_BUILT, status_code=404, headers=headers)
    return HTMLResponse(html, headers=_PAGE_HEADERS)


async def asset(request: Request, name: str) -> Response:
    """One of the page's files, compressed if that is there and welcome."""
    path = WEB_FOLDER / "assets" / name
    media_type = _MEDIA_TYPES.get(path.suffix)
    if media_type is None or _ASSET_NAME.fullmatch(name) is None or not path.is_file():
        raise ApiError("resource_not_found", "The page has no such file; load it again.")
    headers = _ASSET_HEADERS
    compressed = path.with_name(f"{name}.gz")
    if "gzip" in request.headers.get("accept-encoding", "") and compressed.is_file():
        path, headers = compressed, {**headers, "Content-Encoding": "gzip"}
    return FileResponse(path, media_type=media_type, headers=headers)
