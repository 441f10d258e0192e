"""Chunks for handlers of LangChain that listen to streams by tapping them.

Such a handler gets a run's iterator and gives one that it notes the chunks of. Native streams own
their iterators, so each chunk goes through one of its own, which gives nothing else.
"""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from otelbridge.handlers import Hook

if TYPE_CHECKING:
    from otelbridge.run import Run


def taps_of(handlers: Sequence[Any], run: Run, *, is_async: bool) -> tuple[Hook, ...]:
    """Return what tells the chunks of a run's stream to those of ``handlers`` that tap them."""
    return tuple(
        (handler, (_async_tap if is_async else _tap)(handler, run), None)
        for handler in handlers
        if _is_listener(handler)
    )


def _is_listener(handler: Any) -> bool:
    kind = type(handler)
    taps = getattr(kind, "tap_output_iter", None)  # None says that it does not, to LangChain too
    return taps is not None and not hasattr(kind, "on_stream_chunk")


class _Feed(Iterator[Any], AsyncIterator[Any]):
    """Gives the chunk that it was given last, over and over."""

    __slots__ = ("chunk",)

    chunk: Any

    def __next__(self) -> Any:
        return self.chunk

    async def __anext__(self) -> Any:
        return self.chunk


def _tap(handler: Any, run: Run) -> Any:
    feed = _Feed()
    chunks = handler.tap_output_iter(run.run_id, feed)

    def tell(chunk: Any, **about: Any) -> None:
        feed.chunk = chunk
        with suppress(StopIteration):
            next(chunks)

    async def tell_later(chunk: Any, **about: Any) -> None:
        tell(chunk)

    # After the start of the run, which a coroutine waits to be told by.
    return tell_later if inspect.iscoroutinefunction(handler.on_chain_start) else tell


def _async_tap(handler: Any, run: Run) -> Any:
    feed = _Feed()
    chunks = handler.tap_output_aiter(run.run_id, feed)

    async def tell(chunk: Any, **about: Any) -> None:
        feed.chunk = chunk
        with suppress(StopAsyncIteration):
            await chunks.__anext__()

    return tell
