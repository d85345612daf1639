"""Rounds on one server and one database, one after the other."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from random import Random

from torture.process import Server
from torture.round import Round, Size
from torture.subject import Address, Subject
from torture.tally import Tally


async def torture(
    subject: Subject,
    folder: Path,
    *,
    seed: str,
    seconds: float,
    first_round: int = 1,
    size: Size | None = None,
    told: Callable[[Tally], None] = lambda _tally: None,
) -> Tally:
    """Torture *subject* for *seconds*, at least one round, and return what was found.

    A round that found something is the last. What a round does is drawn from *seed* and its number;
    when it happens is up to the machine.

    Args:
        folder: where the server keeps everything; it is kept.
        told: called after each round.

    Raises:
        ServerFailed: the server does not start, or not again.

    Cancelling ends the server.
    """
    size = size or Size()
    address = Address("127.0.0.1", _free_port())
    server = Server(subject.command(folder, address.port), folder)
    tally = Tally(subject.name, seed)
    accepted: list[str] = []
    baseline: Mapping[str, float] | None = None
    deadline = time.monotonic() + seconds
    number = first_round
    try:
        while not tally.rounds or (time.monotonic() < deadline and not tally.violations):
            await server.start()
            await subject.prepare(address, Random(f"{seed}/{number} workflows"))
            baseline = baseline or await subject.gauges(address)
            tally.add(
                await Round(
                    subject,
                    server,
                    address,
                    folder,
                    accepted,
                    baseline,
                    seed=f"{seed}/{number}",
                    size=size,
                ).run()
            )
            tally.recoveries_seconds = server.recoveries_seconds
            told(tally)
            number += 1
    finally:
        if server.running:
            await server.kill()
    return tally


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port
