"""RunnablePick: some keys of its input dict."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

from otelbridge.config import RunnableConfig
from otelbridge.runnables._addable import AddableDict
from otelbridge.runnables._fields import ByFields
from otelbridge.runnables._in_run import aonce, once
from otelbridge.runnables.assign import check_dict
from otelbridge.runnables.base import Runnable


class RunnablePick(ByFields, Runnable[Any, Any]):
    """A runnable that takes one key out of a dict, or makes a dict of some of its keys.

    Args:
        keys: one key: its value, or None; or a list: those of them that are there.
        name: the name of its runs.
    """

    _fields = ("keys",)

    def __init__(self, keys: str | list[str], *, name: str | None = None) -> None:
        self.keys = keys
        self.name = name

    def get_name(self, suffix: str | None = None, *, name: str | None = None) -> str:
        """Return the given or own name, else one made of the keys."""
        keys = [self.keys] if isinstance(self.keys, str) else self.keys
        return super().get_name(suffix, name=name or self.name or f"RunnablePick<{','.join(keys)}>")

    def _pick(self, value: dict[str, Any]) -> Any:
        check_dict(value)
        if isinstance(self.keys, str):
            return value.get(self.keys)
        return AddableDict({k: value[k] for k in self.keys if k in value}) or None

    async def _apick(self, value: dict[str, Any]) -> Any:
        return self._pick(value)

    def _picks(self, chunks: Iterator[dict[str, Any]]) -> Iterator[Any]:
        for chunk in chunks:
            picked = self._pick(chunk)
            if picked is not None:
                yield picked

    async def _apicks(self, chunks: AsyncIterator[dict[str, Any]]) -> AsyncIterator[Any]:
        async for chunk in chunks:
            picked = self._pick(chunk)
            if picked is not None:
                yield picked

    def invoke(self, input: Any, config: RunnableConfig | None = None, **kwargs: Any) -> Any:
        """Return what was picked; None where nothing was there.

        Raises:
            ValueError: the input is no dict.
        """
        return self._call_with_config(self._pick, input, config, **kwargs)

    async def ainvoke(self, input: Any, config: RunnableConfig | None = None, **kwargs: Any) -> Any:
        """Return what was picked; raises as ``invoke``."""
        return await self._acall_with_config(self._apick, input, config, **kwargs)

    def transform(
        self, input: Iterator[Any], config: RunnableConfig | None = None, **kwargs: Any
    ) -> Iterator[Any]:
        """Yield what was picked of each chunk."""
        return self._transform_stream_with_config(input, self._picks, config, **kwargs)

    def atransform(
        self, input: AsyncIterator[Any], config: RunnableConfig | None = None, **kwargs: Any
    ) -> AsyncIterator[Any]:
        """Yield what was picked of each chunk."""
        return self._atransform_stream_with_config(input, self._apicks, config, **kwargs)

    def stream(
        self, input: Any, config: RunnableConfig | None = None, **kwargs: Any
    ) -> Iterator[Any]:
        """Yield what was picked, as one chunk."""
        return self.transform(once(input), config, **kwargs)

    def astream(
        self, input: Any, config: RunnableConfig | None = None, **kwargs: Any
    ) -> AsyncIterator[Any]:
        """Yield what was picked, as one chunk."""
        return self.atransform(aonce(input), config, **kwargs)
