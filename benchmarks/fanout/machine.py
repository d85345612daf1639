"""What the operating system says: CPU time, memory, and which machine this is."""

from __future__ import annotations

import os
import platform
import resource
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class CpuTime:
    """What processes had of their cores since they began, all threads."""

    used_seconds: float
    """User and system."""
    waited_seconds: float
    """Ready to run while something else ran: with one thread it is the doing of others."""

    @classmethod
    def read(cls, pids: Iterable[int]) -> CpuTime:
        """Return what the scheduler has counted, in nanoseconds.

        A kernel that keeps no such counts has those of ``/proc/PID/stat``, in hundredths of a
        second and without the waiting.
        """
        used = waited = 0.0
        for pid in pids:
            try:
                for task in Path(f"/proc/{pid}/task").iterdir():
                    ran, delayed, _ = (task / "schedstat").read_text().split()
                    used += int(ran) / 1e9
                    waited += int(delayed) / 1e9
            except FileNotFoundError:
                fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
                used += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
        return cls(used, waited)

    def since(self, before: CpuTime) -> CpuTime:
        """Return what came after *before*."""
        return CpuTime(
            self.used_seconds - before.used_seconds, self.waited_seconds - before.waited_seconds
        )


def memory_bytes(pids: Iterable[int]) -> tuple[int, int]:
    """Return the resident set of these processes, and their share of it (PSS)."""
    resident = share = 0
    for pid in pids:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            name, *value = line.split()
            resident += int(value[0]) * 1024 if name == "Rss:" else 0
            share += int(value[0]) * 1024 if name == "Pss:" else 0
    return resident, share


def raise_file_limit(needed: int) -> None:
    """Let this process and its children open as many files as allowed.

    Raises:
        SystemExit: that is less than *needed*.
    """
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if most != resource.RLIM_INFINITY and most < needed:
        raise SystemExit(
            f"{needed} open files are needed and {most} are allowed: "
            f"raise the limit (ulimit -Hn {needed}), or leave out the scenario `idle`"
        )
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def filesystem_of(folder: Path) -> str:
    """Return the kind of file system that *folder* is on."""
    resolved = folder.resolve()
    found = Path("/")
    kind = ""
    for line in Path("/proc/mounts").read_text().splitlines():
        _, mounted, kind_here, *_ = line.split()
        if resolved.is_relative_to(mounted) and Path(mounted).is_relative_to(found):
            found, kind = Path(mounted), kind_here
    return f"{kind}, which is memory: what is durable costs nothing" if kind == "tmpfs" else kind


def describe() -> dict[str, str]:
    """Say which machine this is."""
    info = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.partition(":")[2] for line in info if line.startswith("model name")), "")
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "cpu": model.strip() or platform.machine(),
        "cores": str(os.cpu_count()),
        "memory": f"{memory:.0f} GiB",
        "kernel": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
    }
