"""Connections to addresses that were checked, and to nothing else."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence

import anyio
import httpcore2

from flowmaestro.nodes.outbound.addresses import IPAddress
from flowmaestro.nodes.outbound.guard import Guard
from flowmaestro.nodes.outbound.scope import unscoped

ATTEMPT_DELAY_SECONDS = 0.25
"""How long an address may take before the next one is tried as well (RFC 8305, section 8)."""


class GuardedBackend(httpcore2.AsyncNetworkBackend):
    """Opens the connections of a pool.

    The name is looked up here, once, and what is connected to is the address that was checked: a
    name server that answers otherwise the second time is not asked a second time. TLS still
    verifies the name, which the pool knows. Unix sockets it has none.
    """

    def __init__(self, guard: Guard) -> None:
        self._guard = guard
        self._network = httpcore2.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        """Connect to the first address of *host*, a ``scoped`` one, that answers, and may.

        :raises AddressForbidden: none may.
        :raises httpcore2.ConnectError: the host is not found, or none of its addresses answers.
        """
        options = None if socket_options is None else list(socket_options)

        async def connect(address: IPAddress) -> httpcore2.AsyncNetworkStream:
            return await self._network.connect_tcp(
                str(address), port, local_address=local_address, socket_options=options
            )

        try:
            with anyio.fail_after(timeout):
                addresses = await self._guard.addresses(unscoped(host), port)
                return await _first_to_answer(addresses, connect)
        except TimeoutError as error:
            raise httpcore2.ConnectTimeout(str(error)) from error
        except OSError as error:
            raise httpcore2.ConnectError(str(error)) from error

    async def sleep(self, seconds: float) -> None:
        """Wait between attempts of the pool."""
        await anyio.sleep(seconds)


async def _first_to_answer(
    addresses: Sequence[IPAddress],
    connect: Callable[[IPAddress], Awaitable[httpcore2.AsyncNetworkStream]],
) -> httpcore2.AsyncNetworkStream:
    """Connect to the first of *addresses* that answers: each is tried when the one before it has
    failed, or has not answered for a while."""
    connected: list[httpcore2.AsyncNetworkStream] = []
    errors: list[Exception] = []

    async def attempt(address: IPAddress, failed: anyio.Event) -> None:
        try:
            connected.append(await connect(address))
        except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
            errors.append(error)
            failed.set()
        else:
            group.cancel_scope.cancel()

    try:
        async with anyio.create_task_group() as group:
            for address in addresses:
                failed = anyio.Event()
                group.start_soon(attempt, address, failed)
                with anyio.move_on_after(ATTEMPT_DELAY_SECONDS):
                    await failed.wait()
    except BaseException:
        await _close(connected)
        raise
    if not connected:
        raise errors[0]
    await _close(connected[1:])
    return connected[0]


async def _close(streams: Sequence[httpcore2.AsyncNetworkStream]) -> None:
    with anyio.CancelScope(shield=True):
        for stream in streams:
            await stream.aclose()
