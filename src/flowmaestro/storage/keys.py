"""API keys: what is stored of them, which is never the key."""

from __future__ import annotations

import builtins
from collections.abc import Collection
from dataclasses import asdict
from datetime import datetime
from functools import partial
from typing import Any

import sqlalchemy as sa

from flowmaestro.storage.errors import UnknownKey
from flowmaestro.storage.ids import IdGenerator
from flowmaestro.storage.models import ApiKey, HashedKey, NewKey
from flowmaestro.storage.options import StorageOptions
from flowmaestro.storage.schema import api_keys
from flowmaestro.storage.sqlite.readers import Readers
from flowmaestro.storage.sqlite.writer import Writer

_IDS_A_QUERY = 1_000
"""A statement has room for so many values; SQLite's own limit is far above."""


class Keys:
    """The API keys of every workspace. Made by :class:`~flowmaestro.storage.Storage`."""

    def __init__(
        self, writer: Writer, readers: Readers, ids: IdGenerator, options: StorageOptions
    ) -> None:
        self._writer = writer
        self._readers = readers
        self._ids = ids
        self._options = options

    async def create(self, new: NewKey) -> ApiKey:
        """Store a key under a new id."""
        return await self._writer.write(partial(_create, key_id=self._ids.new_id("key"), new=new))

    async def find(self, key_hash: str) -> ApiKey | None:
        """Return the key of this hash, expired and revoked ones too; ``None`` if there is none."""
        return await self._readers.read(partial(_find, key_hash=key_hash))

    async def find_with_hash(self, key_id: str) -> HashedKey | None:
        """Return the key of this id and its hash, expired and revoked ones too; ``None`` if there
        is none."""
        return await self._readers.read(partial(_find_with_hash, key_id=key_id))

    async def get(self, key_id: str) -> ApiKey:
        """Return the key of this id, expired and revoked ones too.

        Raises:
            UnknownKey: there is none.
        """
        return await self._readers.read(partial(_get, key_id=key_id))

    async def get_all(self, key_ids: Collection[str]) -> builtins.list[ApiKey]:
        """Return those keys of these ids that there are, expired and revoked ones too."""
        found: builtins.list[ApiKey] = []
        ids = tuple(key_ids)
        for first in range(0, len(ids), _IDS_A_QUERY):
            some = ids[first : first + _IDS_A_QUERY]
            found += await self._readers.read(partial(_select, condition=api_keys.c.id.in_(some)))
        return found

    async def list(self, workspace: str | None = None) -> builtins.list[ApiKey]:
        """Return the keys of one workspace or of all, newest first."""
        condition = sa.true() if workspace is None else api_keys.c.workspace == workspace
        return await self._readers.read(partial(_select, condition=condition))

    async def revoke(self, key_id: str) -> ApiKey:
        """Revoke a key; one that was revoked keeps its first moment.

        Raises:
            UnknownKey: there is none.
        """
        return await self._writer.write(partial(_revoke, key_id=key_id, now=self._options.clock()))


def _create(connection: sa.Connection, *, key_id: str, new: NewKey) -> ApiKey:
    values = {**asdict(new), "scopes": sorted(new.scopes), "id": key_id}
    connection.execute(sa.insert(api_keys), values)
    return _get(connection, key_id=key_id)


# Made once: every request looks a key up, and making a statement costs more than running it.
_BY_HASH = sa.select(api_keys).where(api_keys.c.key_hash == sa.bindparam("key_hash"))
_BY_ID = sa.select(api_keys).where(api_keys.c.id == sa.bindparam("key_id"))


def _find(connection: sa.Connection, *, key_hash: str) -> ApiKey | None:
    row = connection.execute(_BY_HASH, {"key_hash": key_hash}).one_or_none()
    return None if row is None else _api_key(row)


def _find_with_hash(connection: sa.Connection, *, key_id: str) -> HashedKey | None:
    row = connection.execute(_BY_ID, {"key_id": key_id}).one_or_none()
    return None if row is None else HashedKey(_api_key(row), row.key_hash)


def _get(connection: sa.Connection, *, key_id: str) -> ApiKey:
    keys = _select(connection, condition=api_keys.c.id == key_id)
    if not keys:
        raise UnknownKey(key_id)
    return keys[0]


def _revoke(connection: sa.Connection, *, key_id: str, now: datetime) -> ApiKey:
    connection.execute(
        sa.update(api_keys)
        .where(api_keys.c.id == key_id, api_keys.c.revoked_at.is_(None))
        .values(revoked_at=now)
    )
    return _get(connection, key_id=key_id)


def _select(connection: sa.Connection, *, condition: sa.ColumnElement[bool]) -> list[ApiKey]:
    query = sa.select(api_keys).where(condition).order_by(api_keys.c.position.desc())
    return [_api_key(row) for row in connection.execute(query)]


def _api_key(row: sa.Row[Any]) -> ApiKey:
    return ApiKey(
        id=row.id,
        name=row.name,
        workspace=row.workspace,
        environment=row.environment,
        scopes=frozenset(row.scopes),
        prefix=row.prefix,
        created_at=row.created_at,
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
        rate_limit_per_minute=row.rate_limit_per_minute,
        rate_limit_per_day=row.rate_limit_per_day,
    )
