"""The connections that a ``requests`` session has open, so that another thread can end them.

Relied on in requests: ``HTTPAdapter.init_poolmanager`` sets ``poolmanager``, and
``proxy_manager_for`` returns the manager of a proxy. In urllib3: a manager's
``pool_classes_by_scheme``, a pool's ``ConnectionCls``, and ``connect`` and ``sock`` of a
connection, which are those of ``http.client``. Where they are not found, connections cannot be
ended from outside, and each read has the time limit by itself.
"""

from __future__ import annotations

import socket
import weakref
from contextlib import suppress
from typing import Any

from requests import Session
from requests.adapters import HTTPAdapter


class LiveConnections:
    """Knows the connections of one session from before they are made."""

    def __init__(self, session: Session) -> None:
        self._connections: weakref.WeakSet[Any] = weakref.WeakSet()
        self._ended = False
        for prefix, adapter in list(session.adapters.items()):
            # An adapter of another class may be a credential provider's: it is left alone.
            if type(adapter) is HTTPAdapter:
                session.mount(prefix, _Adapter(self))

    def end(self) -> None:
        """Break every connection, also one that is only being made; may be called again."""
        self._ended = True
        for connection in list(self._connections):
            if (sock := getattr(connection, "sock", None)) is not None:
                with suppress(OSError):  # it is closed already
                    sock.shutdown(socket.SHUT_RDWR)

    def add(self, connection: Any) -> None:
        """Remember a connection that is about to be made."""
        self._connections.add(connection)

    def check(self) -> None:
        """Refuse a connection that was made too late.

        Raises:
            ConnectionAbortedError: ``end`` has been called.
        """
        if self._ended:
            raise ConnectionAbortedError("given up")


class _Adapter(HTTPAdapter):
    def __init__(self, live: LiveConnections) -> None:
        self._live = live
        super().__init__()

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        _watch(self.poolmanager, self._live)

    def proxy_manager_for(self, *args: Any, **kwargs: Any) -> Any:
        manager = super().proxy_manager_for(*args, **kwargs)
        _watch(manager, self._live)
        return manager


def _watch(manager: Any, live: LiveConnections) -> None:
    classes = getattr(manager, "pool_classes_by_scheme", None)
    if classes and "_watched" not in vars(manager):
        manager._watched = True
        manager.pool_classes_by_scheme = {
            scheme: _watched_pool(pool, live) for scheme, pool in classes.items()
        }


def _watched_pool(pool: Any, live: LiveConnections) -> Any:
    class Connection(pool.ConnectionCls):  # type: ignore[misc]
        def connect(self) -> None:
            live.add(self)
            super().connect()
            live.check()

    return type(pool.__name__, (pool,), {"ConnectionCls": Connection})
