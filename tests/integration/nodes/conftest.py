"""The services that the outgoing nodes use, without the machine's proxies."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from flowmaestro.nodes import AllowedNetworks, HttpOptions, Services


@pytest.fixture
async def services() -> AsyncIterator[Services]:
    services = Services(
        http=HttpOptions(use_environment=False, allowed_networks=AllowedNetworks.parse(["*"]))
    )
    yield services
    await services.aclose()
