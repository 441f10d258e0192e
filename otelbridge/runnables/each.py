"""RunnableEach: another runnable, once for each element of its input."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from otelbridge.config import RunnableConfig
from otelbridge.run import Run
from otelbridge.runnables._fields import ByFields
from otelbridge.runnables.base import Input, Output, Runnable

if TYPE_CHECKING:
    from otelbridge.runnables.listeners import AsyncListener, Listener


class RunnableEachBase(
    ByFields,
    Runnable[Sequence[Input], list[Output]],  # pyright: ignore[reportInvalidTypeArguments]
):
    """A runnable that batches another over the elements of its input, below one run of its own.

    Derive from it for other arguments to ``__init__``.

    Args:
        bound: the runnable that takes one element.
        name: the name of its runs.
    """

    _fields = ("bound",)

    def __init__(self, *, bound: Runnable[Input, Output], name: str | None = None) -> None:
        self.bound = bound
        self.name = name

    def _invoke(self, inputs: Sequence[Input], run_manager: Run, **kwargs: Any) -> list[Output]:
        configs = [run_manager.child_config() for _ in inputs]
        return self.bound.batch(list(inputs), configs, **kwargs)

    async def _ainvoke(
        self, inputs: Sequence[Input], run_manager: Run, **kwargs: Any
    ) -> list[Output]:
        configs = [run_manager.child_config() for _ in inputs]
        return await self.bound.abatch(list(inputs), configs, **kwargs)

    def invoke(
        self, input: Sequence[Input], config: RunnableConfig | None = None, **kwargs: Any
    ) -> list[Output]:
        """Return the outputs of the elements, in their order."""
        return self._call_with_config(self._invoke, input, config, **kwargs)

    async def ainvoke(
        self, input: Sequence[Input], config: RunnableConfig | None = None, **kwargs: Any
    ) -> list[Output]:
        """Return the outputs of the elements, in their order."""
        return await self._acall_with_config(self._ainvoke, input, config, **kwargs)


class RunnableEach(RunnableEachBase[Input, Output]):
    """Another runnable, once for each element of a sequence; what ``map`` returns.

    What is bound to it is bound to the other, so listeners and config concern each element.
    """

    def get_name(self, suffix: str | None = None, *, name: str | None = None) -> str:
        """Return the given or own name, else one made of the bound runnable's."""
        name = name or self.name or f"RunnableEach<{self.bound.get_name()}>"
        return super().get_name(suffix, name=name)

    def bind(self, **kwargs: Any) -> RunnableEach[Input, Output]:
        """Return one whose bound runnable has these arguments bound."""
        return RunnableEach(bound=self.bound.bind(**kwargs))

    def with_config(
        self, config: RunnableConfig | None = None, **kwargs: Any
    ) -> RunnableEach[Input, Output]:
        """Return one whose bound runnable has this config bound."""
        return RunnableEach(bound=self.bound.with_config(config, **kwargs))

    def with_listeners(
        self,
        *,
        on_start: Listener | None = None,
        on_end: Listener | None = None,
        on_error: Listener | None = None,
    ) -> RunnableEach[Input, Output]:
        """Return one that tells these functions of each element's run."""
        return RunnableEach(
            bound=self.bound.with_listeners(on_start=on_start, on_end=on_end, on_error=on_error)
        )

    def with_alisteners(
        self,
        *,
        on_start: AsyncListener | None = None,
        on_end: AsyncListener | None = None,
        on_error: AsyncListener | None = None,
    ) -> RunnableEach[Input, Output]:
        """Return one that tells these coroutine functions of each element's run."""
        return RunnableEach(
            bound=self.bound.with_alisteners(on_start=on_start, on_end=on_end, on_error=on_error)
        )
