"""A generator function over chunks as a runnable."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, cast, overload

from otelbridge.config import RunnableConfig
from otelbridge.runnables import _in_run
from otelbridge.runnables.base import Input, Output, Runnable, is_async_generator


class RunnableGenerator(Runnable[Input, Output]):
    """A function from an iterator of chunks to an iterator of chunks, as a runnable.

    Args:
        transform: a generator function, or an async one, which then serves the async forms only.
        atransform: an async generator function for the async forms.
        name: of its runs; by default the function's.

    Raises:
        TypeError: ``transform`` is no generator function.
    """

    _transform: Callable[..., Iterator[Any]]
    _atransform: Callable[..., AsyncIterator[Any]]

    @overload
    def __init__(
        self,
        transform: Callable[[AsyncIterator[Input]], AsyncIterator[Output]],
        atransform: None = None,
        *,
        name: str | None = None,
    ) -> None: ...

    @overload
    def __init__(
        self,
        transform: Callable[[Iterator[Input]], Iterator[Output]],
        atransform: Callable[..., AsyncIterator[Output]] | None = None,
        *,
        name: str | None = None,
    ) -> None: ...

    @overload
    def __init__(
        self: RunnableGenerator[Any, Any],
        transform: Callable[..., Any],
        atransform: Callable[..., AsyncIterator[Any]] | None = None,
        *,
        name: str | None = None,
    ) -> None: ...

    def __init__(
        self,
        transform: Callable[..., Any],
        atransform: Callable[..., AsyncIterator[Any]] | None = None,
        *,
        name: str | None = None,
    ) -> None:
        if atransform is not None:
            self._atransform = atransform
        if is_async_generator(transform):
            self._atransform = transform
        elif inspect.isgeneratorfunction(transform):
            self._transform = transform
        else:
            raise TypeError(
                f"RunnableGenerator needs a generator function, and was given {transform!r}. "
                "Wrap a plain function in RunnableLambda."
            )
        self.name = name or getattr(transform, "__name__", "RunnableGenerator")

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, RunnableGenerator):
            return False
        for name in ("_transform", "_atransform"):
            if hasattr(self, name) and hasattr(other, name):
                return bool(getattr(self, name) == getattr(other, name))
        return False

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"RunnableGenerator({self.name})"

    def transform(
        self, input: Iterator[Any], config: RunnableConfig | None = None, **kwargs: Any
    ) -> Iterator[Output]:
        """Yield what the generator function makes of ``input``, as a run."""
        if not hasattr(self, "_transform"):
            raise NotImplementedError(
                f"{self!r} has an async generator function only. Use its async forms, such as "
                "astream and ainvoke, or pass a sync one first and the async one as atransform."
            )
        return self._transform_stream_with_config(
            input, self._transform, config, defers_inputs=True, **kwargs
        )

    def stream(
        self, input: Input, config: RunnableConfig | None = None, **kwargs: Any
    ) -> Iterator[Output]:
        """As ``transform``, with one input chunk."""
        return self.transform(_in_run.once(input), config, **kwargs)

    def invoke(self, input: Input, config: RunnableConfig | None = None, **kwargs: Any) -> Output:
        """Return the chunks of ``stream`` added up."""
        final: Any = None
        for chunk in self.stream(input, config, **kwargs):
            final = chunk if final is None else final + chunk
        return cast("Output", final)

    def atransform(
        self, input: AsyncIterator[Any], config: RunnableConfig | None = None, **kwargs: Any
    ) -> AsyncIterator[Output]:
        """Yield what the async generator function makes of ``input``, as a run."""
        if not hasattr(self, "_atransform"):
            raise NotImplementedError(
                f"{self!r} has a sync generator function only. Use its sync forms, such as stream "
                "and invoke, or pass an async generator function as atransform."
            )
        return self._atransform_stream_with_config(
            input, self._atransform, config, defers_inputs=True, **kwargs
        )

    def astream(
        self, input: Input, config: RunnableConfig | None = None, **kwargs: Any
    ) -> AsyncIterator[Output]:
        """As ``atransform``, with one input chunk."""
        return self.atransform(_in_run.aonce(input), config, **kwargs)

    async def ainvoke(
        self, input: Input, config: RunnableConfig | None = None, **kwargs: Any
    ) -> Output:
        """Return the chunks of ``astream`` added up."""
        final: Any = None
        chunks = self.astream(input, config, **kwargs)
        try:
            async for chunk in _in_run.owned(chunks):
                final = chunk if final is None else final + chunk
        finally:
            await _in_run.aclose(chunks)
        return cast("Output", final)
