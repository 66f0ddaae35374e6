"""A TCP proxy that can turn into a black hole: it accepts connections and data, and nothing comes back."""

import contextlib
import socket
import threading
from typing import Self
from urllib.parse import urlsplit


class BlackHole:
    def __init__(self, url: str) -> None:
        self.target = urlsplit(url)
        self.is_open = False
        self.listener = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.listener.close()

    @property
    def url(self) -> str:
        port = self.listener.getsockname()[1]
        return self.target._replace(netloc=f"{self.target.username}@127.0.0.1:{port}").geturl()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # when the listener is closed
            while True:
                client = self.listener.accept()[0]
                server = socket.create_connection((self.target.hostname, self.target.port))
                for source, destination in ((client, server), (server, client)):
                    threading.Thread(target=self._copy, args=(source, destination), daemon=True).start()

    def _copy(self, source: socket.socket, destination: socket.socket) -> None:
        """Close the connections that have lost data, but only after the black hole is gone."""
        lost = False
        with contextlib.suppress(OSError), source, destination:
            while (data := source.recv(65_536)) and not (lost and not self.is_open):
                lost = lost or self.is_open
                if not lost:
                    destination.sendall(data)
            if not lost:
                destination.shutdown(socket.SHUT_WR)
