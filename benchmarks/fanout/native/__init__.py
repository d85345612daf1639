"""The two programs in C, and how they are built."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

SOURCES = Path(__file__).parent
COMPILERS = ("cc", "gcc", "clang")


class NoCompiler(Exception):
    """There is no C compiler, without which nothing here can be measured."""

    def __init__(self) -> None:
        super().__init__(
            "The readers and the bare loop are C: a loop in Python is no faster than what it is "
            "to measure. Install a C compiler (Debian: apt-get install gcc libc6-dev) and run it "
            "again."
        )


def build(name: str, folder: Path) -> Path:
    """Compile ``name.c`` into *folder*, and return the program.

    Raises:
        NoCompiler: none of ``cc``, ``gcc`` and ``clang`` is on the path.
    """
    compiler = next(filter(None, map(shutil.which, COMPILERS)), None)
    if compiler is None:
        raise NoCompiler
    program = folder / name
    subprocess.run(
        [compiler, "-O2", "-Wall", "-o", str(program), str(SOURCES / f"{name}.c")], check=True
    )
    return program
