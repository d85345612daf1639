from __future__ import annotations

import os
import stat
from pathlib import Path

from flowmaestro.storage import Storage


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


async def test_a_new_database_is_its_owners_alone(tmp_path: Path) -> None:
    before = os.umask(0o000)
    try:
        async with await Storage.open(str(tmp_path / "new.db")) as storage:
            await storage.workflows.create("ws", {}, name="one")
            files = sorted(tmp_path.glob("new.db*"))
            assert [file.name for file in files] == ["new.db", "new.db-shm", "new.db-wal"]
            assert [mode_of(file) for file in files] == [0o600] * 3
    finally:
        os.umask(before)


async def test_the_mode_of_a_database_that_is_there_is_its_owners_to_choose(tmp_path: Path) -> None:
    path = tmp_path / "shared.db"
    async with await Storage.open(str(path)):
        pass
    path.chmod(0o640)
    async with await Storage.open(str(path)):
        assert mode_of(path) == 0o640
