"""OTLP over HTTP, in protobuf and in JSON.

The source is https://opentelemetry.io/docs/specs/otlp/#otlphttp: a failure is answered with a
``google.rpc.Status`` in the encoding of the request.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from typing import Any, Final

from google.protobuf import json_format
from google.rpc.status_pb2 import Status
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from otelbridge.store import Store
from otelbridge.view.body import Bodies, RefusedError, read_out
from otelbridge.view.live import InPool
from otelbridge.view.signals import Signal, signals

logger = logging.getLogger(__name__)

PROTOBUF: Final = "application/x-protobuf"
JSON: Final = "application/json"


class OtlpHttp:
    """The receivers of one store.

    Args:
        store: takes the spans.
        in_pool: where it does so.
        bodies: read requests.
    """

    def __init__(self, store: Store, in_pool: InPool, bodies: Bodies | None = None) -> None:
        self._signals = signals(store)
        self._in_pool = in_pool
        self._bodies = bodies or Bodies()

    def routes(self) -> list[Route]:
        """Return the addresses."""
        return [
            Route(signal.path, self._receiving(signal), methods=["POST"])
            for signal in self._signals
        ]

    def _receiving(self, signal: Signal) -> Callable[[Request], Any]:
        async def receiving(request: Request) -> Response:
            kind, chunks = JSON, request.stream()
            try:
                kind = _kind(request)
                encoding = request.headers.get("content-encoding", "")
                async with self._bodies.read(chunks, encoding) as body:
                    answer: Response = await self._in_pool(_taken, signal, kind, body)
            except RefusedError as refused:
                await read_out(chunks)
                return _failed(kind, refused)
            except ClientDisconnect:
                return Response(None, 400)  # which nobody reads
            except Exception as problem:
                logger.exception("A request for %s failed", signal.path)
                return _failed(kind, RefusedError(500, 13, f"It failed: {type(problem).__name__}."))
            return answer

        return receiving


def _kind(request: Request) -> str:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in (PROTOBUF, JSON):
        raise RefusedError(
            415, 3, f"Content-Type {kind[:80]!r} is not known: send {PROTOBUF} or {JSON}."
        )
    return kind


def _taken(signal: Signal, kind: str, body: bytes) -> Response:
    """Take one request; called in the pool."""
    if kind == PROTOBUF:
        return Response(signal.take(body).SerializeToString(), media_type=PROTOBUF)
    answer = signal.take(_from_json(signal, body))
    return _json(200, json_format.MessageToDict(answer))


def _from_json(signal: Signal, body: bytes) -> bytes:
    try:
        return signal.from_json(json.loads(body))
    except (ValueError, RecursionError) as problem:
        said = "it is nested too deep" if isinstance(problem, RecursionError) else problem
        raise RefusedError(400, 3, f"This is no OTLP in JSON: {said}") from None


def _failed(kind: str, refused: RefusedError) -> Response:
    status = Status(code=refused.code, message=refused.message)
    if kind == PROTOBUF:
        body = status.SerializeToString()
        return Response(body, refused.status, refused.headers, PROTOBUF)
    return _json(refused.status, json_format.MessageToDict(status), refused.headers)


def _json(status: int, data: Any, headers: dict[str, str] | None = None) -> Response:
    body = json.dumps(data, separators=(",", ":")).encode()
    return Response(body, status, headers, JSON)
