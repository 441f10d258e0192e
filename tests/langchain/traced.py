"""The ways in which the runs of a test are traced."""

from __future__ import annotations

from typing import Any

from otelbridge import _run_ids, langchain
from otelbridge.testing import CapturedRuns


class Traced:
    """One way in which LangChain's runs are traced, and what was captured of them.

    Attributes:
        way: ``instrument``, ``handler`` or ``both``.
        captured: the spans.
        said: what was logged, warned of, or raised where nobody can catch it.
    """

    def __init__(self, way: str, captured: CapturedRuns) -> None:
        self.way = way
        self.captured = captured
        self.said: list[str] = []
        self.handlers: list[Any] = []

    def on(self, **settings: Any) -> Traced:
        """Trace, from now on or again."""
        if self.way != "handler":
            langchain.instrument(tracer_provider=self.captured.provider, **settings)
        if self.way != "instrument":
            self.handlers = [
                langchain.OtelCallbackHandler(tracer_provider=self.captured.provider, **settings)
            ]
        return self

    def config(self, *handlers: Any, **more: Any) -> dict[str, Any]:
        """Return the config of a call, with further handlers and keys."""
        given = [*self.handlers, *handlers]
        return {"callbacks": given, **more} if given else more

    def check(self) -> None:
        """Nothing is left over, and nothing was said."""
        assert [f"live: {run!r}" for run in _run_ids.live.values()] == []
        self.captured.assert_clean()
        assert self.said == []


class Captured:
    """A runnable whose root run is captured, also where no context says so: in a new thread."""

    def __init__(self, traced: Traced, runnable: Any) -> None:
        self._traced, self._runnable = traced, runnable

    def invoke(self, *args: Any) -> Any:
        with self._traced.captured.active():
            return self._runnable.invoke(*args)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._runnable, name)
