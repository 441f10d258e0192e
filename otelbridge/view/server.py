"""The viewer as one server: its page and API, and the receivers of OTLP."""

from __future__ import annotations

import asyncio
import signal
import socket
import threading
import webbrowser
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from functools import partial
from queue import SimpleQueue
from typing import Any, Final
from urllib.parse import quote

from otelbridge.errors import ConfigurationError
from otelbridge.store import Store, StoreError
from otelbridge.view import app, ports
from otelbridge.view.api import Api
from otelbridge.view.guard import Door, Guard, is_loopback
from otelbridge.view.live import Live
from otelbridge.view.otlp_grpc import GrpcReceiver
from otelbridge.view.otlp_http import OtlpHttp
from otelbridge.view.ports import Wanted
from otelbridge.view.web import WebServer

_THREADS: Final = 4
_STARTED_S: Final = 30.0
_PRUNE_S: Final = 60.0
_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)


@dataclass(frozen=True)
class Served:
    """Where a viewer is.

    Attributes:
        url: of the page; with the token in it where one is needed.
        otlp_http: the endpoint for OTLP over HTTP; None: that receiver was not asked for.
        otlp_grpc: likewise over gRPC.
    """

    url: str
    otlp_http: str | None
    otlp_grpc: str | None


class Server:
    """A viewer that runs in a thread of its own; ``start`` makes it.

    Attributes:
        served: where it is.
    """

    def __init__(self, served: Served, web: _Web, grpc: GrpcReceiver | None) -> None:
        self.served = served
        self._web = web
        self._grpc = grpc

    @property
    def url(self) -> str:
        """The address of the page."""
        return self.served.url

    def stop(self) -> None:
        """End it: requests that are under way are answered, streams are ended. Twice is once."""
        if self._grpc is not None:
            self._grpc.stop()
        self._web.stop()

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *raised: object) -> None:
        self.stop()


def start(
    store: Store,
    *,
    host: str = "127.0.0.1",
    port: int = 4321,
    otlp_http_port: int | None = 4318,
    otlp_grpc_port: int | None = 4317,
    choose_ports: bool = False,
    token: str | None = None,
    hosts: Collection[str] = (),
) -> Server:
    """Start a viewer in a thread of its own; it is ready when this returns.

    Args:
        store: what is shown, and what receives; it stays the caller's to close.
        host: the address to listen on.
        port: of the page and its API, which also receives OTLP over HTTP; 0 chooses a free one.
        otlp_http_port: of the receiver for OTLP over HTTP; None: there is none.
        otlp_grpc_port: of the receiver for OTLP over gRPC; None: there is none.
        choose_ports: take a free port where one is taken.
        token: what every request must show; needed where others can reach the host.
        hosts: further names that this machine is reached by, for the check of ``Host``.

    Raises:
        BusyPortError: a port is taken; the message says which, for what, and the cure.
        ConfigurationError: the host cannot be used, or needs a token.
    """
    if token is None and not is_loopback(host):
        raise ConfigurationError(
            f"The host {host!r} can be reached from other machines, so a token is needed: give "
            "one, or listen on 127.0.0.1."
        )
    if token is not None and not (token.strip() == token != "" and token.isascii()):
        raise ConfigurationError(
            "The token cannot be sent in a header: give ASCII letters and digits that nobody "
            "guesses, as of `python -c 'import secrets; print(secrets.token_urlsafe())'`."
        )
    door = Door(host, frozenset(hosts), token)
    with ExitStack() as opened:

        def listening(wanted: Wanted) -> socket.socket:
            return opened.enter_context(ports.listening(host, wanted, choose=choose_ports))

        page = listening(Wanted(port, "the viewer's page", "Stop that one, or choose another."))
        http = None
        if otlp_http_port is not None:
            http = listening(_receiving(otlp_http_port, "OTLP over HTTP"))
        grpc = None
        if otlp_grpc_port is not None:
            wanted = _receiving(otlp_grpc_port, "OTLP over gRPC")
            grpc = GrpcReceiver(store, host, wanted, door, choose=choose_ports)
            opened.callback(grpc.stop)
        served = Served(
            f"{ports.url(host, ports.port_of(page))}/"
            + (f"?token={quote(token, safe='')}" if token else ""),
            None if http is None else ports.url(host, ports.port_of(http)),
            None if grpc is None else ports.url(host, grpc.port),
        )
        web = _Web(store, door, page, http)
        if grpc is not None:
            grpc.start()
        opened.pop_all()
    return Server(served, web, grpc)


