from __future__ import annotations

import subprocess
import sys

import pytest

from flowmaestro.main.descriptors import RESERVED, room_for_connections, room_for_streams

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


@pytest.mark.parametrize("descriptors", [64, 120, 1_024, 1_048_576])
def test_connections_have_more_room_than_streams_and_leave_some(descriptors: int) -> None:
    streams, connections = room_for_streams(descriptors), room_for_connections(descriptors)
    assert streams is not None
    assert connections is not None
    assert streams < connections < descriptors


def test_without_a_limit_there_is_room_for_any_number_of_connections() -> None:
    assert room_for_connections(None) is None
