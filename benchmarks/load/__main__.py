"""Measure a server under load: does it stay flat, does it come back, does it shed what is too much?

    python -m benchmarks.load [--quick] [--per-second 200] [--seconds 120] [--readers 2000]
                              [--json FILE] [--markdown FILE] [--plot FILE.svg]

``flowmaestro serve`` runs on core 0, everything that loads it on core 1. ``docs/reliability.md``
says what the figures mean.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import sys
import tempfile
import time
from pathlib import Path

import uvloop

from benchmarks.fanout import machine
from benchmarks.fanout.native import NoCompiler, build
from benchmarks.load.plan import Plan, run_plan
from benchmarks.load.report import render, write

SERVER_CORE, LOAD_CORE = 0, 1
FILES_NEEDED = 12_000


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="see that it works, within a minute")
    parser.add_argument("--per-second", type=float, default=200.0, help="executions")
    parser.add_argument("--seconds", type=float, default=120.0, help="of the long stretch")
    parser.add_argument("--readers", type=int, default=2_000, help="that stay")
    parser.add_argument("--only", help="the names of stretches, with commas between")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("--json", type=Path, help="keep every figure of the run here")
    parser.add_argument(
        "--markdown", type=Path, help="write the tables (between its marks, if any)"
    )
    parser.add_argument("--plot", type=Path, help="write a plot as SVG")
    parser.add_argument(
        "--folder", type=Path, help="where the database is: a real disk [default: temporary files']"
    )
    options = parser.parse_args()
    machine.raise_file_limit(FILES_NEEDED)
    os.sched_setaffinity(0, {LOAD_CORE})
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="load-bench-", dir=options.folder) as name:
        folder = Path(name)
        try:
            generator = build("generator", folder)
        except NoCompiler as error:
            raise SystemExit(str(error)) from None
        plan = Plan(
            folder=folder,
            generator=generator,
            server_core=SERVER_CORE,
            load_core=LOAD_CORE,
            per_second=options.per_second,
            seconds=options.seconds,
            readers=options.readers,
            quick=options.quick,
            only=frozenset(options.only.split(",")) if options.only else None,
            environment=dict(pair.split("=", 1) for pair in options.set),
        )
        found = uvloop.run(run_plan(plan))
        disk = machine.filesystem_of(folder)
    run = {
        "command": shlex.join(["python", "-m", "benchmarks.load", *_settings(sys.argv[1:])]),
        "date": time.strftime("%Y-%m-%d"),
        "minutes": (time.monotonic() - begun) / 60,
        "machine": machine.describe() | {"disk": disk},
        **found,
    }
    if options.json:
        options.json.write_text(json.dumps(run, indent=1))
    print(render(run))
    write(run, options.markdown, options.plot)
    if run["failures"]:
        raise SystemExit("\n".join(["this failed:", *run["failures"]]))


def _settings(arguments: list[str]) -> list[str]:
    """Return the arguments without those that say where results go."""
    kept = []
    words = iter(arguments)
    for word in words:
        if word in ("--json", "--markdown", "--plot", "--folder"):
            next(words)
        else:
            kept.append(word)
    return kept


if __name__ == "__main__":
    main()
