"""Measure FlowMaestro's fan-out beside its peers.

    python -m benchmarks.fanout [--quick] [--only SCENARIO] [--peers a,b] [--rounds 5]
                                [--json FILE] [--markdown FILE] [--plot FILE.svg]

Each peer runs in a process of its own on core 0, the readers in another on core 1. The peers take
turns, and everything is done several times. ``docs/performance.md`` says what the figures mean.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import shlex
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.fanout import machine
from benchmarks.fanout.bench import Bench
from benchmarks.fanout.native import NoCompiler, build
from benchmarks.fanout.peers import PEERS, Peer
from benchmarks.fanout.report import render, write
from benchmarks.fanout.scenarios import fanout, idle, many, slow

SCENARIOS: dict[str, Callable[[Bench], None]] = {
    "fanout": fanout.run,
    "many": many.run,
    "idle": idle.run,
    "slow": slow.run,
}
NOT_BY_DEFAULT = frozenset({"flowmaestro-plain"})


def choose(names: str | None) -> tuple[list[Peer], dict[str, str]]:
    """Return the peers to measure, and why others cannot be."""
    wanted = names.split(",") if names else [name for name in PEERS if name not in NOT_BY_DEFAULT]
    unknown = [name for name in wanted if name not in PEERS]
    if unknown:
        raise SystemExit(f"no such peer: {', '.join(unknown)}; there are {', '.join(PEERS)}")
    skipped = {name: reason for name in wanted if (reason := PEERS[name].missing())}
    for name, reason in skipped.items():
        print(f"skipping {name}: {reason}", file=sys.stderr)
    return [PEERS[name] for name in wanted if name not in skipped], skipped


def command_of(options: argparse.Namespace) -> str:
    """Return the command that measures the same again, wherever its results go."""
    words = ["python", "-m", "benchmarks.fanout"]
    words += ["--quick"] if options.quick else []
    for name in ("only", "peers", "rounds"):
        value = getattr(options, name)
        words += [f"--{name}", str(value)] if value is not None else []
    return shlex.join(words)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="see that it works, within a minute")
    parser.add_argument("--only", choices=SCENARIOS)
    parser.add_argument("--peers", help=f"names with commas between: {','.join(PEERS)}")
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--json", type=Path, help="keep every figure of the run here")
    parser.add_argument(
        "--markdown", type=Path, help="write the tables (between its marks, if any)"
    )
    parser.add_argument("--plot", type=Path, help="write a plot as SVG")
    parser.add_argument(
        "--folder", type=Path, help="where databases are: a real disk [default: temporary files']"
    )
    options = parser.parse_args()
    peers, skipped = choose(options.peers)
    machine.raise_file_limit(idle.FILES_NEEDED if options.only in (None, "idle") else 6_000)
    memory = Path("/dev/shm")
    begun = time.monotonic()
    with contextlib.ExitStack() as stack:
        scratch = Path(
            stack.enter_context(
                tempfile.TemporaryDirectory(
                    prefix="fanout-bench-", dir=memory if memory.is_dir() else None
                )
            )
        )
        try:
            generator = build("generator", scratch)
        except NoCompiler as error:
            raise SystemExit(str(error)) from None
        bench = Bench(
            folder=options.folder or Path(tempfile.gettempdir()),
            scratch=scratch,
            generator=generator,
            peers=peers,
            chosen=options.peers is not None,
            rounds=options.rounds or (1 if options.quick else 5),
            quick=options.quick,
        )
        for name, scenario in SCENARIOS.items():
            if options.only in (None, name):
                scenario(bench)
    run = {
        "command": command_of(options),
        "date": time.strftime("%Y-%m-%d"),
        "minutes": (time.monotonic() - begun) / 60,
        "rounds": bench.rounds,
        "machine": machine.describe() | {"disk": machine.filesystem_of(bench.folder)},
        "peers": {
            peer.name: {"title": peer.title, "setup": peer.setup, "version": peer.version()}
            for peer in peers
        },
        "skipped": skipped,
        "failures": bench.failures,
        "results": bench.results,
    }
    if options.json:
        options.json.write_text(json.dumps(run, indent=1))
    print(render(run))
    write(run, options.markdown, options.plot)
    if bench.failures:
        raise SystemExit("\n".join(["these failed:", *bench.failures]))


if __name__ == "__main__":
    main()
