from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import pytest

from flowmaestro.nodes import Registry, Services
from flowmaestro.storage import Storage
from flowmaestro.workflow import to_document, validate
from tests.support.crash_nodes import chain
from tests.support.crash_process import NODES
from tests.support.server import create_key, database_url


class Prepared:
    """A database with a key for everything and the workflows ``two`` and ``held``."""

    def __init__(self, folder: Path, key: str, key_id: str) -> None:
        self.folder = folder
        self.key = key
        self.key_id = key_id


async def _prepare(folder: Path) -> Prepared:
    registry = Registry.builtin(Services()).with_module(NODES)
    async with await Storage.open(database_url(folder)) as storage:
        key, stored = await create_key(storage)
        for name, functions in {"two": ("effect", "effect"), "held": ("hold",)}.items():
            definition = validate(chain(*functions), registry.catalog)
            await storage.workflows.create(
                "default", to_document(definition), name=definition.name, id=name
            )
    return Prepared(folder, key, stored.id)


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    return asyncio.run(_prepare(tmp_path_factory.mktemp("template")))


@pytest.fixture
def prepared(template: Prepared, tmp_path: Path) -> Prepared:
    """A copy of the prepared database, the test's own."""
    shutil.copy(template.folder / "flowmaestro.db", tmp_path)
    return Prepared(tmp_path, template.key, template.key_id)