def serve(
    store: Store,
    *,
    host: str = "127.0.0.1",
    port: int = 4321,
    otlp_http_port: int | None = 4318,
    otlp_grpc_port: int | None = 4317,
    choose_ports: bool = False,
    token: str | None = None,
    hosts: Collection[str] = (),
    open_browser: bool = False,
    ready: Callable[[Served], None] | None = None,
) -> None:
    """Serve until SIGINT or SIGTERM; to be called on the main thread.

    Args:
        store: as for ``start``, and so are the others not named here.
        open_browser: show the page.
        ready: is called once it can be asked.

    Raises:
        BusyPortError, ConfigurationError: as for ``start``.
    """
    # Before anything is started, so that a signal in between ends it too. A handler may run at any
    # point, also in a lock's: of all queues only this one can be put to there.
    told: SimpleQueue[int] = SimpleQueue()
    before = {it: signal.signal(it, lambda number, _: told.put(number)) for it in _SIGNALS}
    try:
        with start(
            store,
            host=host,
            port=port,
            otlp_http_port=otlp_http_port,
            otlp_grpc_port=otlp_grpc_port,
            choose_ports=choose_ports,
            token=token,
            hosts=hosts,
        ) as server:
            if ready is not None:
                ready(server.served)
            if open_browser:
                webbrowser.open(server.url)
            told.get()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _receiving(port: int, what: str) -> Wanted:
    return Wanted(
        port,
        what,
        "Stop that one (a Collector or another viewer, as a rule), choose another port, let a "
        "free one be chosen, or do without this receiver.",
    )


class _Web:
    """The thread with the event loop of both HTTP servers."""

    def __init__(
        self, store: Store, door: Door, page: socket.socket, http: socket.socket | None
    ) -> None:
        self._store = store
        self._pool = ThreadPoolExecutor(_THREADS, "otelbridge-view")
        live = Live(store, self._in_pool)
        otlp = OtlpHttp(store, self._in_pool)
        viewer = app.viewer(Api(store, self._in_pool), live, otlp)
        self._servers = [(WebServer(Guard(viewer, door, ports.port_of(page)), live.close), page)]
        if http is not None:
            guarded = Guard(app.receiver(otlp), door, ports.port_of(http))
            self._servers.append((WebServer(guarded), http))
        self._ready = threading.Event()
        self._problem: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="otelbridge-view", daemon=True)
        self._thread.start()
        self._ready.wait(_STARTED_S)
        if self._problem is not None:
            raise self._problem

    def stop(self) -> None:
        for server, _ in self._servers:
            server.should_exit = True
        self._thread.join()

    async def _in_pool(self, function: Callable[..., Any], *arguments: Any) -> Any:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._pool, partial(function, *arguments))

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as problem:
            self._problem = problem
        finally:
            self._pool.shutdown()
            self._ready.set()

    async def _serve(self) -> None:
        serving = [asyncio.ensure_future(server.serve([bound])) for server, bound in self._servers]
        while not all(
            server.started or it.done() for (server, _), it in zip(self._servers, serving)
        ):
            await asyncio.sleep(0.005)
        self._ready.set()
        pruning = asyncio.ensure_future(self._prune())
        await asyncio.gather(*serving)
        pruning.cancel()

    async def _prune(self) -> None:
        """Keep the store within its bounds: what is only received has no other who does."""
        while True:
            await asyncio.sleep(_PRUNE_S)
            with suppress(StoreError):  # the next time, then
                await self._in_pool(self._store.prune)
