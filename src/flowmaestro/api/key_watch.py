"""Keys of open streams: looked up once in a while instead of once for each stream, and watched."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import TypeVar

from flowmaestro.storage import ApiKey, HashedKey, Keys, StorageClosed, StorageUnavailable
from flowmaestro.streaming import Hub

Found = TypeVar("Found", ApiKey, HashedKey)

logger = logging.getLogger("flowmaestro.api")

MAX_REMEMBERED_KEYS = 10_000


class KeyWatch:
    """Remembers keys until its next look, which ends the streams of those that may no longer read.

    A key can be revoked in the database by another process, so that somebody has to look. Whoever
    asks for a key between two looks may be given it as it was at the last one; what it then opens
    is seen by the next.

    Args:
        keys: where they are looked up.
        hub: whose streams are watched; their owners are keys' ids.
        seconds: from one look to the next.
        clock: the wall clock, aware.
    """

    def __init__(
        self, keys: Keys, hub: Hub, *, seconds: float, clock: Callable[[], datetime]
    ) -> None:
        self._keys = keys
        self._hub = hub
        self._seconds = seconds
        self._clock = clock
        self._remembered: dict[str, ApiKey] = {}
        self._remembered_with_hash: dict[str, HashedKey] = {}
        self._watching = False

    async def find(self, key_hash: str) -> ApiKey | None:
        """Return the key of this hash, as it is or was moments ago; ``None`` if there is none.

        Raises:
            StorageUnavailable: it could not be looked up.
        """
        return await self._find(self._remembered, key_hash, self._keys.find)

    async def find_with_hash(self, key_id: str) -> HashedKey | None:
        """Return the key of this id with its hash, as :meth:`find` does.

        Raises:
            StorageUnavailable: it could not be looked up.
        """
        return await self._find(self._remembered_with_hash, key_id, self._keys.find_with_hash)

    async def watch(self) -> None:
        """Look until cancelled. Only while this runs are keys remembered."""
        self._watching = True
        try:
            while True:
                await asyncio.sleep(self._seconds)
                try:
                    await self.look()
                except StorageClosed:
                    return
                except StorageUnavailable as error:
                    logger.warning("the keys of open streams wait to be checked: %s", error)
                except Exception:
                    # Whatever it was, the next look is needed all the more.
                    logger.exception("the keys of open streams could not be checked")
        finally:
            self._watching = False
            self._forget()

    async def look(self) -> None:
        """Forget what is remembered, and end the streams of keys that were revoked, have expired or
        are gone.

        Raises:
            StorageUnavailable: the keys could not be looked up.
        """
        self._forget()
        owners = self._hub.admission.owners
        if not owners:
            return
        now = self._clock()
        usable = {key.id for key in await self._keys.get_all(owners) if key.usable_at(now)}
        ended = frozenset(owners) - usable
        if ended:
            self._hub.end_streams_of(ended)
            logger.info("ended the streams of keys that are no longer valid: %d", len(ended))

    async def _find(
        self,
        remembered: dict[str, Found],
        name: str,
        look_up: Callable[[str], Awaitable[Found | None]],
    ) -> Found | None:
        found = remembered.get(name)
        if found is not None:
            return found
        found = await look_up(name)
        if found is not None and self._watching and len(remembered) < MAX_REMEMBERED_KEYS:
            remembered[name] = found
        return found

    def _forget(self) -> None:
        self._remembered.clear()
        self._remembered_with_hash.clear()
