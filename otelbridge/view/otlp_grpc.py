"""OTLP over gRPC: requests as the bytes that they are, none larger than is allowed.

A browser cannot ask here: it speaks HTTP/2 only with TLS. So of the checks at the door, ``Origin``
and the token are those that apply; gRPC for Python does not tell the host that was asked for.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import grpc

from otelbridge.store import Store
from otelbridge.view import ports
from otelbridge.view.body import MOST_BYTES, RefusedError
from otelbridge.view.guard import Door
from otelbridge.view.ports import Wanted
from otelbridge.view.signals import Signal, signals

logger = logging.getLogger(__name__)

_THREADS: Final = 4
_GRACE_S: Final = 2.0
_CODES: Final = {code.value[0]: code for code in grpc.StatusCode}


class GrpcReceiver:
    """Receives while it is started.

    Args:
        store: takes the spans.
        host: to listen on.
        wanted: the port.
        door: which requests are let in.
        choose: take a free port where that one is taken.
        limit: bytes of one request, as it comes and as it is unpacked.

    Attributes:
        port: that it listens on.
    """

    def __init__(
        self,
        store: Store,
        host: str,
        wanted: Wanted,
        door: Door,
        *,
        choose: bool,
        limit: int = MOST_BYTES,
    ) -> None:
        # gRPC writes to stderr when it cannot have a port, so this is found out before.
        with ports.listening(host, wanted, choose=choose) as free:
            port = ports.port_of(free)
        self._server = grpc.server(
            ThreadPoolExecutor(_THREADS, "otelbridge-view-grpc"),
            handlers=[_Service(signals(store), door)],
            options=[("grpc.so_reuseport", 0), ("grpc.max_receive_message_length", limit)],
        )
        address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        try:
            self.port = self._server.add_insecure_port(address)
        except RuntimeError:
            self.port = 0
        if self.port == 0:
            raise ports.busy(host, wanted)

    def start(self) -> None:
        """Begin to receive."""
        self._server.start()

    def stop(self) -> None:
        """End; what is under way is answered."""
        self._server.stop(_GRACE_S).wait()


class _Service(grpc.GenericRpcHandler):  # type: ignore[misc]
    def __init__(self, taken: list[Signal], door: Door) -> None:
        self._handlers = {
            it.method: grpc.unary_unary_rpc_method_handler(_exporting(it, door)) for it in taken
        }

    def service(self, handler_call_details: Any) -> Any:
        """Return the handler of a method; None: there is none."""
        return self._handlers.get(handler_call_details.method)


def _exporting(signal: Signal, door: Door) -> Callable[[bytes, Any], bytes]:
    def export(request: bytes, context: Any) -> bytes:
        try:
            _check(dict(context.invocation_metadata()), door)
            return bytes(signal.take(request).SerializeToString())
        except RefusedError as refused:
            failure = refused
        except Exception as problem:
            logger.exception("A request for %s failed", signal.method)
            failure = RefusedError(500, 13, f"It failed: {type(problem).__name__}.")
        context.abort(_CODES[failure.code], failure.message)
        raise AssertionError("abort raises")

    return export


def _check(metadata: dict[str, str | bytes], door: Door) -> None:
    if "origin" in metadata:
        raise RefusedError(403, 7, "Requests from pages are refused.")
    kind, _, shown = str(metadata.get("authorization", "")).partition(" ")
    if not door.opens_for(shown.strip() if kind.lower() == "bearer" else None):
        raise RefusedError(401, 16, "A token is needed, in the header authorization: Bearer.")
