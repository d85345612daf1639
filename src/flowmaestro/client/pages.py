"""Pages of a listing. Iterating over one goes on through the pages after it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

from flowmaestro.client.models import Pagination


class Identified(Protocol):
    """Something with an id."""

    @property
    def id(self) -> str: ...


Item = TypeVar("Item", bound=Identified)


@dataclass(frozen=True, slots=True)
class Page(Generic[Item]):
    """One page of a listing, newest first.

    ``items`` are this page's own; iterating over the page yields them and then those of all later
    pages, which are fetched when they are reached. An item that moves to a later page meanwhile,
    because something newer came, is not yielded twice. Fetching raises what ``list`` raises.
    """

    items: tuple[Item, ...]
    pagination: Pagination
    _fetch: Callable[[int], Page[Item]] = field(repr=False, compare=False)

    def __iter__(self) -> Iterator[Item]:
        seen: set[str] = set()
        page = self
        while True:
            yield from _unseen(page.items, seen)
            if not page.pagination.has_next:
                return
            page = self._fetch(page.pagination.page + 1)


@dataclass(frozen=True, slots=True)
class AsyncPage(Generic[Item]):
    """The :class:`Page` of the asynchronous client: iterate over it with ``async for``."""

    items: tuple[Item, ...]
    pagination: Pagination
    _fetch: Callable[[int], Awaitable[AsyncPage[Item]]] = field(repr=False, compare=False)

    async def __aiter__(self) -> AsyncIterator[Item]:
        seen: set[str] = set()
        page = self
        while True:
            for item in _unseen(page.items, seen):
                yield item
            if not page.pagination.has_next:
                return
            page = await self._fetch(page.pagination.page + 1)


def _unseen(items: tuple[Item, ...], seen: set[str]) -> Iterator[Item]:
    for item in items:
        if item.id not in seen:
            seen.add(item.id)
            yield item
