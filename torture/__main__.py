"""``python -m torture``: rounds until the time is up, then what they found; exit 1 if anything."""

from __future__ import annotations

import argparse
import asyncio
import secrets
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

from torture.process import ServerFailed
from torture.round import Size
from torture.session import torture
from torture.subjects import SUBJECTS
from torture.tally import Tally


def main() -> int:
    arguments = _arguments()
    size = Size(arguments.executions, arguments.readers, arguments.faults)
    folder = Path(arguments.folder or tempfile.mkdtemp(prefix="torture-"))
    folder.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    # As Ctrl-C: the server's process is to end with this one.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    print(
        f"seed {arguments.seed}, {arguments.seconds:g} s, what is kept is in {folder}", flush=True
    )

    def told(tally: Tally) -> None:
        total = tally.total
        print(
            f"round {tally.rounds:3}  {time.monotonic() - began:6.1f} s  "
            f"executions {total.executions:5,}  events compared {total.deliveries:8,}  "
            f"faults {total.faults.total():4}  violations {len(total.violations)}",
            flush=True,
        )

    try:
        tally = asyncio.run(
            torture(
                SUBJECTS[arguments.subject](),
                folder,
                seed=arguments.seed,
                seconds=arguments.seconds,
                first_round=arguments.round,
                size=size,
                told=told,
            )
        )
    except ServerFailed as error:
        print(f"the server failed, seed {arguments.seed}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    print("\n".join(tally.lines()))
    if tally.violations:
        return 1
    if arguments.folder is None:
        shutil.rmtree(folder)
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m torture", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0, help="how long (default 60)")
    parser.add_argument("--seed", default=secrets.token_hex(4), help="of everything random")
    parser.add_argument("--round", type=int, default=1, help="begin with this round of the seed")
    parser.add_argument("--executions", type=int, default=Size().executions, help="of each round")
    parser.add_argument("--readers", type=int, default=Size().readers, help="of each execution")
    parser.add_argument("--faults", type=int, default=Size().faults, help="of each round")
    parser.add_argument("--subject", choices=sorted(SUBJECTS), default="flowmaestro")
    parser.add_argument("--folder", help="for the database and the server's log; kept")
    return parser.parse_args()


if __name__ == "__main__":
    raise SystemExit(main())
