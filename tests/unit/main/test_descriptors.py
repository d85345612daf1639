from __future__ import annotations

import subprocess
import sys

import pytest

from flowmaestro.main.descriptors import RESERVED, room_for_streams

RAISE = """
import resource
from flowmaestro.main.descriptors import raise_descriptor_limit
_, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 512))
print(raise_descriptor_limit(), resource.getrlimit(resource.RLIMIT_NOFILE))
"""


def test_the_limit_is_raised_as_far_as_it_may_be() -> None:
    output = subprocess.run(
        [sys.executable, "-c", RAISE], check=True, stdout=subprocess.PIPE, text=True
    ).stdout
    assert output == "512 (512, 512)\n"


@pytest.mark.parametrize(
    ("descriptors", "streams"), [(1024, 1024 - RESERVED), (256, 128), (None, None)]
)
def test_some_descriptors_are_kept_for_other_things(
    descriptors: int | None, streams: int | None
) -> None:
    assert room_for_streams(descriptors) == streams
