"""Whether a server runs on the database, and whether it may open as many files as it needs."""

from __future__ import annotations

from pathlib import Path

from flowmaestro.main.descriptors import RESERVED, reachable_descriptor_limit, room_for_streams
from flowmaestro.main.doctor.findings import Finding, ok, problem, warning
from flowmaestro.storage.upkeep import LockState

FEW_DESCRIPTORS = 4096
_ADVICE = "set LimitNOFILE in its systemd unit, or ulimit -Hn before it starts"


def lock_finding(state: LockState) -> Finding:
    """Return whether a server runs, and whether one could start."""
    check = "server.lock"
    if state.held:
        process = "" if state.process_id is None else f" (process {state.process_id})"
        return ok(check, f"a server runs on the database{process}; a second one would not start")
    if state.problem is not None:
        advice = "remove the file, or give it to the user that runs the server"
        if not state.path.parent.is_dir():
            advice = "make the folder, or say where the database is"
        elif not state.path.exists():
            advice = "let the user that runs the server write to the folder"
        return problem(check, f"no server runs, and none could start: {state.problem}", advice)
    return ok(check, "no server runs on the database; one can start")


def descriptor_finding(state: LockState, max_streams: int | None) -> Finding:
    """Return whether the limit of open files has room for the streams.

    It is the running server's own where that can be read, else what a server started here has.
    """
    running = None if state.process_id is None else _limit_of(state.process_id)
    if running is None:
        whose, limit = "a server started here", reachable_descriptor_limit()
    else:
        whose, limit = "the running server", running[0]
    room = room_for_streams(limit)
    if limit is None or room is None:
        return ok("server.descriptors", f"{whose} may open any number of files")
    text = f"{whose} may open {limit:,} files, which has room for {room:,} streams"
    if max_streams is not None and max_streams > room:
        return problem(
            "server.descriptors",
            f"{text}, and FLOWMAESTRO_MAX_STREAMS is {max_streams:,}",
            _ADVICE,
        )
    if limit < FEW_DESCRIPTORS:
        return warning("server.descriptors", text, _ADVICE)
    open_files = None if running is None else running[1]
    if open_files is not None and open_files > 0.9 * (limit - RESERVED):
        return warning("server.descriptors", f"{text}; {open_files:,} are open now", _ADVICE)
    return ok("server.descriptors", text)


def _limit_of(process_id: int) -> tuple[int | None, int | None] | None:
    """Return how many files a process may open (``None``: any number), and has open (``None``: we
    may not know); nothing if Linux does not say."""
    process = Path(f"/proc/{process_id}")
    try:
        limits = (process / "limits").read_text()
    except OSError:
        return None
    for line in limits.splitlines():
        if line.startswith("Max open files"):
            soft = line.split()[3]
            limit = None if soft == "unlimited" else int(soft)
            break
    else:
        return None
    try:
        return limit, sum(1 for _ in (process / "fd").iterdir())
    except OSError:
        return limit, None
