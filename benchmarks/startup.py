"""How long things take to begin: the import, the help, and the server until it answers.

Each is a process of its own, several times after a warm-up; a bare interpreter is the limit that
everything is compared with.

    python -m benchmarks.startup [--rounds 7]
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

FLOWMAESTRO = str(Path(sys.executable).with_name("flowmaestro"))


def run(*command: str) -> float:
    """Return the seconds until *command* has ended."""
    begin = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - begin


def serve() -> float:
    """Return the seconds until a server with a new database listens."""
    with tempfile.TemporaryDirectory() as folder:
        begin = time.perf_counter()
        process = subprocess.Popen(
            [FLOWMAESTRO, "serve", "--port", "0", "--database", f"{folder}/bench.db"],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={name: value for name, value in os.environ.items() if "FLOWMAESTRO" not in name},
        )
        assert process.stdout is not None
        process.stdout.readline()
        seconds = time.perf_counter() - begin
        process.terminate()
        process.wait(15)
        process.stdout.close()
        return seconds


MEASURED: dict[str, tuple[Callable[[], float], float | None]] = {
    "python -c pass": (lambda: run(sys.executable, "-c", "pass"), None),
    "import flowmaestro": (lambda: run(sys.executable, "-c", "import flowmaestro"), 0.25),
    "import the SDK's client": (
        lambda: run(sys.executable, "-c", "from flowmaestro import FlowMaestroClient"),
        None,
    ),
    "flowmaestro --help": (lambda: run(FLOWMAESTRO, "--help"), 0.4),
    "flowmaestro serve, until it listens": (serve, 1.5),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    seconds: dict[str, list[float]] = {name: [] for name in MEASURED}
    for round_ in range(rounds + 1):
        for name, (measure, _) in MEASURED.items():
            figure = measure()
            if round_:
                seconds[name].append(figure)
    bare = median(seconds["python -c pass"])
    print(f"median of {rounds}\n")
    print(f"{'':38}{'seconds':>9}{'ratio':>8}{'aim':>7}")
    for name, (_, aim) in MEASURED.items():
        middle = median(seconds[name])
        print(f"{name:38}{middle:9.3f}{middle / bare:8.1f}{aim or '':>7}")


if __name__ == "__main__":
    main()
