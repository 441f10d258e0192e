"""RunnableAssign: its input dict, with keys added."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import wait
from typing import Any

from otelbridge.config import RunnableConfig, get_executor_for_config
from otelbridge.run import Run
from otelbridge.runnables._addable import AddableDict
from otelbridge.runnables._fields import ByFields
from otelbridge.runnables._in_run import (
    aclose_each,
    anext_or,
    aonce,
    begun,
    cancel_all,
    once,
    owned,
)
from otelbridge.runnables._owned import close
from otelbridge.runnables._tee import atee, tee
from otelbridge.runnables.base import Runnable
from otelbridge.runnables.parallel import RunnableParallel

_NOTHING: Any = object()


class RunnableAssign(ByFields, Runnable[dict[str, Any], dict[str, Any]]):
    """A runnable that adds to its input dict the output of a ``RunnableParallel``.

    A stream yields the input's other keys as they come; the mapper works meanwhile.

    Args:
        mapper: what is added; its keys replace those of the input.
        name: the name of its runs.
    """

    _fields = ("mapper",)

    def __init__(
        self, mapper: RunnableParallel[dict[str, Any]], *, name: str | None = None
    ) -> None:
        self.mapper = mapper
        self.name = name

    def get_name(self, suffix: str | None = None, *, name: str | None = None) -> str:
        """Return the given or own name, else one made of the keys that are added."""
        name = name or self.name or f"RunnableAssign<{','.join(self.mapper.steps__)}>"
        return super().get_name(suffix, name=name)

    def _invoke(self, value: dict[str, Any], run_manager: Run, **kwargs: Any) -> dict[str, Any]:
        check_dict(value)
        return {**value, **self.mapper.invoke(value, run_manager.child_config(), **kwargs)}

    async def _ainvoke(
        self, value: dict[str, Any], run_manager: Run, **kwargs: Any
    ) -> dict[str, Any]:
        check_dict(value)
        return {**value, **await self.mapper.ainvoke(value, run_manager.child_config(), **kwargs)}

    def _others(self, chunk: dict[str, Any]) -> AddableDict:
        check_dict(chunk)
        return AddableDict({k: v for k, v in chunk.items() if k not in self.mapper.steps__})

    def _transform(
        self, chunks: Iterator[dict[str, Any]], run_manager: Run, **kwargs: Any
    ) -> Iterator[dict[str, Any]]:
        passed, given = tee(chunks, 2, threading.Lock())
        added = self.mapper.transform(given, run_manager.child_config(), **kwargs)
        with get_executor_for_config(run_manager.shared_config()) as executor:
            head = executor.submit(next, added, _NOTHING)
            try:
                for chunk in passed:
                    if others := self._others(chunk):
                        yield others
                if head.result() is not _NOTHING:
                    yield head.result()
                    yield from added
            finally:
                wait([head])  # a generator that is running cannot be closed
                close(added)

    async def _atransform(
        self, chunks: AsyncIterator[dict[str, Any]], run_manager: Run, **kwargs: Any
    ) -> AsyncIterator[dict[str, Any]]:
        passed, given = atee(chunks, 2)
        added = self.mapper.atransform(given, run_manager.child_config(), **kwargs)
        head = begun(anext_or(added, _NOTHING))
        try:
            async for chunk in owned(passed):
                if others := self._others(chunk):
                    yield others
            if await head is not _NOTHING:
                yield head.result()
                async for chunk in added:
                    yield chunk
        finally:
            try:
                await cancel_all([head])
            finally:
                await aclose_each([added, passed])

    def invoke(
        self, input: dict[str, Any], config: RunnableConfig | None = None, **kwargs: Any
    ) -> dict[str, Any]:
        """Return the input with the mapper's output added.

        Raises:
            ValueError: the input is no dict.
        """
        return self._call_with_config(self._invoke, input, config, **kwargs)

    async def ainvoke(
        self, input: dict[str, Any], config: RunnableConfig | None = None, **kwargs: Any
    ) -> dict[str, Any]:
        """Return the input with the mapper's output added; raises as ``invoke``."""
        return await self._acall_with_config(self._ainvoke, input, config, **kwargs)

    def transform(
        self, input: Iterator[Any], config: RunnableConfig | None = None, **kwargs: Any
    ) -> Iterator[dict[str, Any]]:
        """Yield the input's other keys as they come, then what the mapper gives."""
        return self._transform_stream_with_config(input, self._transform, config, **kwargs)

    def atransform(
        self, input: AsyncIterator[Any], config: RunnableConfig | None = None, **kwargs: Any
    ) -> AsyncIterator[dict[str, Any]]:
        """Yield the input's other keys as they come, then what the mapper gives."""
        return self._atransform_stream_with_config(input, self._atransform, config, **kwargs)

    def stream(
        self, input: dict[str, Any], config: RunnableConfig | None = None, **kwargs: Any
    ) -> Iterator[dict[str, Any]]:
        """Yield the input's other keys, then what the mapper gives."""
        return self.transform(once(input), config, **kwargs)

    def astream(
        self, input: dict[str, Any], config: RunnableConfig | None = None, **kwargs: Any
    ) -> AsyncIterator[dict[str, Any]]:
        """Yield the input's other keys, then what the mapper gives."""
        return self.atransform(aonce(input), config, **kwargs)


def check_dict(value: Any) -> None:
    """Raise ValueError unless ``value`` is a dict."""
    if not isinstance(value, dict):
        raise ValueError(
            f"The input to RunnablePassthrough.assign() must be a dict, not {type(value)}."
        )
