"""Nchan, a pub/sub module of nginx in C: one worker, no logs, messages kept in its memory.

This process starts nginx on the core that it was put on, and moves to another one to publish: what
is measured is the worker. Each event is a POST over one connection that is kept alive, the next one
when the last was answered. Nchan writes the frames, with ids of its own (a time and a counter).
"""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.fanout.frames import EVENT_NAME, data
from benchmarks.fanout.peers.control import Answer, Order, obey, say

MODULE = "ngx_nchan_module.so"

CONFIG = """
load_module {module};
user root;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log crit;
events {{ worker_connections 20000; multi_accept on; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    keepalive_requests 100000000;
    keepalive_timeout 3600s;
    tcp_nodelay on;
    nchan_shared_memory_size 256M;
    server {{
        listen 127.0.0.1:{port} backlog=2048;
        location = /publish {{
            nchan_publisher http;
            nchan_channel_id $arg_topic;
            nchan_message_buffer_length 100;
            nchan_message_timeout 1m;
        }}
        location ~ ^/([0-9]+)$ {{
            nchan_subscriber eventsource;
            nchan_channel_id $1;
            nchan_subscriber_first_message newest;
        }}
    }}
}}
"""


def find_module(nginx: str) -> Path | None:
    """Return Nchan's file, if nginx has it."""
    described = subprocess.run([nginx, "-V"], capture_output=True, text=True, check=True).stderr
    folders = [
        word.partition("=")[2]
        for word in described.split()
        if word.startswith(("--modules-path=", "--prefix="))
    ]
    candidates = [Path(folder, part, MODULE) for folder in folders for part in (".", "modules")]
    return next(filter(Path.is_file, candidates), None)


class Nchan:
    """The publisher."""

    def __init__(self, port: int) -> None:
        self._connection = socket.create_connection(("127.0.0.1", port))
        self._connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    async def topics(self, count: int) -> Answer:
        return {"targets": [f"/{topic}" for topic in range(count)]}

    async def publish(self, topic: int, number: int, sent_ns: int, order: Order) -> None:
        body = data(number, sent_ns, order.padding_bytes).encode()
        self._connection.sendall(
            f"POST /publish?topic={topic} HTTP/1.1\r\nHost: bench\r\nAccept: text/json\r\n"
            f"X-EventSource-Event: {EVENT_NAME}\r\nContent-Length: {len(body)}\r\n\r\n".encode()
            + body
        )
        answer = b""
        while not _is_whole(answer):
            part = self._connection.recv(65536)
            assert part, "nginx closed the publisher's connection"
            answer += part
        assert answer.startswith(b"HTTP/1.1 20"), answer


def _is_whole(answer: bytes) -> bool:
    head, separator, body = answer.partition(b"\r\n\r\n")
    if not separator:
        return False
    length = head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
    return len(body) >= int(length or 0)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def child_of(pid: int) -> int:
    """Return the process id of the one child, once there is one."""
    children = Path(f"/proc/{pid}/task/{pid}/children")
    while not (found := children.read_text().split()):
        time.sleep(0.01)
    return int(found[0])


def main() -> None:
    folder, publisher_core = Path(sys.argv[1]), int(sys.argv[2])
    nginx = shutil.which("nginx") or "/usr/sbin/nginx"
    port = free_port()
    config = folder / "nginx.conf"
    config.write_text(CONFIG.format(module=find_module(nginx), folder=folder, port=port))
    server = subprocess.Popen(
        [nginx, "-p", str(folder), "-c", str(config), "-g", "daemon off;"], stdin=subprocess.DEVNULL
    )
    try:
        os.sched_setaffinity(0, {publisher_core})
        worker = child_of(server.pid)
        while True:
            try:
                publisher = Nchan(port)
            except ConnectionRefusedError:
                time.sleep(0.01)
            else:
                break
        say({"port": port, "pids": [worker]})
        asyncio.run(obey(publisher))
    finally:
        server.terminate()
        server.wait()


if __name__ == "__main__":
    main()
