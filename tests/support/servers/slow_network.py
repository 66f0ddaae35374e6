"""A TCP proxy that delays what its clients send, as a network between a server and its database does."""

import asyncio
import multiprocessing
import socket
from contextlib import suppress
from typing import Any, Self
from urllib.parse import urlsplit


class SlowNetwork:
    """In a process of its own, so that it never waits for the tests or benchmarks."""

    def __init__(self, url: str, seconds: float) -> None:
        self.target, self.listener = urlsplit(url), socket.create_server(("127.0.0.1", 0))
        self.process = multiprocessing.Process(target=self._run, args=[seconds], daemon=True)

    def __enter__(self) -> Self:
        self.process.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.join()
        self.listener.close()

    @property
    def url(self) -> str:
        port = self.listener.getsockname()[1]
        return self.target._replace(netloc=f"{self.target.username}@127.0.0.1:{port}").geturl()

    def _run(self, seconds: float) -> None:
        asyncio.run(self._serve(seconds))

    async def _serve(self, seconds: float) -> None:
        async def relay(reader: Any, writer: Any) -> None:
            to_server, from_server = await asyncio.open_connection(self.target.hostname, self.target.port)
            await asyncio.gather(copy(reader, from_server, seconds), copy(to_server, writer, 0))

        server = await asyncio.start_server(relay, sock=self.listener)
        await server.serve_forever()


async def copy(reader: Any, writer: Any, seconds: float) -> None:
    with suppress(ConnectionError):
        while data := await reader.read(65_536):
            if seconds:
                await asyncio.sleep(seconds)
            writer.write(data)
    writer.close()
