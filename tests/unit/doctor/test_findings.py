"""What the doctor makes of what it is told: without a machine, a database or a server."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from flowmaestro import __version__
from flowmaestro.main.doctor.files import file_system_finding
from flowmaestro.main.doctor.machine import sqlite_finding
from flowmaestro.main.doctor.remote.probe import probe_definition
from flowmaestro.main.doctor.remote.reach import (
    clock_finding,
    is_loopback,
    metrics_finding,
    version_finding,
)
from flowmaestro.main.doctor.remote.transport import certificate_finding, http_version_finding
from flowmaestro.main.doctor.remote.verdicts import buffering_finding, idle_finding
from flowmaestro.main.doctor.serving import lock_finding
from flowmaestro.nodes import Registry, Services
from flowmaestro.storage.upkeep import LockState
from flowmaestro.workflow import validate

NOW = datetime(2026, 3, 1, 12, 30, 15, tzinfo=UTC)
LOCK = Path("/data/flowmaestro.db.lock")


@pytest.mark.parametrize(
    ("version", "options", "state"),
    [
        ((3, 40, 1), set[str](), "ok"),
        ((3, 38, 0), {"THREADSAFE=1"}, "ok"),
        ((3, 37, 2), set[str](), "problem"),
        ((3, 45, 0), {"THREADSAFE=0"}, "problem"),
        ((3, 45, 0), {"OMIT_WAL"}, "problem"),
        ((3, 45, 0), {"DEFAULT_SYNCHRONOUS=0"}, "warning"),
    ],
)
def test_sqlite(version: tuple[int, ...], options: set[str], state: str) -> None:
    finding = sqlite_finding(version, frozenset(options))
    assert finding.state == state
    assert ".".join(map(str, version)) in finding.text


@pytest.mark.parametrize(
    ("path", "state", "kind"),
    [
        ("/data/flowmaestro.db", "ok", "ext4"),
        ("/data/shared/flowmaestro.db", "problem", "nfs4"),
        ("/data/mine/flowmaestro.db", "problem", "fuse.sshfs"),
        ("/data-of-others/flowmaestro.db", "warning", "overlay"),
        ("/dev/shm/flowmaestro.db", "warning", "tmpfs"),
    ],
)
def test_the_file_system_is_that_of_the_nearest_mount(path: str, state: str, kind: str) -> None:
    mounts = [
        ("/", "overlay"),
        ("/data", "xfs"),
        ("/data", "ext4"),
        ("/data/shared", "nfs4"),
        ("/data/mine", "fuse.sshfs"),
        ("/dev/shm", "tmpfs"),
    ]
    finding = file_system_finding(Path(path), [(Path(point), found) for point, found in mounts])
    assert finding.state == state
    assert kind in finding.text


def test_where_no_mounts_are_listed_nothing_is_claimed() -> None:
    assert file_system_finding(Path("/data/flowmaestro.db"), []).text == "unknown"


def test_the_lock() -> None:
    held = lock_finding(LockState(LOCK, held=True, process_id=4711))
    assert held.state == "ok"
    assert "4711" in held.text
    stuck = lock_finding(LockState(LOCK, held=False, process_id=None, problem="no permission"))
    assert stuck.state == "problem"
    assert "no permission" in stuck.text
    assert lock_finding(LockState(LOCK, held=False, process_id=None)).state == "ok"


def test_the_version_must_be_the_same() -> None:
    assert version_finding(__version__).state == "ok"
    assert version_finding(None).state == "ok"
    assert version_finding("99.0").state == "warning"


@pytest.mark.parametrize(
    ("seconds", "state", "word"),
    [
        (0, "ok", "agrees"),
        (4, "ok", "agrees"),
        (60, "warning", "ahead"),
        (-60, "warning", "behind"),
    ],
)
def test_the_servers_clock(seconds: float, state: str, word: str) -> None:
    told = (NOW + timedelta(seconds=seconds)).isoformat()
    finding = clock_finding(told, NOW - timedelta(seconds=0.2), NOW)
    assert finding.state == state
    assert word in finding.text


def test_a_slow_answer_is_no_wrong_clock() -> None:
    told = (NOW + timedelta(seconds=1)).isoformat()
    assert clock_finding(told, NOW, NOW + timedelta(seconds=30)).state == "ok"


@pytest.mark.parametrize("timestamp", [None, "soon", 12])
def test_a_server_that_tells_no_time(timestamp: object) -> None:
    assert clock_finding(timestamp, NOW, NOW).state == "problem"


@pytest.mark.parametrize(
    ("url", "loopback"),
    [
        ("http://127.0.0.1:8000", True),
        ("http://[::1]:8000", True),
        ("http://localhost", True),
        ("http://10.0.0.1", False),
        ("https://flowmaestro.example.com", False),
    ],
)
def test_metrics_are_a_warning_where_others_can_read_them(url: str, loopback: bool) -> None:
    assert is_loopback(url) == loopback
    exposed = metrics_finding(url, exposed=f"{url}/metrics")
    assert (exposed.state == "ok") == loopback
    assert metrics_finding(url, exposed=None).state == "ok"


def test_a_certificate_that_ends_soon() -> None:
    assert certificate_finding("TLSv1.3", NOW + timedelta(days=60), NOW).state == "ok"
    assert certificate_finding("TLSv1.3", NOW + timedelta(days=5), NOW).state == "warning"


def test_the_http_version_of_browsers() -> None:
    assert http_version_finding("h2").state == "ok"
    assert http_version_finding("http/1.1").state == "warning"
    assert http_version_finding(None).state == "warning"


def test_frames_that_come_late() -> None:
    assert buffering_finding(0.02).state == "ok"
    assert "1.5 seconds late" in buffering_finding(1.5).text


@pytest.mark.parametrize(
    ("ended_after", "heartbeats", "wait_seconds", "state", "text"),
    [
        (61.2, [15.0, 30.0], 120, "problem", "cut after 61.2 seconds"),
        (None, [], 60, "problem", "no heartbeat came in 60 seconds"),
        (None, [], 10, "ok", "open for 10 seconds more"),
        (None, [15.0, 30.0, 80.0], 90, "problem", "up to 50 seconds apart"),
        (None, [15.0, 30.0, 45.0], 50, "ok", "3 heartbeats"),
    ],
)
def test_a_stream_in_which_nothing_happens(
    ended_after: float | None, heartbeats: list[float], wait_seconds: float, state: str, text: str
) -> None:
    finding = idle_finding(ended_after, heartbeats, wait_seconds)
    assert finding.state == state
    assert text in finding.text


def test_the_probe_is_a_workflow_that_the_server_takes() -> None:
    catalog = Registry.builtin(Services(providers={})).catalog
    assert validate(probe_definition(30), catalog).name == "flowmaestro doctor"
