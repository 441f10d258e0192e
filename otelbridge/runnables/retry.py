"""RunnableRetry: another runnable, tried again when it fails."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any, NamedTuple, TypedDict

from otelbridge.config import RunnableConfig
from otelbridge.run import Run
from otelbridge.runnables._plan import Failed, afollow, answer_of, follow
from otelbridge.runnables.base import Input, Output, Runnable
from otelbridge.runnables.binding import RunnableBindingBase

if TYPE_CHECKING:
    from tenacity import Retrying


class ExponentialJitterParams(TypedDict, total=False):
    """How long to wait between attempts: the arguments of tenacity's ``wait_exponential_jitter``.

    Attributes:
        initial: the first wait, in seconds.
        max: the longest wait, in seconds.
        exp_base: by how much each wait is longer than the last.
        jitter: up to so many seconds are added at random.
    """

    initial: float
    max: float
    exp_base: float
    jitter: float


class _Attempt(NamedTuple):
    """A step of a retry's plan: wait, then try."""

    wait_s: float
    number: int

    def config(self, run: Run) -> RunnableConfig:
        return run.child_config(f"retry:attempt:{self.number}" if self.number > 1 else None)

    def pause(self) -> None:
        if self.number > 1:
            time.sleep(self.wait_s)

    async def apause(self) -> None:
        if self.number > 1:
            await asyncio.sleep(self.wait_s)


