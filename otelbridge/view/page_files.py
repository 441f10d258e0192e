"""The page: the files of ``page/``, and the addresses that open it."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from otelbridge.view.answers import error

FOLDER: Final = Path(__file__).parent / "page"
TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".ico": "image/x-icon",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".woff2": "font/woff2",
}


def routes() -> list[Route]:
    """Return where the page and its files are."""
    opens = ("/", "/trace/{rest:path}", "/compare/{rest:path}")
    return [
        *(Route(path, _index) for path in opens),
        Route("/static/{name:path}", _file),
        Route("/favicon.ico", _icon),
    ]


async def _index(request: Request) -> Response:
    return _served(request, "index.html")


async def _icon(request: Request) -> Response:
    return _served(request, "icon.svg")


async def _file(request: Request) -> Response:
    return _served(request, request.path_params["name"])


def _served(request: Request, name: str) -> Response:
    """Answer with one file; the browser asks each time whether it has changed."""
    path = _found(name)
    if path is None:
        return error(404, f"The page has no file {name[:200]!r}.")
    status = path.stat()
    body, tag = _read(path, status.st_mtime_ns, status.st_size)
    headers = {"ETag": tag, "Cache-Control": "no-cache"}
    known = request.headers.get("if-none-match", "").split(",")
    if {it.strip().removeprefix("W/") for it in known} & {tag, "*"}:
        return Response(None, 304, headers)
    return Response(body, 200, headers, TYPES[path.suffix])


def _found(name: str) -> Path | None:
    """Find a file of a kind that is served, in the folder and nowhere else."""
    if "\0" in name or Path(name).suffix not in TYPES:
        return None
    try:
        path = (FOLDER / name).resolve()
        is_ours = path.is_relative_to(FOLDER.resolve()) and path.is_file()
    except OSError:  # no name of a file
        return None
    return path if is_ours else None


@lru_cache(256)
def _read(path: Path, changed_ns: int, size: int) -> tuple[bytes, str]:
    body = path.read_bytes()
    return body, f'"{hashlib.sha256(body).hexdigest()[:32]}"'
