"""RunnablePassthrough: its input, unchanged; and what is made of it, under upstream's path."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, TypeVar

from otelbridge.config import (
    RunnableConfig,
    acall_func_with_variable_args,
    call_func_with_variable_args,
    ensure_config,
)
from otelbridge.runnables._fields import ByFields
from otelbridge.runnables._in_run import aclose, aonce, once, owned, sum_or_last
from otelbridge.runnables._owned import close
from otelbridge.runnables.assign import RunnableAssign
from otelbridge.runnables.base import Runnable, RunnableLike
from otelbridge.runnables.parallel import RunnableParallel
from otelbridge.runnables.pick import RunnablePick

__all__ = ["RunnableAssign", "RunnablePassthrough", "RunnablePick"]

Other = TypeVar("Other")
_NOTHING: Any = object()


def identity(value: Any) -> Any:
    """Return ``value``."""
    return value


async def aidentity(value: Any) -> Any:
    """Return ``value``."""
    return value


class RunnablePassthrough(ByFields, Runnable[Other, Other]):
    """A runnable whose output is its input, chunk by chunk.

    Args:
        func: called with the whole input, for its effect: before the run, or after a stream. It
            may take the ``config`` too; a coroutine function serves as ``afunc``.
        afunc: the same for the async forms.
        input_type: kept for compatibility.
        name: the name of its runs.
    """

    _fields = ("func", "afunc", "input_type")

    def __init__(
        self,
        func: Callable[..., Any] | None = None,
        afunc: Callable[..., Any] | None = None,
        *,
        input_type: Any = None,
        name: str | None = None,
    ) -> None:
        if inspect.iscoroutinefunction(func):
            func, afunc = None, func
        self.func = func
        self.afunc = afunc
        self.input_type = input_type
        self.name = name

    @classmethod
    def assign(cls, **kwargs: RunnableLike[Any, Any]) -> RunnableAssign:  # type: ignore[override]
        """Return a runnable that adds to its input dict what each of ``kwargs`` gives."""
        return RunnableAssign(RunnableParallel(kwargs))

    def _observe(self, value: Any, config: RunnableConfig | None, kwargs: dict[str, Any]) -> None:
        if self.func is not None:
            call_func_with_variable_args(self.func, value, ensure_config(config), **kwargs)

    async def _aobserve(
        self, value: Any, config: RunnableConfig | None, kwargs: dict[str, Any]
    ) -> None:
        if self.afunc is None:
            return self._observe(value, config, kwargs)
        await acall_func_with_variable_args(self.afunc, value, ensure_config(config), **kwargs)

    def invoke(self, input: Other, config: RunnableConfig | None = None, **kwargs: Any) -> Other:
        """Return the input."""
        self._observe(input, config, kwargs)
        output: Other = self._call_with_config(identity, input, config)
        return output

    async def ainvoke(
        self, input: Other, config: RunnableConfig | None = None, **kwargs: Any
    ) -> Other:
        """Return the input."""
        await self._aobserve(input, config, kwargs)
        output: Other = await self._acall_with_config(aidentity, input, config)
        return output

    def transform(
        self, input: Iterator[Other], config: RunnableConfig | None = None, **kwargs: Any
    ) -> Iterator[Other]:
        """Yield the input's chunks."""
        chunks = self._transform_stream_with_config(input, identity, config)
        return chunks if self.func is None else self._observed(chunks, config, kwargs)

    def _observed(
        self, chunks: Iterator[Other], config: RunnableConfig | None, kwargs: dict[str, Any]
    ) -> Iterator[Other]:
        total: Any = _NOTHING
        try:
            for chunk in chunks:
                yield chunk
                total = chunk if total is _NOTHING else sum_or_last(total, chunk)
        finally:
            close(chunks)
        if total is not _NOTHING:
            self._observe(total, config, kwargs)

    def atransform(
        self, input: AsyncIterator[Other], config: RunnableConfig | None = None, **kwargs: Any
    ) -> AsyncIterator[Other]:
        """Yield the input's chunks."""
        chunks = self._atransform_stream_with_config(input, identity, config)
        observed = self.func is not None or self.afunc is not None
        return self._aobserved(chunks, config, kwargs) if observed else chunks

    async def _aobserved(
        self, chunks: AsyncIterator[Other], config: RunnableConfig | None, kwargs: dict[str, Any]
    ) -> AsyncIterator[Other]:
        total: Any = _NOTHING
        try:
            async for chunk in owned(chunks):
                yield chunk
                total = chunk if total is _NOTHING else sum_or_last(total, chunk)
        finally:
            await aclose(chunks)
        if total is not _NOTHING:
            await self._aobserve(total, config, kwargs)

    def stream(
        self, input: Other, config: RunnableConfig | None = None, **kwargs: Any
    ) -> Iterator[Other]:
        """Yield the input, as one chunk."""
        return self.transform(once(input), config, **kwargs)

    def astream(
        self, input: Other, config: RunnableConfig | None = None, **kwargs: Any
    ) -> AsyncIterator[Other]:
        """Yield the input, as one chunk."""
        return self.atransform(aonce(input), config, **kwargs)
