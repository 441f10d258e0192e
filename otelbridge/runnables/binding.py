"""RunnableBinding: a runnable with arguments and config bound to it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from functools import wraps
from typing import TYPE_CHECKING, Any, ClassVar

from otelbridge.config import RunnableConfig, merge_configs
from otelbridge.runnables._fields import ByFields
from otelbridge.runnables._forwarding import config_position, forwarded
from otelbridge.runnables.base import Input, Output, Runnable, forms

if TYPE_CHECKING:
    from otelbridge.runnables.listeners import AsyncListener, ConfigFactory, Listener


class RunnableBindingBase(ByFields, Runnable[Input, Output]):
    """A runnable that hands each call on to another, with what is bound added.

    It opens no run of its own. Derive from it for other arguments to ``__init__``.

    Args:
        bound: the runnable that does the work.
        kwargs: passed to it with each call; those of the call itself win.
        config: merged under the config of each call.
        config_factories: each is given the merged config and returns a config to merge over it.
        custom_input_type: kept for compatibility, as is ``custom_output_type``.
        name: kept for compatibility; runs have the bound runnable's name.
    """

    _fields: ClassVar[tuple[str, ...]] = ("bound", "kwargs", "config", "config_factories")

    def __init__(
        self,
        *,
        bound: Runnable[Input, Output],
        kwargs: Mapping[str, Any] | None = None,
        config: RunnableConfig | None = None,
        config_factories: Sequence[ConfigFactory] | None = None,
        custom_input_type: Any = None,
        custom_output_type: Any = None,
        name: str | None = None,
    ) -> None:
        self.bound = bound
        self.kwargs: Mapping[str, Any] = kwargs or {}
        self.config: RunnableConfig = config or {}
        self.config_factories: list[ConfigFactory] = list(config_factories or ())
        self.custom_input_type = custom_input_type
        self.custom_output_type = custom_output_type
        self.name = name

    def get_name(self, suffix: str | None = None, *, name: str | None = None) -> str:
        """Return the bound runnable's name."""
        return self.bound.get_name(suffix, name=name)

    def _merge_configs(self, *configs: RunnableConfig | None) -> RunnableConfig:
        config = merge_configs(self.config, *configs)
        if not self.config_factories:
            return config
        return merge_configs(config, *(factory(config) for factory in self.config_factories))

    def _merge_all(self, config: Any, count: int) -> list[RunnableConfig]:
        if isinstance(config, Sequence):
            return [self._merge_configs(each) for each in config]
        return [self._merge_configs(config) for _ in range(count)]

    def _merge_kwargs(self, kwargs: Mapping[str, Any]) -> dict[str, Any]:
        return {**self.kwargs, **kwargs}

    def invoke(self, input: Input, config: RunnableConfig | None = None, **kwargs: Any) -> Output:
        """Invoke the bound runnable."""
        return self.bound.invoke(input, self._merge_configs(config), **self._merge_kwargs(kwargs))

    async def ainvoke(
        self, input: Input, config: RunnableConfig | None = None, **kwargs: Any
    ) -> Output:
        """Invoke the bound runnable."""
        return await self.bound.ainvoke(
            input, self._merge_configs(config), **self._merge_kwargs(kwargs)
        )

    def batch(
        self,
        inputs: list[Input],
        config: RunnableConfig | list[RunnableConfig] | None = None,
        *,
        return_exceptions: bool = False,
        **kwargs: Any,
    ) -> list[Output]:
        """Batch the bound runnable; each input has a config of its own."""
        return self.bound.batch(
            inputs,
            self._merge_all(config, len(inputs)),
            return_exceptions=return_exceptions,
            **self._merge_kwargs(kwargs),
        )

    async def abatch(
        self,
        inputs: list[Input],
        config: RunnableConfig | list[RunnableConfig] | None = None,
        *,
        return_exceptions: bool = False,
        **kwargs: Any,
    ) -> list[Output]:
        """Batch the bound runnable; each input has a config of its own."""
        return await self.bound.abatch(
            inputs,
            self._merge_all(config, len(inputs)),
            return_exceptions=return_exceptions,
            **self._merge_kwargs(kwargs),
        )

    # The streaming forms return the bound runnable's own iterator: closing it closes the work,
    # and a chunk passes through no further generator.

    def batch_as_completed(
        self,
        inputs: Sequence[Input],
        config: RunnableConfig | Sequence[RunnableConfig] | None = None,
        *,
        return_exceptions: bool = False,
        **kwargs: Any,
    ) -> Iterator[tuple[int, Output | Exception]]:
        """Batch the bound runnable, yielding ``(index, output)`` as each is done."""
        return self.bound.batch_as_completed(
            inputs,
            self._merge_all(config, len(inputs)),
            return_exceptions=return_exceptions,
            **self._merge_kwargs(kwargs),
        )

    def abatch_as_completed(
        self,
        inputs: Sequence[Input],
        config: RunnableConfig | Sequence[RunnableConfig] | None = None,
        *,
        return_exceptions: bool = False,
        **kwargs: Any,
    ) -> AsyncIterator[tuple[int, Output | Exception]]:
        """Batch the bound runnable, yielding ``(index, output)`` as each is done."""
        return self.bound.abatch_as_completed(
            inputs,
            self._merge_all(config, len(inputs)),
            return_exceptions=return_exceptions,
            **self._merge_kwargs(kwargs),
        )

    def stream(
        self, input: Input, config: RunnableConfig | None = None, **kwargs: Any
    ) -> Iterator[Output]:
        """Stream the bound runnable."""
        return self.bound.stream(input, self._merge_configs(config), **self._merge_kwargs(kwargs))

    def astream(
        self, input: Input, config: RunnableConfig | None = None, **kwargs: Any
    ) -> AsyncIterator[Output]:
        """Stream the bound runnable."""
        return self.bound.astream(input, self._merge_configs(config), **self._merge_kwargs(kwargs))

    def transform(
        self, input: Iterator[Input], config: RunnableConfig | None = None, **kwargs: Any
    ) -> Iterator[Output]:
        """Transform a stream by the bound runnable."""
        return self.bound.transform(
            input, self._merge_configs(config), **self._merge_kwargs(kwargs)
        )

    def atransform(
        self, input: AsyncIterator[Input], config: RunnableConfig | None = None, **kwargs: Any
    ) -> AsyncIterator[Output]:
        """Transform a stream by the bound runnable."""
        return self.bound.atransform(
            input, self._merge_configs(config), **self._merge_kwargs(kwargs)
        )

    def stream_events(
        self, input: Input, config: RunnableConfig | None = None, **kwargs: Any
    ) -> Iterator[Any]:
        """Stream the events of the bound runnable's run."""
        return self.bound.stream_events(
            input, self._merge_configs(config), **self._merge_kwargs(kwargs)
        )

    def astream_events(
        self, input: Input, config: RunnableConfig | None = None, **kwargs: Any
    ) -> AsyncIterator[Any]:
        """Stream the events of the bound runnable's run."""
        return self.bound.astream_events(
            input, self._merge_configs(config), **self._merge_kwargs(kwargs)
        )


