"""A viewer to look at, and pages that look at it and remember what went wrong."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Browser, BrowserContext, Locator, Page

from otelbridge.store import Store
from otelbridge.view import start

# Errors that tests cause on purpose show up in the console as well.
EXPECTED = ("the server responded with a status of 404", "ERR_CONNECTION_REFUSED")


class Viewer:
    """A viewer on a free port; ``restart`` keeps the port."""

    def __init__(self, store: Store, port: int = 0) -> None:
        self.store = store
        self._server = start(store, port=port, otlp_http_port=None, otlp_grpc_port=None)
        self.url = self._server.url.rstrip("/")

    def stop(self) -> None:
        self._server.stop()

    def restart(self) -> None:
        port = urlsplit(self.url).port or 0
        self._server = start(self.store, port=port, otlp_http_port=None, otlp_grpc_port=None)

    def __enter__(self) -> Viewer:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()


class Look:
    """Opens pages of one browser; all of them are one user's, and share their storage."""

    def __init__(self, browser: Browser) -> None:
        self._browser = browser
        self._contexts: list[BrowserContext] = []
        self.wrong: list[str] = []

    def at(self, url: str, context: BrowserContext | None = None, **options: Any) -> Page:
        """Open an address; ``options`` are Playwright's for a context."""
        page = (context or self.context(**options)).new_page()
        page.on("pageerror", lambda error: self.wrong.append(str(error)))
        page.on("console", lambda message: self._heard(message.type, message.text))
        page.on("dialog", lambda dialog: (self.wrong.append("a dialog"), dialog.dismiss())[0])
        page.goto(url)
        return page

    def context(self, **options: Any) -> BrowserContext:
        options = {"viewport": {"width": 1400, "height": 860}, **options}
        context = self._browser.new_context(**options)
        context.set_default_timeout(30_000)
        context.on("request", lambda request: self._asked(request.url))
        self._contexts.append(context)
        return context

    def _heard(self, kind: str, text: str) -> None:
        if kind in ("error", "warning") and not any(it in text for it in EXPECTED):
            self.wrong.append(text)

    def _asked(self, url: str) -> None:
        if urlsplit(url).hostname != "127.0.0.1" and not url.startswith(
            ("blob:http://127", "data:")
        ):
            self.wrong.append(f"asked for {url}")

    def close(self) -> None:
        for context in self._contexts:
            context.close()


@contextmanager
def looking(browser: Browser) -> Iterator[Look]:
    look = Look(browser)
    try:
        yield look
    finally:
        look.close()
    assert look.wrong == []


def texts(found: Locator) -> list[str]:
    """What elements say, each in one line."""
    return [" ".join(it.split()) for it in found.all_inner_texts()]
