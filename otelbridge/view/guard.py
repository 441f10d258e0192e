"""Who may ask: checks on every request, and the headers of every answer.

A page of a stranger can make the browser of this machine ask us, under a name that it has pointed
here (DNS rebinding) or across origins. So ``Host`` must be ours, ``Origin`` must be ours where it
is sent, and a browser that says the request comes from another site is refused unless it opens a
page. Beyond loopback a token is needed too: once in the address, from then on in a cookie; or as
``Authorization: Bearer``.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import socket
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl, urlencode, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import cookie_parser
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from otelbridge.view.answers import error

_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
SECURITY: Final = {
    "Content-Security-Policy": _POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
_APPLICATION_PATHS: Final = ("/api/", "/v1/")


@dataclass(frozen=True)
class Door:
    """Which requests are let in.

    Attributes:
        bound: the address that is listened on.
        hosts: more names that this machine is reached by.
        token: what a request must show; None: nothing.
    """

    bound: str
    hosts: Collection[str] = ()
    token: str | None = None

    def knows(self, host: str) -> bool:
        """Whether a ``Host`` header names this machine; its port may be that of a tunnel."""
        name = _name(host)
        if name is None:
            return False
        if name == "localhost" or name in {it.lower() for it in self.hosts}:
            return True
        address = _address(name)
        if is_loopback(self.bound):
            return address is not None and address.is_loopback
        # An address cannot be pointed elsewhere, as a name can.
        return address is not None or name in {self.bound.lower(), *_own_names()}

    def opens_for(self, shown: str | None) -> bool:
        """Whether a token is the right one; it takes the same time for each wrong one."""
        return self.token is None or _same(shown or "", self.token)

    @property
    def cookie(self) -> str:
        """What a browser keeps in the token's place."""
        return hmac.digest((self.token or "").encode(), b"otelbridge cookie", "sha256").hex()

    def has_cookie(self, shown: str | None) -> bool:
        """Whether a cookie is the right one."""
        return _same(shown or "", self.cookie)


def is_loopback(host: str) -> bool:
    """Whether an address to listen on can be reached from this machine alone."""
    address = _address(host)
    return host == "localhost" or (address is not None and address.is_loopback)


class Guard:
    """The ASGI application behind its door.

    Args:
        app: what is asked when all is well.
        door: which requests are let in.
        port: that is listened on; cookies know hosts alone.
    """

    def __init__(self, app: ASGIApp, door: Door, port: int) -> None:
        self._app = app
        self._door = door
        self._cookie_name = f"otelbridge_{port}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        refusal = self._refusal(scope)
        await (refusal or self._app)(scope, receive, _secured(send))

    def _refusal(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if len(headers.getlist("host")) != 1 or not self._door.knows(host):
            return error(
                421,
                f"The Host {host[:200]!r} is not one of this server's names. Use "
                "http://localhost, or name it when the server is started.",
            )
        origin = headers.get("origin")
        if origin is not None and not _same_origin(origin, host):
            return error(
                403,
                f"Requests from pages of {origin[:200]!r} are refused: only this server's own page "
                "may ask it from a browser. Send traces from the server side, or by a Collector.",
            )
        if headers.get("sec-fetch-site") in ("cross-site", "same-site") and not _opens(scope):
            return error(403, "Requests that another site's page makes are refused.")
        return None if self._door.token is None else self._unknown(scope, headers)

    def _unknown(self, scope: Scope, headers: Headers) -> Response | None:
        """Refuse who shows no token; take the token out of the address where it is there."""
        kind, _, shown = headers.get("authorization", "").partition(" ")
        if kind.lower() == "bearer" and self._door.opens_for(shown.strip()):
            return None
        cookies = (cookie_parser(it) for it in headers.getlist("cookie"))
        if any(self._door.has_cookie(it.get(self._cookie_name)) for it in cookies):
            return None
        query = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        given = [value for key, value in query if key == "token"]
        if scope["method"] == "GET" and given and self._door.opens_for(given[0]):
            return self._remembered(scope["path"], query)
        return error(
            401,
            "A token is needed: open the address that the server printed, which holds it, or send "
            "it as Authorization: Bearer.",
            {"WWW-Authenticate": "Bearer"},
        )

    def _remembered(self, path: str, query: Iterable[tuple[str, str]]) -> Response:
        rest = urlencode([(key, value) for key, value in query if key != "token"])
        # A path of two slashes would be another host.
        where = f"/{path.lstrip('/')}{'?' if rest else ''}{rest}"
        answer = RedirectResponse(where, 303, {"Cache-Control": "no-store"})
        answer.set_cookie(self._cookie_name, self._door.cookie, httponly=True, samesite="strict")
        return answer


def _secured(send: Send) -> Send:
    async def sent(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, said in SECURITY.items():
                headers[name] = said
            headers.setdefault("Cache-Control", "no-store")
        await send(message)

    return sent


def _opens(scope: Scope) -> bool:
    """Whether a browser opens a page, as a link on another site may ask of it."""
    headers = Headers(scope=scope)
    return (
        headers.get("sec-fetch-mode") == "navigate"
        and scope["method"] == "GET"
        and not scope["path"].startswith(_APPLICATION_PATHS)
    )


def _same_origin(origin: str, host: str) -> bool:
    try:
        parts = urlsplit(origin)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and parts.netloc.lower() == host.lower()


def _name(host: str) -> str | None:
    try:
        parts = urlsplit(f"//{host}")
        parts.port  # noqa: B018 - it raises where it is no number
    except ValueError:
        return None
    plain = parts.netloc == host and "@" not in host
    return parts.hostname if plain else None


def _address(name: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(name)
    except ValueError:
        return None


def _own_names() -> set[str]:
    name = socket.gethostname().lower()
    return {name, name.partition(".")[0], f"{name.partition('.')[0]}.local"}


def _same(shown: str, right: str) -> bool:
    # Of digests, so that not even the length is told.
    digests = (hashlib.sha256(it.encode("utf-8", "replace")).digest() for it in (shown, right))
    return hmac.compare_digest(*digests)
