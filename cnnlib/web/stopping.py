"""Stops a server so that every connection which a client could open gets its answer."""

import asyncio
import selectors
import signal
from collections.abc import Callable, Iterable
from contextlib import suppress
from socket import socket
from types import FrameType
from typing import Any

import uvicorn

from cnnlib.web.sockets import refuse_new_connections

IDLE_S = 1.0  # in which a client that has connected may still begin a request
TICK_S = 0.02  # from one look at the sockets to the next
TICKS_LIMIT = 250  # of waiting for an empty queue: where new connections can't be held off, it may never be empty
CALM_TICKS = 2  # without anything to accept or read, before the next step


class GracefulServer(uvicorn.Server):
    """A server that first accepts what waits, then answers what it accepted, and only then ends.

    `supervised`: one of several processes that share the ports. The supervisor holds off new connections and ends it.
    """

    def __init__(self, config: uvicorn.Config, *, supervised: bool = False) -> None:
        super().__init__(config)
        self._supervised = supervised

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if self._supervised and sig == signal.SIGINT and not self.should_exit:
            return  # Ctrl-C reaches the supervisor too, which ends its processes in order
        super().handle_exit(sig, frame)

    async def shutdown(self, sockets: list[socket] | None = None) -> None:
        listeners = sockets or []
        self.server_state.stopping = True  # type: ignore[attr-defined]  # LimitedProtocol closes after each answer
        if not self._supervised:
            refuse_new_connections(listeners)
        await self._settle(lambda: _readable(listeners))
        for server in self.servers:
            server.close()
        for listener in listeners:
            listener.close()
        await self._answer_accepted()
        await super().shutdown(sockets)

    async def _answer_accepted(self) -> None:
        """Let the clients of idle connections send what they are about to send."""
        connections: set[Any] = self.server_state.connections
        for connection in list(connections):
            connection.close_after_answer()
        end = asyncio.get_running_loop().time() + IDLE_S
        while connections and asyncio.get_running_loop().time() < end and not self.force_exit:
            await asyncio.sleep(TICK_S)
        await self._settle(lambda: _readable([c.transport.get_extra_info("socket") for c in connections if c.is_idle]))

    async def _settle(self, is_busy: Callable[[], bool]) -> None:
        """Let the event loop work until nothing is busy. Ticks are counted, because one may take long under load."""
        calm = 0
        for _ in range(TICKS_LIMIT):
            if calm == CALM_TICKS or self.force_exit:
                return
            await asyncio.sleep(TICK_S)
            calm = 0 if is_busy() else calm + 1


def _readable(sockets: Iterable[Any]) -> bool:
    """Whether one of these sockets has a connection to accept or bytes to read."""
    with suppress(OSError, ValueError), selectors.DefaultSelector() as selector:  # ValueError: one has just been closed
        for each in sockets:
            selector.register(each, selectors.EVENT_READ)
        return bool(selector.select(0))
    return False
