"""uvicorn, kept to itself: it sets no logger and no signal, and ends when it is told to."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable
from typing import Any, Final

import h11
import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

_GRACE_S: Final = 2
_HEAD_S: Final = 10.0
_SILENT: Final = logging.Logger("otelbridge.view.uvicorn", logging.CRITICAL + 1)


class _Protocol(H11Protocol):
    """Nothing is logged of a request: its address may hold the token."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.access_log = False
        self.logger = _SILENT
        self._late: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for a request."""
        super().connection_made(transport)
        self._wait_for_head()

    def data_received(self, data: bytes) -> None:
        """Read; who never ends the head of a request is not waited for."""
        super().data_received(data)
        self._wait_for_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        super().connection_lost(exc)
        self._has_come()

    def _wait_for_head(self) -> None:
        if self.conn.their_state is not h11.IDLE:
            self._has_come()
        elif self._late is None:
            self._late = self.loop.call_later(_HEAD_S, self.transport.abort)

    def _has_come(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None


class WebServer(uvicorn.Server):
    """One application on one socket, until ``should_exit`` is set.

    Its loop is that of another thread than the main one, so uvicorn leaves signals alone.

    Args:
        app: the application.
        ending: is called when it begins to end, to end what is still being sent.
    """

    def __init__(self, app: ASGIApp, ending: Callable[[], None] = lambda: None) -> None:
        # What logs or logging is set up for is the program's that this runs in, not ours.
        super().__init__(
            uvicorn.Config(
                app,
                http=_Protocol,
                ws="none",
                lifespan="off",
                log_config=None,
                server_header=False,
                proxy_headers=False,
                timeout_graceful_shutdown=_GRACE_S + 1,
            )
        )
        self._ending = ending

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End: nobody waits for a stream that would go on for ever."""
        self._ending()
        await asyncio.sleep(0)
        cutting = asyncio.ensure_future(self._cut())
        await super().shutdown(sockets)
        cutting.cancel()

    async def _cut(self) -> None:
        """Cut off who still sends or does not read, before uvicorn writes a line about them."""
        await asyncio.sleep(_GRACE_S)
        for connection in list(self.server_state.connections):
            connection.transport.abort()
