"""The applications: the viewer with everything, and the port that only receives OTLP."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from otelbridge.store import StoreError
from otelbridge.view import page_files
from otelbridge.view.answers import error
from otelbridge.view.api import Api
from otelbridge.view.live import Live
from otelbridge.view.otlp_http import OtlpHttp
from otelbridge.view.queries import BadQueryError, NotFoundError

logger = logging.getLogger(__name__)


def viewer(api: Api, live: Live, otlp: OtlpHttp) -> Starlette:
    """Return the page, its API, and a receiver on the same port."""
    return _application(
        [*page_files.routes(), *api.routes(), Route("/api/live", live.stream), *otlp.routes()]
    )


def receiver(otlp: OtlpHttp) -> Starlette:
    """Return the receiver alone."""
    return _application(otlp.routes())


def _application(routes: Sequence[Route]) -> Starlette:
    handlers: dict[Any, Any] = {
        BadQueryError: _bad_query,
        NotFoundError: _not_found,
        StoreError: _store_error,
        HTTPException: _http_error,
        Exception: _unforeseen,
    }
    return Starlette(routes=routes, exception_handlers=handlers)


async def _bad_query(request: Request, problem: Exception) -> Response:
    return error(400, str(problem))


async def _not_found(request: Request, problem: Exception) -> Response:
    return error(404, str(problem))


async def _store_error(request: Request, problem: Exception) -> Response:
    return error(503, str(problem), {"Retry-After": "1"})


async def _http_error(request: Request, problem: HTTPException) -> Response:
    """Answer for an address or a method that is not there."""
    said = {
        404: f"There is nothing at {request.url.path[:200]!r}.",
        405: f"{request.method} is not for {request.url.path[:200]!r}.",
    }
    return error(
        problem.status_code, said.get(problem.status_code, problem.detail), problem.headers
    )


async def _unforeseen(request: Request, problem: Exception) -> Response:
    logger.error("The viewer failed at %r", request.url.path[:200], exc_info=problem)
    return error(500, f"The viewer failed ({type(problem).__name__}); its log says more.")
