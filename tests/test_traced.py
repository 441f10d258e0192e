"""@traced: functions of every kind, each call of which is a run."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Generator, Iterator
from contextvars import ContextVar
from functools import partial
from typing import Any

import pytest
from ways import captured_cleanly, taken, threaded, traces

from otelbridge import current_run, dispatch_custom_event, start_run, traced

number: ContextVar[int] = ContextVar("number", default=0)


@traced
def double(x: int, *more: int, scale: int = 2) -> int:
    """Double."""
    dispatch_custom_event("doubling", x)
    return x * scale


@traced(name="doubled later", run_type="tool")
async def adouble(x: int) -> int:
    await asyncio.sleep(0)
    dispatch_custom_event("doubling", x)
    return x * 2


class Counter:
    """Methods of each kind."""

    @traced
    def method(self, x: int) -> int:
        return x

    @traced
    @staticmethod
    def static(x: int) -> int:
        return x

    @traced
    @classmethod
    def of_class(cls, x: int) -> tuple[type, int]:
        return cls, x

    @staticmethod
    @traced
    def inner_static(x: int) -> int:
        return x

    @property
    @traced
    def prop(self) -> int:
        return 3


def test_call_is_a_run() -> None:
    """The result, the name and the signature are the function's."""
    with captured_cleanly() as captured:
        assert double(2, 3, scale=5) == 10
        assert threaded(lambda: double(1)) == 2
    assert traces(captured) == ["double *doubling"] * 2
    assert (double.__name__, double.__doc__) == ("double", "Double.")
    assert str(inspect.signature(double)) == "(x: 'int', *more: 'int', scale: 'int' = 2) -> 'int'"
    assert inspect.iscoroutinefunction(adouble)


async def test_awaited_call_is_a_run() -> None:
    """With the name and type that were given."""
    with captured_cleanly() as captured:
        assert await adouble(2) == 4
        assert await asyncio.gather(adouble(1), adouble(3)) == [2, 6]
    assert traces(captured) == ["doubled later [tool] *doubling"] * 3


def test_methods_of_each_kind_are_traced() -> None:
    """Static and class methods in either order of decorators, and what is below a property."""
    counter = Counter()
    with captured_cleanly() as captured:
        assert counter.method(1) == 1
        assert Counter.static(1) == counter.static(1) == counter.inner_static(1) == 1
        assert counter.of_class(1) == (Counter, 1)
        assert counter.prop == 3
    assert traces(captured) == [
        "method",
        "static",
        "static",
        "inner_static",
        "of_class",
        "prop",
    ]


def test_wrong_place_is_told() -> None:
    """What cannot be called is refused, with the cure for a property."""
    with pytest.raises(TypeError, match="for a property, below @property"):
        traced(property(lambda self: 1))  # type: ignore[type-var]


def test_inputs_are_the_arguments_by_name() -> None:
    """Without self; surplus positional ones are args."""
    with captured_cleanly(capture_content=True) as captured:
        double(1, 2, 3, scale=4)
        Counter().method(5)
    assert [root["attributes"]["otelbridge.run.input"] for root in captured.as_dicts()] == [
        '{"x":1,"args":[2,3],"scale":4}',
        '{"x":5}',
    ]
    assert [root["attributes"]["otelbridge.run.output"] for root in captured.as_dicts()] == [
        "4",
        "5",
    ]


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_callable_objects_and_partials_are_traced(kind: str) -> None:
    """An object with __call__, sync or async, and a partial."""

    class Sync:
        def __call__(self, x: int) -> int:
            return x

    class Async:
        async def __call__(self, x: int) -> int:
            return x

    with captured_cleanly() as captured:
        if kind == "sync":
            assert traced(Sync())(1) == 1
            assert traced(name="part")(partial(max, 3))(1) == 3
            assert traces(captured) == ["traced", "part"]
        else:
            assert asyncio.run(traced(name="called")(Async())(1)) == 1
            assert traces(captured) == ["called"]


def fail(x: Any) -> Any:
    raise ValueError("no")


async def afail(x: Any) -> Any:
    raise ValueError("no")


def fail_later(x: Any) -> Iterator[Any]:
    yield x
    raise ValueError("no")


async def afail_later(x: Any) -> AsyncIterator[Any]:
    yield x
    raise ValueError("no")


@pytest.mark.parametrize("function", [fail, afail, fail_later, afail_later])
def test_exception_ends_the_run_and_goes_on(function: Any) -> None:
    """From functions of every kind."""
    call = traced(function)
    with captured_cleanly() as captured:
        with pytest.raises(ValueError, match="no"):
            result = call(1)
            if inspect.isgenerator(result):
                list(result)
            elif inspect.isasyncgen(result):
                asyncio.run(taken(result))
            else:
                asyncio.run(result)
    assert traces(captured) == [f"{function.__name__} !ValueError"]


# ---------------------------------------------------------------------- generators