class RunnableRetry(RunnableBindingBase[Input, Output]):
    """A binding that tries again when the bound runnable fails; what ``with_retry`` returns.

    Each attempt is a child run of the retry's own; from the second on it is tagged
    ``retry:attempt:<n>``. What yields as it goes (streams, batches as completed) is not
    retried: what has been read cannot be taken back.

    Args:
        retry_exception_types: the exceptions to try again on, or a function that says so.
        wait_exponential_jitter: wait between attempts, longer each time; False: do not wait.
        exponential_jitter_params: how long.
        max_attempt_number: how many attempts, the first included; 0 means no end.
        **binding: as for ``RunnableBindingBase``.
    """

    _fields = (
        *RunnableBindingBase._fields,
        "retry_exception_types",
        "wait_exponential_jitter",
        "exponential_jitter_params",
        "max_attempt_number",
    )

    def __init__(
        self,
        *,
        bound: Runnable[Input, Output],
        retry_exception_types: (
            tuple[type[BaseException], ...] | Callable[[BaseException], bool]
        ) = (Exception,),
        wait_exponential_jitter: bool = True,
        exponential_jitter_params: ExponentialJitterParams | None = None,
        max_attempt_number: int = 3,
        **binding: Any,
    ) -> None:
        super().__init__(bound=bound, **binding)
        self.retry_exception_types = retry_exception_types
        self.wait_exponential_jitter = wait_exponential_jitter
        self.exponential_jitter_params = exponential_jitter_params
        self.max_attempt_number = max_attempt_number

    def _retries(self, error: BaseException) -> bool:
        if callable(self.retry_exception_types):
            return self.retry_exception_types(error)
        return isinstance(error, self.retry_exception_types or Exception)

    def _plan(self) -> Generator[_Attempt, Any, Any]:
        """Try until an answer is no ``Failed`` or there are no more attempts; the last answer."""
        waits: list[float] = []
        answer: Any = None
        for state in self._retrying(waits.append):
            # tenacity says how long to wait and when to stop. The waiting itself is a step,
            # because the sync and the async form wait differently.
            answer = yield _Attempt(waits.pop() if waits else 0.0, state.retry_state.attempt_number)
            if not isinstance(answer, Failed):
                break
            state.retry_state.set_result(answer)
        return answer

    def _retrying(self, sleep: Callable[[float], None]) -> Retrying:
        import tenacity  # lazy: only programs that retry pay for it

        how: dict[str, Any] = {}
        if self.max_attempt_number:
            how["stop"] = tenacity.stop_after_attempt(self.max_attempt_number)
        if self.wait_exponential_jitter:
            params: dict[str, Any] = {**(self.exponential_jitter_params or {})}
            known = inspect.signature(tenacity.wait_exponential_jitter).parameters
            if "initial" in params and "multiplier" in known:  # its name since tenacity 9.2
                params["multiplier"] = params.pop("initial")
            how["wait"] = tenacity.wait_exponential_jitter(**params)
        return tenacity.Retrying(
            sleep=sleep,
            retry=tenacity.retry_always,  # the plan asks only after an answer to be tried again
            retry_error_callback=lambda state: None,
            **how,
        )

    def _invoke(self, input: Input, run_manager: Run, **kwargs: Any) -> Output:
        call = super().invoke

        def attempt(step: _Attempt) -> Any:
            step.pause()
            try:
                return call(input, step.config(run_manager), **kwargs)
            except BaseException as error:
                if not self._retries(error):
                    raise
                return Failed(error)

        output: Output = answer_of(follow(self._plan(), attempt))
        return output

    async def _ainvoke(self, input: Input, run_manager: Run, **kwargs: Any) -> Output:
        call = super().ainvoke

        async def attempt(step: _Attempt) -> Any:
            await step.apause()
            try:
                return await call(input, step.config(run_manager), **kwargs)
            except BaseException as error:
                if not self._retries(error):
                    raise
                return Failed(error)

        output: Output = answer_of(await afollow(self._plan(), attempt))
        return output

    def invoke(self, input: Input, config: RunnableConfig | None = None, **kwargs: Any) -> Output:
        """Return the first output that an attempt gives; raise the last attempt's exception."""
        return self._call_with_config(self._invoke, input, config, **kwargs)

    async def ainvoke(
        self, input: Input, config: RunnableConfig | None = None, **kwargs: Any
    ) -> Output:
        """Return the first output that an attempt gives; raise the last attempt's exception."""
        return await self._acall_with_config(self._ainvoke, input, config, **kwargs)

    def _batch(self, inputs: list[Input], run_manager: list[Run], **kwargs: Any) -> list[Any]:
        call, pending = super().batch, _Pending(self._retries, inputs, run_manager)

        def attempt(step: _Attempt) -> Failed | None:
            step.pause()
            return pending.take(
                call(pending.inputs(), pending.configs(step), return_exceptions=True, **kwargs)
            )

        follow(self._plan(), attempt)
        return pending.outputs

    async def _abatch(
        self, inputs: list[Input], run_manager: list[Run], **kwargs: Any
    ) -> list[Any]:
        call, pending = super().abatch, _Pending(self._retries, inputs, run_manager)

        async def attempt(step: _Attempt) -> Failed | None:
            await step.apause()
            return pending.take(
                await call(
                    pending.inputs(), pending.configs(step), return_exceptions=True, **kwargs
                )
            )

        await afollow(self._plan(), attempt)
        return pending.outputs

    def batch(
        self,
        inputs: list[Input],
        config: RunnableConfig | list[RunnableConfig] | None = None,
        *,
        return_exceptions: bool = False,
        **kwargs: Any,
    ) -> list[Output]:
        """Batch the bound runnable; an attempt is made again with the inputs that failed."""
        return self._batch_with_config(
            self._batch, inputs, config, return_exceptions=return_exceptions, **kwargs
        )

    async def abatch(
        self,
        inputs: list[Input],
        config: RunnableConfig | list[RunnableConfig] | None = None,
        *,
        return_exceptions: bool = False,
        **kwargs: Any,
    ) -> list[Output]:
        """Batch the bound runnable; an attempt is made again with the inputs that failed."""
        return await self._abatch_with_config(
            self._abatch, inputs, config, return_exceptions=return_exceptions, **kwargs
        )


class _Pending:
    """The inputs of a batch that want another attempt, and what the others gave."""

    def __init__(
        self, retries: Callable[[BaseException], bool], inputs: list[Any], runs: list[Run]
    ) -> None:
        self._retries = retries
        self._inputs, self._runs = inputs, runs
        self._left = list(range(len(inputs)))
        self.outputs: list[Any] = [None] * len(inputs)

    def inputs(self) -> list[Any]:
        return [self._inputs[index] for index in self._left]

    def configs(self, step: _Attempt) -> list[RunnableConfig]:
        return [step.config(self._runs[index]) for index in self._left]

    def take(self, outputs: list[Any]) -> Failed | None:
        """Note an attempt's outputs; return ``Failed`` when what failed is tried again.

        The first failure decides for all of them, as in langchain-core.
        """
        failed: list[int] = []
        for index, output in zip(self._left, outputs, strict=True):
            self.outputs[index] = output
            if isinstance(output, Exception):
                failed.append(index)
        self._left = failed
        if not failed or not self._retries(self.outputs[failed[0]]):
            return None
        return Failed(self.outputs[failed[0]])
