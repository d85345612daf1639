"""The composition root: settings in, everything wired, nothing global.

    settings.py       what an operator can set
    parts.py          what a server and a run without one are both made of
    composition.py    storage, engine, hub and API, opened and closed in order
    retention.py      the task that trims old logs
    vitals.py         the task that looks how late the event loop is, and what waits
    tracing/          traces, for those who ask for them
    http_protocol.py  uvicorn's HTTP, with bounds on a request's head
    descriptors.py    how many streams the system has room for
    server.py         uvicorn around it: signals, shutdown, `listening on …`
    logs.py           the server's log lines
    local_run.py      one execution without a server
    doctor/           what an operator would look at when something is wrong

``serve(settings)`` is the whole server; ``running(settings)`` embeds it under another one.

Names are imported when they are first used: a run without a server needs no web framework.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from flowmaestro.main.composition import Running, create_app, running
    from flowmaestro.main.server import serve
    from flowmaestro.main.settings import (
        InvalidSettings,
        ProviderSettings,
        Settings,
        load_settings,
    )

__all__ = [
    "InvalidSettings",
    "ProviderSettings",
    "Running",
    "Settings",
    "create_app",
    "load_settings",
    "running",
    "serve",
]

_HOMES = {
    "Running": "composition",
    "create_app": "composition",
    "running": "composition",
    "serve": "server",
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES.get(name, 'settings')}"), name)
