from __future__ import annotations

import socket
import sys

from flowmaestro.main.server import listen


def test_a_connection_whose_client_vanished_is_given_up_as_soon_as_a_stalled_reader() -> None:
    assert sys.platform == "linux"
    with (
        listen("127.0.0.1", 0, vanished_seconds=60.0) as listener,
        socket.create_connection(listener.getsockname()),
    ):
        listener.setblocking(True)
        connection, _ = listener.accept()
        with connection:
            timeout_ms = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT)
    assert timeout_ms == 60_000
