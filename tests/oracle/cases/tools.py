"""Tools: made from functions, called with a text or with arguments."""

from __future__ import annotations

from typing import Any

from .. import departures
from ..libraries import Library
from ..recorder import record
from . import case


@case()
def tool_says_what_it_is(lib: Library) -> Any:
    @lib.tool
    def total(a: int, b: int = 10) -> int:
        """Add two numbers."""
        return a + b

    @lib.tool("other name", description="another text")
    def shout(word: str) -> str:
        """Not this."""
        return word.upper()

    return [(made.name, made.description, sorted(made.args)) for made in (total, shout)]


@case()
def tool_called_with_arguments(lib: Library) -> Any:
    @lib.tool
    def total(a: int, b: int = 10) -> int:
        """Add two numbers."""
        return a + b

    seen = record(lib)
    config = {"callbacks": [seen.handler], "tags": ["t"], "metadata": {"k": 1}}
    return total.invoke({"a": 1}, config), total.invoke({"a": 1, "b": 2}, config), seen.calls()


@case()
def tool_called_with_a_text(lib: Library) -> Any:
    @lib.tool
    def shout(word: str) -> str:
        """Shout a word."""
        return word.upper()

    seen = record(lib)
    return shout.invoke("hello", {"callbacks": [seen.handler]}), seen.calls()


@case()
async def tool_called_in_async_code(lib: Library) -> Any:
    @lib.tool
    def shout(word: str) -> str:
        """Shout a word."""
        return word.upper()

    @lib.tool
    async def whisper(word: str) -> str:
        """Whisper a word."""
        return word.lower()

    seen = record(lib, asynchronous=True)
    config = {"callbacks": [seen.handler]}
    results = [await shout.ainvoke({"word": "Hi"}, config), await whisper.ainvoke("Hi", config)]
    return results, seen.calls()


@case()
def async_tool_called_in_sync_code(lib: Library) -> Any:
    @lib.tool
    async def whisper(word: str) -> str:
        """Whisper a word."""
        return word.lower()

    return whisper.invoke("Hi")


@case()
def tool_takes_the_config(lib: Library) -> Any:
    config_class = lib.RunnableConfig

    def where(word: str, config: Any) -> Any:
        """Say where it runs."""
        return word, sorted(config["tags"]), config["metadata"]

    where.__annotations__.update(word=str, config=config_class, **{"return": Any})
    made = lib.tool(where)
    result = made.invoke({"word": "a"}, {"tags": ["t"], "metadata": {"k": 1}})
    return result, sorted(made.args)


@case(departure=departures.own_config_of_a_tool)
def tool_dispatches_with_its_config(lib: Library) -> Any:
    def work(word: str, config: Any) -> str:
        """Work."""
        lib.dispatch_custom_event("working", word, config=config)
        return lib.RunnableLambda(str.upper, name="inner").invoke(word, config)

    work.__annotations__.update(word=str, config=lib.RunnableConfig)
    seen = record(lib)
    sequence = lib.RunnableLambda(lambda word: {"word": word}, name="pack") | lib.tool(work)
    return sequence.invoke("a", {"callbacks": [seen.handler], "tags": ["t"]}), seen.calls()


@case()
def tool_that_fails(lib: Library) -> Any:
    @lib.tool
    def broken(word: str) -> str:
        """Fail."""
        raise ValueError(word)

    seen = record(lib)
    try:
        broken.invoke({"word": "a"}, {"callbacks": [seen.handler]})
    except ValueError as error:
        return error, seen.calls()
    return None


@case()
def tool_with_a_run_name_and_a_name(lib: Library) -> Any:
    @lib.tool
    def shout(word: str) -> str:
        """Shout a word."""
        return word.upper()

    seen = record(lib)
    config = {"callbacks": [seen.handler], "run_name": "named"}
    return shout.invoke({"word": "a"}, config), seen.calls()


@case()
def tool_in_a_sequence_and_its_children(lib: Library) -> Any:
    @lib.tool
    def nested(word: str) -> str:
        """Call another."""
        return str(lib.RunnableLambda(len).invoke(word))

    seen = record(lib)
    sequence = lib.RunnableLambda(lambda word: {"word": word}) | nested | str
    return sequence.invoke("abc", {"callbacks": [seen.handler], "tags": ["t"]}), seen.calls()


@case()
def tool_in_a_batch_and_a_stream(lib: Library) -> Any:
    @lib.tool
    def shout(word: str) -> str:
        """Shout a word."""
        return word.upper()

    return shout.batch(["a", "b"]), list(shout.stream("c")), shout.get_name()


@case()
def tool_without_arguments(lib: Library) -> Any:
    @lib.tool
    def clock() -> str:
        """Tell the time."""
        return "now"

    seen = record(lib)
    return clock.invoke({}, {"callbacks": [seen.handler]}), seen.calls()


@case()
def tool_with_mixed_arguments(lib: Library) -> Any:
    @lib.tool
    def make(a: int, b: list[str], c: dict[str, int], d: str = "d") -> Any:
        """Take many kinds."""
        return [a, b, c, d]

    seen = record(lib)
    given = {"a": 1, "b": ["x"], "c": {"y": 2}}
    return make.invoke(given, {"callbacks": [seen.handler]}), seen.calls()


@case()
def tool_without_a_needed_argument(lib: Library) -> Any:
    @lib.tool
    def total(a: int, b: int) -> int:
        """Add two numbers."""
        return a + b

    seen = record(lib)
    try:
        total.invoke({"a": 1}, {"callbacks": [seen.handler]})
    except Exception:
        return [call[:2] for call in seen.calls()]
    return None
