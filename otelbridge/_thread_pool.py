"""Threads that carry the context, and therefore the run, of whoever hands them work.

Imported with the first batch that needs threads: the pool that this is made from takes a twentieth
of the time in which otelbridge is imported.
"""

from __future__ import annotations

import contextvars
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class ContextThreadPoolExecutor(ThreadPoolExecutor):
    """A thread pool whose jobs run in a copy of the submitting thread's context."""

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Schedule ``fn`` in a copy of the current context."""
        return super().submit(partial(contextvars.copy_context().run, fn, *args, **kwargs))
