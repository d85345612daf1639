"""What every database must do with API keys."""

from __future__ import annotations

from datetime import timedelta

import pytest

from flowmaestro.storage import NewKey, Storage, UnknownKey
from tests.support.storage import MOMENT


def new_key(key_hash: str, workspace: str = "ws") -> NewKey:
    return NewKey(
        name="CI",
        workspace=workspace,
        environment="live",
        scopes=frozenset({"executions:read", "workflows:read"}),
        key_hash=key_hash,
        prefix="fm_live_abcd",
        created_at=MOMENT,
        expires_at=MOMENT + timedelta(days=30),
        rate_limit_per_minute=0,
        rate_limit_per_day=1_000,
    )


async def test_a_key_is_found_by_its_hash_alone(storage: Storage) -> None:
    key = await storage.keys.create(new_key("hash-1"))
    assert key.id.startswith("key_")
    assert await storage.keys.find("hash-1") == key == await storage.keys.get(key.id)
    assert await storage.keys.find("hash-2") is None
    assert key.scopes == {"executions:read", "workflows:read"}
    assert (key.expires_at, key.revoked_at) == (MOMENT + timedelta(days=30), None)
    assert (key.rate_limit_per_minute, key.rate_limit_per_day) == (0, 1_000)


async def test_a_keys_hash_is_in_no_repr(storage: Storage) -> None:
    assert "hash-1" not in repr(new_key("hash-1"))
    assert "hash-1" not in repr(await storage.keys.create(new_key("hash-1")))


async def test_who_checks_what_a_key_signed_finds_its_hash_by_its_id(storage: Storage) -> None:
    key = await storage.keys.create(new_key("hash-1"))
    found = await storage.keys.find_with_hash(key.id)
    assert found is not None
    assert (found.key, found.key_hash) == (key, "hash-1")
    assert "hash-1" not in repr(found)
    assert await storage.keys.find_with_hash("key_none") is None


async def test_a_hash_that_is_taken_is_refused_without_showing_it(storage: Storage) -> None:
    await storage.keys.create(new_key("hash-1"))
    with pytest.raises(Exception, match="UNIQUE") as caught:
        await storage.keys.create(new_key("hash-1"))
    assert "hash-1" not in str(caught.value)
    assert len(await storage.keys.list()) == 1


async def test_lists_the_keys_of_a_workspace_or_of_all(storage: Storage) -> None:
    one = await storage.keys.create(new_key("hash-1"))
    two = await storage.keys.create(new_key("hash-2", "another"))
    assert await storage.keys.list() == [two, one]
    assert await storage.keys.list("ws") == [one]


async def test_a_revoked_key_is_still_found_and_keeps_its_moment(storage: Storage) -> None:
    key = await storage.keys.create(new_key("hash-1"))
    revoked = await storage.keys.revoke(key.id)
    assert revoked.revoked_at is not None
    assert await storage.keys.revoke(key.id) == revoked == await storage.keys.find("hash-1")
    with pytest.raises(UnknownKey):
        await storage.keys.revoke("key_unknown")
