"""Fuzzes for as long as one likes, and says what was done: ``make fuzz ARGS="--seconds 600"``."""

from __future__ import annotations

import argparse
import json
import os
import re
import secrets
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.fuzz import coverage_guided
from tests.fuzz.targets import TARGETS

ROOT = Path(__file__).parents[2]
FOUND = ROOT / "build" / "fuzz"
"""Where inputs are kept that made a target fail, and those worth going on from."""

TESTS = {
    "api": ["tests/fuzz/test_api_document.py"],
    "definitions": ["tests/fuzz/test_definitions.py", "tests/fuzz/test_bombs.py"],
    "expressions": [
        "tests/unit/expressions/test_expression_properties.py",
        "tests/unit/workflow_definition/test_validation_properties.py",
    ],
    "raw-bytes": ["tests/fuzz/test_raw_bytes.py"],
}
"""The parts that are tests."""
SDK = "sdk-typescript"
RUNS_A_ROUND = 5_000
PARTS = (*TESTS, *TARGETS, SDK)


@dataclass
class Result:
    """What one part came to."""

    counts: Counter[str] = field(default_factory=Counter)
    failed: bool = False
    seconds: float = 0.0
    left_out: str = ""
    """Why it was not run."""


def main() -> int:
    options = _options()
    FOUND.mkdir(parents=True, exist_ok=True)
    print(f"seed {options.seed}, {options.seconds:g} s for each of {len(options.parts)} parts")
    failed = False
    for part in options.parts:
        began = time.monotonic()
        result = _run(part, options.seconds, options.seed)
        result.seconds = time.monotonic() - began
        failed |= result.failed
        print(_line(part, result), flush=True)
    print(f"seed {options.seed}: {'FAILED' if failed else 'nothing found'}")
    return int(failed)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make fuzz", description=__doc__)
    parser.add_argument("parts", nargs="*", help=f"some of: {', '.join(PARTS)} (default: all)")
    parser.add_argument("--seconds", type=float, default=60.0, help="for each part (default: 60)")
    parser.add_argument("--seed", type=int, help="what a run before printed, to have it again")
    options = parser.parse_args()
    if unknown := set(options.parts) - set(PARTS):
        parser.error(f"there is no part {unknown.pop()!r}; there are {', '.join(PARTS)}")
    options.parts = options.parts or list(PARTS)
    options.seed = secrets.randbelow(10**6) if options.seed is None else options.seed
    return options


def _run(part: str, seconds: float, seed: int) -> Result:
    if part in TESTS:
        return _run_tests(part, seconds, seed)
    return _run_sdk(seconds, seed) if part == SDK else _run_target(part, seconds, seed)


def _run_tests(part: str, seconds: float, seed: int) -> Result:
    """Run the tests of *part*, with seed after seed, until the time is up."""
    result = Result()
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report"
        for round_ in _rounds(seconds):
            environment = {
                **os.environ,
                "FUZZ_SEED": str(seed + round_),
                "FUZZ_SECONDS": str(seconds),
                "FUZZ_REPORT": str(report),
            }
            done = subprocess.run(
                [
                    *(sys.executable, "-m", "pytest", "-q", "-x", "--no-header"),
                    *(f"--hypothesis-seed={seed + round_}", "--hypothesis-profile=fuzz"),
                    "--hypothesis-show-statistics",
                    *TESTS[part],
                ],
                cwd=ROOT,
                env=environment,
                capture_output=True,
                text=True,
                check=False,
            )
            result.counts["rounds"] += 1
            examples = sum(map(int, re.findall(r"(\d+) passing", done.stdout)))
            if examples:
                result.counts["examples"] += examples
            if done.returncode != 0:
                print(done.stdout + done.stderr)
                result.failed = True
                break
        if report.exists():
            for line in report.read_text().splitlines():
                counts = json.loads(line)
                counts.pop("part")
                result.counts.update(counts)
    return result


def _run_target(part: str, seconds: float, seed: int) -> Result:
    outcome = coverage_guided.run(part, FOUND, seconds=seconds, seed=seed)
    if outcome.found:
        print(outcome.output)
    counts = Counter(executions=outcome.executions, features=outcome.features)
    return Result(counts, failed=outcome.found)


def _run_sdk(seconds: float, seed: int) -> Result:
    """Run the properties of the TypeScript SDK's decoder, if what they need is installed."""
    result = Result()
    folder = ROOT / "sdk" / "typescript"
    vitest = folder / "node_modules" / ".bin" / "vitest"
    if not vitest.exists():
        result.left_out = "left out: its packages are not installed (make sdk-check)"
        return result
    for round_ in _rounds(seconds):
        done = subprocess.run(
            [str(vitest), "run", "test/unit/sse-decoder.property.test.ts"],
            cwd=folder,
            env={**os.environ, "FUZZ_RUNS": str(RUNS_A_ROUND), "FUZZ_SEED": str(seed + round_)},
            capture_output=True,
            text=True,
            check=False,
        )
        result.counts.update(rounds=1, examples=2 * RUNS_A_ROUND)
        if done.returncode != 0:
            print(done.stdout + done.stderr)
            result.failed = True
            break
    return result


def _rounds(seconds: float) -> Iterator[int]:
    began = time.monotonic()
    done = 0
    while done == 0 or time.monotonic() - began < seconds:
        yield done
        done += 1


def _line(part: str, result: Result) -> str:
    counts = ", ".join(f"{count:,} {name}" for name, count in result.counts.items())
    outcome = "FAILED" if result.failed else result.left_out or "ok"
    return f"{part:<16}{result.seconds:7.0f} s  {outcome:<8}{counts}".rstrip()


if __name__ == "__main__":
    sys.exit(main())
