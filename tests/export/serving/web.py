"""The same small application for servers that speak WSGI, and for those that speak ASGI."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Any

import work
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

work.set_up("import")


def wsgi(environ: dict[str, Any], start_response: Callable[..., object]) -> Iterable[bytes]:
    """Answer one request with the id of this process."""
    number = int(environ["PATH_INFO"].strip("/"))
    headers = {"traceparent": environ["HTTP_TRACEPARENT"]}
    if environ["QUERY_STRING"] == "queue":
        from tasks import enqueue  # without Celery, but for the tests of it

        said = enqueue(number, headers)
    else:
        said = work.answer(number, headers)
    if environ["QUERY_STRING"] == "hang":
        work.hang()
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [said.encode()]


async def respond(request: Request) -> Response:
    """Answer one request with the id of this process."""
    return PlainTextResponse(work.answer(request.path_params["number"], request.headers))


@asynccontextmanager
async def lifespan(app: Starlette) -> AsyncIterator[None]:
    """Begin and end with the server."""
    work.set_up("lifespan")
    yield


asgi = Starlette(routes=[Route("/{number:int}", respond)], lifespan=lifespan)
