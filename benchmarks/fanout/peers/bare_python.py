"""The limit for Python: a loop of ``socket.send`` over the sockets of an event's readers.

No event loop, no parsing, nothing kept; the twin of ``native/bare.c``.
"""

from __future__ import annotations

import os
import select
import socket
import time

from benchmarks.fanout.frames import frame
from benchmarks.fanout.peers.control import Order, is_over, say, schedule

RESPONSE = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-cache\r\n"
    b"Connection: close\r\n\r\n"
)


class Loop:
    """The sockets and who reads what."""

    def __init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=2048)
        self.listener.setblocking(False)
        self.poll = select.epoll()
        self.poll.register(self.listener, select.EPOLLIN)
        self.poll.register(0, select.EPOLLIN)
        self.connections: dict[int, socket.socket] = {}
        self.readers: list[list[socket.socket]] = []
        self.numbers: list[int] = []

    def run(self) -> None:
        say({"port": self.listener.getsockname()[1], "pids": [os.getpid()]})
        control = open(0, "rb", buffering=0)  # noqa: SIM115 - as long as the process
        while True:
            for descriptor, _ in self.poll.poll():
                if descriptor == 0:
                    line = control.readline().decode()
                    if not line:
                        return
                    self.obey(line)
                elif descriptor == self.listener.fileno():
                    self.accept()
                else:
                    self.read(descriptor)

    def accept(self) -> None:
        try:
            while True:
                connection, _ = self.listener.accept()
                connection.setblocking(False)
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self.connections[connection.fileno()] = connection
                self.poll.register(connection, select.EPOLLIN)
        except BlockingIOError:
            return

    def read(self, descriptor: int) -> None:
        connection = self.connections[descriptor]
        request = connection.recv(4096)
        if not request:
            self.poll.unregister(descriptor)
            return
        self.readers[int(request[5 : request.index(b" ", 5)])].append(connection)
        connection.send(RESPONSE)

    def obey(self, line: str) -> None:
        command, *words = line.split()
        if command == "topics":
            self.readers = [[] for _ in range(int(words[0]))]
            self.numbers = [0] * len(self.readers)
            say({"targets": [f"/{topic}" for topic in range(len(self.readers))]})
        else:
            say({"emitted": self.emit(Order.parse(words))})

    def emit(self, order: Order) -> int:
        begun = time.monotonic()
        emitted = 0
        while not is_over(order, begun, emitted):
            early = schedule(order, begun, emitted)
            if early > 0:
                time.sleep(early)
            topic = emitted % len(self.readers)
            self.numbers[topic] += 1
            encoded = frame(self.numbers[topic], time.monotonic_ns(), order.padding_bytes)
            for reader in self.readers[topic]:
                try:
                    sent = reader.send(encoded)
                except BlockingIOError:
                    sent = 0
                if sent != len(encoded):
                    send_rest(reader, encoded[sent:])
            emitted += 1
        return emitted


def send_rest(reader: socket.socket, rest: bytes) -> None:
    while rest:
        select.select([], [reader], [])
        rest = rest[reader.send(rest) :]


if __name__ == "__main__":
    Loop().run()
