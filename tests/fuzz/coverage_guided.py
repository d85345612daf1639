"""Runs one target under atheris: ``python -m tests.fuzz.coverage_guided TARGET FOLDER -seed=1 …``.

What follows the target's name goes to libFuzzer: folders of inputs, of which the first takes those
that are found, and its options (``-max_total_time``, ``-seed``, ``-runs``).
"""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

CORPUS = Path(__file__).parent / "corpus"
ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Outcome:
    """What a run came to."""

    executions: int
    features: int
    """libFuzzer's measure of coverage: edges, and how often each was taken."""
    found: bool
    """Whether a property failed."""
    output: str


def run(target: str, folder: Path, *, seconds: float, seed: int) -> Outcome:
    """Fuzz *target* in a process of its own; *folder* gets the inputs that are worth keeping."""
    inputs = folder / target
    inputs.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(
        [
            *(sys.executable, "-m", "tests.fuzz.coverage_guided", target, str(inputs)),
            *(str(CORPUS / target), f"-max_total_time={max(1, round(seconds))}"),
            *(f"-seed={seed % 2**31 or 1}", f"-artifact_prefix={folder}/{target}-"),
            *("-print_final_stats=1", "-timeout=20", "-rss_limit_mb=1024"),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    executions = re.findall(r"stat::number_of_executed_units: (\d+)", done.stderr)
    features = re.findall(r" ft: (\d+)", done.stderr)
    return Outcome(
        executions=int(executions[-1]) if executions else 0,
        features=int(features[-1]) if features else 0,
        found=done.returncode != 0,
        output=done.stdout + done.stderr,
    )


def main(arguments: list[str]) -> None:
    import atheris

    name, *options = arguments
    with atheris.instrument_imports(include=["flowmaestro"]):
        from tests.fuzz.targets import MAX_BYTES, TARGETS
    atheris.Setup([name, f"-max_len={MAX_BYTES}", *options], TARGETS[name])
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1:])
