"""RunnableBranch: the first runnable whose condition holds."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Generator, Iterator, Mapping, Sequence
from typing import Any

from otelbridge.config import RunnableConfig
from otelbridge.run import Run
from otelbridge.runnables._fields import ByFields
from otelbridge.runnables._in_run import aclose, owned
from otelbridge.runnables._owned import aowned_stream, owned_stream
from otelbridge.runnables._plan import afollow, follow
from otelbridge.runnables.base import Input, Output, Runnable, RunnableLike, coerce_to_runnable


class RunnableBranch(ByFields, Runnable[Input, Output]):
    """A runnable that hands its input to the first of its branches whose condition holds.

    Conditions and branches are child runs, tagged ``condition:<n>``, ``branch:<n>`` and
    ``branch:default``; conditions are invoked, also where the branch is streamed.

    >>> branch = RunnableBranch(
    ...     (lambda x: x < 0, lambda x: "negative"),
    ...     (lambda x: x > 0, lambda x: "positive"),
    ...     lambda x: "zero",
    ... )
    >>> branch.invoke(3)
    'positive'

    Args:
        *branches: pairs of a condition and a runnable, then the runnable for everything else.

    Raises:
        ValueError: fewer than two branches, or a branch that is no pair.
        TypeError: a branch that is no tuple or list, or a default that is no runnable.
    """

    _fields = ("branches", "default")

    def __init__(self, *branches: Any) -> None:
        if len(branches) < 2:
            raise ValueError(
                f"RunnableBranch requires at least two branches, but got {len(branches)}: "
                "pass (condition, runnable) pairs, then a default"
            )
        *pairs, default = branches
        if not (callable(default) or isinstance(default, (Runnable, Mapping))):
            raise TypeError(
                "RunnableBranch default must be Runnable, callable or mapping, "
                f"not {type(default)}; it comes last"
            )
        self.branches: Sequence[tuple[Runnable[Input, Any], Runnable[Input, Output]]] = [
            _pair(each) for each in pairs
        ]
        self.default: Runnable[Input, Output] = coerce_to_runnable(default)
        self.name = None

    def _choose(
        self, run: Run
    ) -> Generator[tuple[Runnable[Input, Any], RunnableConfig], Any, Chosen[Input, Output]]:
        """The plan: invoke the conditions until one holds; the branch, with its config."""
        for number, (condition, runnable) in enumerate(self.branches, start=1):
            if (yield condition, run.child_config(f"condition:{number}")):
                return runnable, run.child_config(f"branch:{number}")
        return self.default, run.child_config("branch:default")

    def _chosen(self, input: Input, run: Run) -> Chosen[Input, Output]:
        return follow(self._choose(run), lambda step: step[0].invoke(input, step[1]))

    async def _achosen(self, input: Input, run: Run) -> Chosen[Input, Output]:
        return await afollow(self._choose(run), lambda step: step[0].ainvoke(input, step[1]))

    def _invoke(self, input: Input, run_manager: Run, **kwargs: Any) -> Output:
        branch, config = self._chosen(input, run_manager)
        return branch.invoke(input, config, **kwargs)

    async def _ainvoke(self, input: Input, run_manager: Run, **kwargs: Any) -> Output:
        branch, config = await self._achosen(input, run_manager)
        return await branch.ainvoke(input, config, **kwargs)

    def _stream(self, input: Input, run: Run, **kwargs: Any) -> Generator[Output, None, None]:
        branch, config = self._chosen(input, run)
        yield from branch.stream(input, config, **kwargs)

    async def _astream(self, input: Input, run: Run, **kwargs: Any) -> AsyncGenerator[Output, None]:
        branch, config = await self._achosen(input, run)
        chunks = branch.astream(input, config, **kwargs)
        try:
            async for chunk in owned(chunks):
                yield chunk
        finally:
            await aclose(chunks)

    def invoke(self, input: Input, config: RunnableConfig | None = None, **kwargs: Any) -> Output:
        """Invoke the branch whose condition holds."""
        return self._call_with_config(self._invoke, input, config, **kwargs)

    async def ainvoke(
        self, input: Input, config: RunnableConfig | None = None, **kwargs: Any
    ) -> Output:
        """Invoke the branch whose condition holds."""
        return await self._acall_with_config(self._ainvoke, input, config, **kwargs)

    def stream(
        self, input: Input, config: RunnableConfig | None = None, **kwargs: Any
    ) -> Iterator[Output]:
        """Stream the branch whose condition holds."""
        return owned_stream(self.get_name(), self._stream, input, config, **kwargs)

    def astream(
        self, input: Input, config: RunnableConfig | None = None, **kwargs: Any
    ) -> AsyncIterator[Output]:
        """Stream the branch whose condition holds."""
        return aowned_stream(self.get_name(), self._astream, input, config, **kwargs)


Chosen = tuple[Runnable[Input, Output], RunnableConfig]


def _pair(
    branch: tuple[RunnableLike[Input, Any], RunnableLike[Input, Output]],
) -> tuple[Runnable[Input, Any], Runnable[Input, Output]]:
    if not isinstance(branch, (tuple, list)):
        raise TypeError(f"RunnableBranch branches must be tuples or lists, not {type(branch)}")
    if len(branch) != 2:
        raise ValueError(
            "RunnableBranch branches must be tuples or lists of length 2, (condition, runnable), "
            f"not {len(branch)}"
        )
    condition, runnable = branch
    return coerce_to_runnable(condition), coerce_to_runnable(runnable)