class RunnableBinding(RunnableBindingBase[Input, Output]):
    """A runnable with arguments and config bound to it; see ``RunnableBindingBase``.

    What ``bind``, ``with_config``, ``with_listeners`` and ``with_retry`` of a runnable return is
    usually made of this. Other attributes are the bound runnable's; its methods that take a
    ``config`` get the bound config merged in.
    """

    def _with(self, **changes: Any) -> RunnableBinding[Input, Output]:
        fields: dict[str, Any] = {
            "bound": self.bound,
            "kwargs": self.kwargs,
            "config": self.config,
            "config_factories": self.config_factories,
            "custom_input_type": self.custom_input_type,
            "custom_output_type": self.custom_output_type,
        }
        return type(self)(**{**fields, **changes})

    def bind(self, **kwargs: Any) -> Runnable[Input, Output]:
        """Return this binding with more arguments bound."""
        return self._with(kwargs={**self.kwargs, **kwargs})

    def with_config(
        self, config: RunnableConfig | None = None, **kwargs: Any
    ) -> Runnable[Input, Output]:
        """Return this binding with config keys replaced."""
        return self._with(config={**self.config, **(config or {}), **kwargs})

    def with_types(self, *, input_type: Any = None, output_type: Any = None) -> Runnable[Any, Any]:
        """Return this binding with other custom types."""
        return self._with(
            custom_input_type=self.custom_input_type if input_type is None else input_type,
            custom_output_type=self.custom_output_type if output_type is None else output_type,
        )

    def with_listeners(
        self,
        *,
        on_start: Listener | None = None,
        on_end: Listener | None = None,
        on_error: Listener | None = None,
    ) -> Runnable[Input, Output]:
        """Return this binding with listeners added before those it has."""
        return self._listened(forms.listening(on_start, on_end, on_error))

    def with_alisteners(
        self,
        *,
        on_start: AsyncListener | None = None,
        on_end: AsyncListener | None = None,
        on_error: AsyncListener | None = None,
    ) -> Runnable[Input, Output]:
        """Return this binding with async listeners added before those it has."""
        return self._listened(forms.alistening(on_start, on_end, on_error))

    def _listened(self, factory: ConfigFactory) -> Runnable[Input, Output]:
        return self._with(config_factories=[factory, *self.config_factories])

    def with_retry(self, **kwargs: Any) -> Runnable[Input, Output]:
        """Return this binding with the bound runnable retried."""
        return self._with(bound=self.bound.with_retry(**kwargs))

    def __getattr__(self, name: str) -> Any:
        attribute = forwarded(self, "bound", name)
        if not callable(attribute):
            return attribute
        position = config_position(attribute)
        if position is None:
            return attribute

        @wraps(attribute)
        def with_bound_config(*args: Any, **kwargs: Any) -> Any:
            if len(args) > position:
                merged = merge_configs(self.config, args[position])
                return attribute(*args[:position], merged, *args[position + 1 :], **kwargs)
            kwargs["config"] = merge_configs(self.config, kwargs.get("config"))
            return attribute(*args, **kwargs)

        return with_bound_config
