"""A way to a server that can be closed: connections are refused, answered with an error, or never answered."""

from __future__ import annotations

import select
import socket
import threading
from typing import Literal

Mode = Literal["open", "closed", "errors", "silent"]
ERROR = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class Gate:
    """Forwards connections to ``address`` as long as it is open; a context manager.

    Attributes:
        mode: what becomes of connections, those that are there already too.
        address: of the gate.
        behind: of the server.
    """

    def __init__(self, address: str) -> None:
        self.mode: Mode = "open"
        self.behind = address
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> Gate:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        host, _, port = self.behind.rpartition(":")
        with client, socket.create_connection((host, int(port))) as server:
            ends = {client: server, server: client}
            while True:
                ready, _, _ = select.select(list(ends), [], [], 0.05)
                if self.mode == "closed":
                    return
                if self.mode == "silent":
                    ready = []
                for end in ready:
                    data = end.recv(2**16)
                    if not data:
                        return
                    if self.mode == "errors":
                        client.sendall(ERROR)
                        return
                    ends[end].sendall(data)
