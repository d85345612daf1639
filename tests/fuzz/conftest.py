from __future__ import annotations

import pytest

from tests.fuzz.effort import Effort


@pytest.fixture(scope="session")
def effort() -> Effort:
    return Effort.from_environment()
