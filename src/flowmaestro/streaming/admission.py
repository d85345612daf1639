"""How many streams may be open: for each owner, and in all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection

from flowmaestro.streaming.errors import TooManyStreams


class Admission:
    """Counts open streams. An owner is whoever the limit is for: an API key's id, say.

    Args:
        max_streams: The most that may be open in all; ``None``: any number.
        max_streams_per_owner: The most that one owner may have open; ``None``: any number.
    """

    def __init__(self, max_streams: int | None, max_streams_per_owner: int | None) -> None:
        self._max_streams = max_streams
        self._max_streams_per_owner = max_streams_per_owner
        self.open = 0
        """How many streams there are now."""
        self._streams_of: Counter[str] = Counter()
        self.refused = 0
        """How often there were too many."""

    @property
    def owners(self) -> Collection[str]:
        """Those who have streams open now."""
        return tuple(self._streams_of)

    def enter(self, owner: str) -> None:
        """Count one more stream of *owner*, until :meth:`leave`.

        Raises:
            TooManyStreams: there are as many as there may be; nothing was counted.
        """
        each, total = self._max_streams_per_owner, self._max_streams
        if each is not None and self._streams_of[owner] >= each:
            self.refused += 1
            raise TooManyStreams(each, of_owner=True)
        if total is not None and self.open >= total:
            self.refused += 1
            raise TooManyStreams(total, of_owner=False)
        self.open += 1
        self._streams_of[owner] += 1

    def leave(self, owner: str) -> None:
        """Count one stream of *owner* less."""
        self.open -= 1
        self._streams_of[owner] -= 1
        if not self._streams_of[owner]:
            del self._streams_of[owner]
