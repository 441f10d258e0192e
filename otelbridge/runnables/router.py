"""RouterRunnable: the runnable that its input names."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any, TypedDict

from otelbridge.config import RunnableConfig
from otelbridge.runnables._fields import ByFields
from otelbridge.runnables.base import Output, Runnable, RunnableLike, coerce_to_runnable


class RouterInput(TypedDict):
    """What a router is given.

    Attributes:
        key: names the runnable.
        input: what that runnable is given.
    """

    key: str
    input: Any


class RouterRunnable(ByFields, Runnable[RouterInput, Output]):
    """A runnable that hands its input on to the one under ``input["key"]``.

    It opens no run of its own: the runnable chosen is run in its place.

    >>> from otelbridge import RunnableLambda
    >>> router = RouterRunnable({"double": lambda x: 2 * x, "square": lambda x: x * x})
    >>> router.invoke({"key": "square", "input": 5})
    25

    Args:
        runnables: runnables, or what may become one, by key.
    """

    _fields = ("runnables",)

    def __init__(self, runnables: Mapping[str, RunnableLike[Any, Output]]) -> None:
        self.runnables: dict[str, Runnable[Any, Output]] = {
            key: coerce_to_runnable(each) for key, each in runnables.items()
        }
        self.name = None

    def _route(self, input: RouterInput) -> Runnable[Any, Output]:
        key = input["key"]
        if key not in self.runnables:
            known = ", ".join(map(repr, self.runnables))
            raise ValueError(f"No runnable associated with key {key!r}; there are: {known}")
        return self.runnables[key]

    def invoke(
        self, input: RouterInput, config: RunnableConfig | None = None, **kwargs: Any
    ) -> Output:
        """Invoke the runnable under the input's key.

        Raises:
            ValueError: there is none.
        """
        return self._route(input).invoke(input["input"], config, **kwargs)

    async def ainvoke(
        self, input: RouterInput, config: RunnableConfig | None = None, **kwargs: Any
    ) -> Output:
        """Invoke the runnable under the input's key; raises as ``invoke``."""
        return await self._route(input).ainvoke(input["input"], config, **kwargs)

    def batch(
        self,
        inputs: list[RouterInput],
        config: RunnableConfig | list[RunnableConfig] | None = None,
        *,
        return_exceptions: bool = False,
        **kwargs: Any,
    ) -> list[Output]:
        """Invoke each input's runnable; nothing is run where a key is unknown."""
        self._check_keys(inputs)
        return super().batch(inputs, config, return_exceptions=return_exceptions, **kwargs)

    async def abatch(
        self,
        inputs: list[RouterInput],
        config: RunnableConfig | list[RunnableConfig] | None = None,
        *,
        return_exceptions: bool = False,
        **kwargs: Any,
    ) -> list[Output]:
        """Invoke each input's runnable; nothing is run where a key is unknown."""
        self._check_keys(inputs)
        return await super().abatch(inputs, config, return_exceptions=return_exceptions, **kwargs)

    def _check_keys(self, inputs: list[RouterInput]) -> None:
        unknown = [each["key"] for each in inputs if each["key"] not in self.runnables]
        if unknown:
            raise ValueError(
                f"One or more keys do not have a corresponding runnable: {unknown!r}; "
                f"there are: {', '.join(map(repr, self.runnables))}"
            )

    def stream(
        self, input: RouterInput, config: RunnableConfig | None = None, **kwargs: Any
    ) -> Iterator[Output]:
        """Stream the runnable under the input's key; raises as ``invoke``."""
        return self._route(input).stream(input["input"], config, **kwargs)

    def astream(
        self, input: RouterInput, config: RunnableConfig | None = None, **kwargs: Any
    ) -> AsyncIterator[Output]:
        """Stream the runnable under the input's key; raises as ``invoke``."""
        return self._route(input).astream(input["input"], config, **kwargs)