@traced
def echo() -> Generator[Any, Any, str]:
    received: list[Any] = []
    while True:
        try:
            got = yield len(received)
        except KeyError as error:
            got = f"caught {error.args[0]}"
        if got is None:
            return ",".join(received)
        dispatch_custom_event("got", got)
        received.append(got)


@traced
async def aecho() -> Any:
    count = 0
    while True:
        try:
            got = yield count
        except KeyError as error:
            got = f"caught {error.args[0]}"
        await asyncio.sleep(0)
        if got is None:
            return
        dispatch_custom_event("got", got)
        count += 1


def test_generator_takes_send_throw_and_returns() -> None:
    """As without the decorator; its consumer never sees the run as the current one."""
    with captured_cleanly(capture_content=True) as captured:
        generator = echo()
        assert captured.names == []
        assert next(generator) == 0
        assert current_run() is None
        assert generator.send("a") == 1
        assert generator.throw(KeyError("k")) == 2
        with pytest.raises(StopIteration) as stopped:
            generator.send(None)
    assert stopped.value.value == "a,caught k"
    run = captured.as_dict()
    assert [data for _, data in run["events"]] == [{"data": "a"}, {"data": "caught k"}]
    assert run["attributes"]["otelbridge.run.output"] == "a,caught k"


async def test_async_generator_takes_asend_and_athrow() -> None:
    """As without the decorator."""
    with captured_cleanly() as captured:
        generator = aecho()
        assert await generator.__anext__() == 0
        assert current_run() is None
        assert await generator.asend("a") == 1
        assert await generator.athrow(KeyError("k")) == 2
        with pytest.raises(StopAsyncIteration):
            await generator.asend(None)
    assert traces(captured) == ["aecho *got *got"]


def test_generator_closed_early_is_closed_inside_of_its_run() -> None:
    """Its cleanup may dispatch; the run has the outcome closed."""

    @traced
    def body() -> Iterator[int]:
        try:
            yield 1
            yield 2
        finally:
            dispatch_custom_event("cleanup", None)

    with captured_cleanly() as captured:
        generator: Any = body()
        assert next(generator) == 1
        generator.close()
    assert traces(captured) == ["body *cleanup ~closed"]


async def test_async_generator_closed_early_is_closed_inside_of_its_run() -> None:
    """So does an async one, also where its cleanup awaits."""

    @traced
    async def body() -> AsyncIterator[int]:
        try:
            yield 1
            yield 2
        finally:
            await asyncio.sleep(0)
            dispatch_custom_event("cleanup", None)

    with captured_cleanly() as captured:
        generator: Any = body()
        assert await generator.__anext__() == 1
        await generator.aclose()
    assert traces(captured) == ["body *cleanup ~closed"]


# ---------------------------------------------------------------------- contexts


async def test_context_variables_set_inside_stay_set() -> None:
    """The decorator is transparent to them, in each kind of function."""

    @traced
    def set_it() -> None:
        number.set(1)

    @traced
    async def aset_it() -> None:
        number.set(number.get() + 1)

    @traced
    def generate() -> Iterator[None]:
        number.set(number.get() + 1)
        yield

    with captured_cleanly():
        set_it()
        assert number.get() == 1
        await aset_it()
        assert number.get() == 2
        list(generate())
        assert number.get() == 3


@pytest.mark.parametrize("kind", ["sync", "async", "generator", "async generator"])
def test_spans_of_the_user_nest_with_calls(kind: str) -> None:
    """A user's span in a body is a child of the run; what it calls in there the span's child."""
    with captured_cleanly() as captured:
        tracer = captured.tracer

        @traced
        def inner() -> None: ...

        @traced
        def body() -> None:
            with tracer.start_as_current_span("mine"):
                inner()

        @traced
        async def abody() -> None:
            with tracer.start_as_current_span("mine"):
                await asyncio.sleep(0)
                inner()

        @traced
        def generator() -> Iterator[None]:
            with tracer.start_as_current_span("mine"):
                yield
                inner()

        @traced
        async def agenerator() -> AsyncIterator[None]:
            with tracer.start_as_current_span("mine"):
                yield
                inner()

        with start_run("root"):
            if kind == "sync":
                body()
            elif kind == "generator":
                for _ in generator():
                    with start_run("consumer"):
                        pass

        async def main() -> None:
            if kind == "async":
                await abody()
            else:
                async for _ in agenerator():
                    with start_run("consumer"):
                        pass

        if kind.startswith("async"):
            asyncio.run(main())
    names = {
        span.name: [s.name for s in captured.spans if s.context and s.context == span.parent]
        for span in captured.spans
    }
    parents = {child: parent for child, (parent,) in ((c, p) for c, p in names.items() if p)}
    assert parents["inner"] == "mine"
    assert parents["mine"] in ("body", "abody", "generator", "agenerator")
    assert parents.get("consumer", "root") == "root"
