"""The command line.

One module for each group of commands (``watch``, ``execute``, ``executions``, ``workflows``,
``serve``, ``keys``, ``doctor``, ``backup``), put together in ``app``; ``render/`` shows an
execution live. Everything heavy is imported inside the commands: ``flowmaestro --help`` should not
wait for what it does not use.
"""

from __future__ import annotations

__all__ = ["main"]


def main() -> None:
    """Run the command that the process was started with, and exit with its code."""
    import sys

    from flowmaestro.cli.app import run

    sys.exit(run(sys.argv[1:]))
