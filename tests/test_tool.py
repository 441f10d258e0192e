"""Tools: what they are told to be, how they are called, what their runs and their messages say."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from typing import Annotated, Any, Literal, Optional, Union

import langchain_core.tools as upstream
import pytest
from ways import (
    CALLS,
    WAYS,
    Way,
    cancelled,
    captured_cleanly,
    every_way,
    taken,
    traces,
)

import otelbridge.tools as ours
from otelbridge import (
    BaseCallbackHandler,
    BaseTool,
    RunnableConfig,
    RunnableLambda,
    Tool,
    ToolException,
    current_run,
    dispatch_custom_event,
    tool,
)
from otelbridge.runnables.tool import ToolMessage

each_call = pytest.mark.parametrize("way", CALLS, ids=lambda way: way.__name__)


@tool
def multiply(a: int, b: int = 2) -> int:
    """Multiply two numbers."""
    dispatch_custom_event("multiplying", {"a": a})
    return a * b


@tool
async def amultiply(a: int, b: int = 2) -> int:
    """Multiply two numbers."""
    dispatch_custom_event("multiplying", {"a": a})
    return a * b


class Hooks(BaseCallbackHandler):
    """Notes what the hooks of a tool are given."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = []

    def _note(self, hook: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        known = ("inputs", "name", "tool_call_id", "tags", "metadata")
        self.seen.append((hook, args, {key: kwargs[key] for key in known if key in kwargs}))

    def on_tool_start(self, *args: Any, **kwargs: Any) -> None:
        """A tool began."""
        self._note("start", args, kwargs)

    def on_tool_end(self, *args: Any, **kwargs: Any) -> None:
        """A tool ended."""
        self._note("end", args, kwargs)

    def on_tool_error(self, *args: Any, **kwargs: Any) -> None:
        """A tool failed."""
        self._note("error", args, kwargs)


@every_way
def test_tool_is_a_run_of_its_type(way: Way) -> None:
    """In every form a call is one run of type tool, with the events of the function."""
    with captured_cleanly() as captured:
        assert way(multiply, {"a": 3}, {"tags": ["t"]}) == 6
    assert traces(captured) == ["multiply [tool] #t *multiplying"]


@pytest.mark.parametrize("way", [way for way in WAYS if way.__name__.startswith("a")])
def test_coroutine_function_serves_the_async_forms(way: Way) -> None:
    """A tool of a coroutine function runs on the loop."""
    with captured_cleanly() as captured:
        assert way(amultiply, {"a": 3, "b": 3}) == 9
    assert traces(captured) == ["amultiply [tool] *multiplying"]


def test_coroutine_function_has_no_sync_form() -> None:
    """Calling it from sync code says what to do, and the run ends by that error."""
    with captured_cleanly() as captured:
        with pytest.raises(NotImplementedError, match="use ainvoke"):
            amultiply.invoke({"a": 1})
    assert traces(captured) == ["amultiply [tool] !NotImplementedError"]


def test_sync_function_does_not_block_the_loop() -> None:
    """In async code a sync function works in a thread, inside of the tool's run."""
    seen: list[Any] = []

    @tool
    def where(x: str) -> str:
        """Say where it runs."""
        run = current_run()
        seen.append((threading.current_thread() is threading.main_thread(), run and run.name))
        return x

    assert asyncio.run(where.ainvoke("x")) == "x"
    assert seen == [(False, "where")]


CALL = {"name": "multiply", "args": {"a": 2, "b": 5}, "id": "call-1", "type": "tool_call"}


@pytest.mark.skipif(
    version("langchain-core").startswith("1.0."), reason="tools there tell hooks no call id"
)
@each_call
@pytest.mark.parametrize(
    ("given", "config"),
    [
        ({"a": 2}, {}),
        ({"a": 2, "unknown": 1, "run_manager": 5}, {"run_name": "named"}),
        (CALL, {"tags": ["t"], "metadata": {"k": 1}}),
    ],
    ids=["dict", "more", "call"],
)
def test_hooks_are_given_what_upstream_gives(way: Way, given: Any, config: Any) -> None:
    """Serialized form, input text, inputs, call id and output are those of upstream's hooks."""
    seen = []
    for lib in (upstream, ours):

        @lib.tool  # type: ignore[attr-defined, untyped-decorator]
        def multiply(a: int, b: int = 2) -> int:
            """Multiply two numbers."""
            return a * b

        hooks = Hooks() if lib is ours else upstream_hooks()
        output = way(multiply, given, {**config, "callbacks": [hooks]})
        seen.append((plain(output), [(h, tuple(map(plain, a)), k) for h, a, k in hooks.seen]))
    assert seen[0] == seen[1]


def upstream_hooks() -> Any:
    from langchain_core.callbacks import BaseCallbackHandler as Base

    return type("Hooks", (Hooks, Base), {})()


def plain(output: Any) -> Any:
    """A tool message of either library as plain data."""
    if hasattr(output, "tool_call_id"):
        return (output.content, output.tool_call_id, output.name, output.status, output.artifact)
    return output


@each_call
def test_text_is_the_one_argument(way: Way) -> None:
    """A string goes to the first parameter, and is what the hooks are told."""

    @tool
    def shout(word: str, mark: str = "!") -> str:
        """Shout."""
        return word.upper() + mark

    hooks = Hooks()
    assert way(shout, "hello", {"callbacks": [hooks]}) == "HELLO!"
    assert hooks.seen[0][1][1] == "hello"
    assert hooks.seen[0][2]["inputs"] is None
    assert shout.is_single_input is False


@each_call
def test_tool_without_arguments_takes_any_text(way: Way) -> None:
    """Where nothing is taken, the text or dict given is dropped."""

    @tool
    def now() -> str:
        """Say when."""
        return "now"

    assert way(now, "") == way(now, "text") == way(now, {}) == "now"
    assert now.args == {}


@each_call
def test_other_input_is_a_type_error(way: Way) -> None:
    """An input that is neither text nor dict ends the run by an error that says what is taken."""
    with captured_cleanly() as captured:
        with pytest.raises(TypeError, match="takes a string or a dict"):
            way(multiply, 5)
    assert traces(captured) == ["multiply [tool] !TypeError"]


@each_call
def test_config_and_run_are_injected_and_hidden(way: Way) -> None:
    """Parameters for the config, the run and its callbacks are filled in and are no arguments."""

    @tool
    def inside(x: int, how: RunnableConfig, run_manager: Any, callbacks: Any = None) -> Any:
        """Look around."""
        run = current_run()
        assert run is run_manager
        dispatch_custom_event("by hand", x, config=how)
        RunnableLambda(str).invoke(x, {"callbacks": callbacks})
        return how["tags"], callbacks.parent_run_id == run_manager.run_id

    @tool
    def by_name(x: int, config: Any) -> Any:
        """Take it by name."""
        return config["metadata"]

    assert list(inside.args) == list(by_name.args) == ["x"]
    with captured_cleanly() as captured:
        assert way(inside, {"x": 1}, {"tags": ["t"]}) == (["t"], True)
        assert way(by_name, {"x": 1, "config": "mine"}, {"metadata": {"k": 1}}) == {"k": 1}
    name = "*by hand"
    assert traces(captured) == [f"inside [tool] #t {name}", "  str #t", "by_name [tool]"]


def failing(**options: Any) -> Any:
    @tool(**options)
    def fail(x: str = "x") -> str:
        """Fail."""
        raise ToolException(*([x] if x else []))

    return fail


@each_call
@pytest.mark.parametrize(
    ("handle", "given", "expected"),
    [
        (True, "broken", "broken"),
        (True, "", "Tool execution error"),
        ("a text", "broken", "a text"),
        (lambda error: f"made of {error}", "broken", "made of broken"),
    ],
)
def test_tool_exception_may_be_an_answer(way: Way, handle: Any, given: str, expected: str) -> None:
    """What handle_tool_error says becomes of it is the output, and the run ends well."""
    with captured_cleanly() as captured:
        assert way(failing(handle_tool_error=handle), given) == expected
        call = {"name": "fail", "args": {"x": given}, "id": "1", "type": "tool_call"}
        message = way(failing(handle_tool_error=handle), call)
    assert (message.content, message.status) == (expected, "error")
    assert traces(captured) == ["fail [tool]"] * 2


@each_call
def test_exceptions_are_raised_unchanged(way: Way) -> None:
    """A ToolException that is not handled, and any other, ends the run and passes."""
    error = KeyError("no")

    @tool
    def broken(x: str) -> str:
        """Break."""
        raise error

    hooks = Hooks()
    with captured_cleanly() as captured:
        with pytest.raises(ToolException, match="x"):
            way(failing(), {})
        with pytest.raises(KeyError) as caught:
            way(broken, "x", {"callbacks": [hooks]})
    assert caught.value is error
    assert error.__context__ is None
    assert hooks.seen[-1] == ("error", (error,), {"tool_call_id": None, "tags": []})
    assert traces(captured) == [
        "fail [tool] !otelbridge.tools.ToolException",
        "broken [tool] !KeyError",
    ]


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, GeneratorExit, StopIteration])
def test_interrupts_end_the_run_and_pass(error: type[BaseException]) -> None:
    """Whatever a tool is stopped by, its run ends."""

    @tool
    def stopped(x: str) -> str:
        """Stop."""
        raise error

    with captured_cleanly() as captured:
        with pytest.raises(error):
            stopped.invoke("x")
    outcome = "~closed" if error is GeneratorExit else f"!{error.__name__}"
    assert traces(captured) == [f"stopped [tool] {outcome}"]


def test_cancelling_a_tool_ends_its_run() -> None:
    """A cancelled tool ends as cancelled."""
    started = asyncio.Event()

    @tool
    async def wait(x: str) -> None:
        """Wait."""
        started.set()
        await asyncio.sleep(60)

    with captured_cleanly() as captured:
        cancelled(wait.ainvoke("x"), started)
    assert traces(captured) == ["wait [tool] ~cancelled"]


def test_exception_in_a_start_hook_leaves_no_run_unfinished() -> None:
    """A handler that raises at the start ends the tool's run."""

    class Refusing(BaseCallbackHandler):
        raise_error = True

        def on_tool_start(self, *args: Any, **kwargs: Any) -> None:
            raise RuntimeError("refused")

    for way in CALLS:
        with captured_cleanly() as captured:
            with pytest.raises(RuntimeError, match="refused"):
                way(multiply, {"a": 1}, {"callbacks": [Refusing()]})
        assert traces(captured) == ["multiply [tool] !RuntimeError"]


@pytest.mark.parametrize(
    ("output", "content"),
    [
        ("text", "text"),
        ({"ä": 1}, '{"ä": 1}'),
        (["a", {"type": "text", "text": "b"}], ["a", {"type": "text", "text": "b"}]),
        ([1, 2], "[1, 2]"),
        ({1}, "{1}"),
        (None, "null"),
    ],
)
def test_output_becomes_a_message_for_a_call(output: Any, content: Any) -> None:
    """Under a call's id text and blocks stay, anything else becomes JSON or text, as upstream's."""
    for lib in (upstream, ours):

        @lib.tool  # type: ignore[attr-defined, untyped-decorator]
        def give(x: int) -> Any:
            """Give."""
            return output

        call = {"name": "give", "args": {"x": 1}, "id": "c", "type": "tool_call"}
        assert plain(give.invoke(call)) == (content, "c", "give", "success", None)


def test_artifact_is_kept_beside_the_content() -> None:
    """With content_and_artifact a pair is split; anything else is an error."""

    @tool(response_format="content_and_artifact")
    def pair(x: Any) -> Any:
        """Give a pair."""
        return ("content", [x]) if x else x

    call = {"name": "pair", "args": {"x": 1}, "id": "c", "type": "tool_call"}
    assert pair.invoke(call) == ToolMessage("content", "c", "pair", artifact=[1])
    assert pair.invoke({"x": 1}) == "content"
    with pytest.raises(ValueError, match="two-tuple"):
        pair.invoke({"x": ""})
    message = ToolMessage("own", "other")
    assert Tool("give", lambda x: message, "Give.").invoke({**call, "args": {"x": 1}}) is message


def test_arguments_are_described_as_upstream_describes_them() -> None:
    """Types, defaults and titles of ``args`` are those of the JSON schema that upstream makes."""

    def work(
        text: str,
        number: int,
        ratio: float,
        flag: bool,
        raw: bytes,
        nothing: None,
        anything: Any,
        bare,  # type: ignore[no-untyped-def]
        some_list: list[int],
        plain_list: list,  # type: ignore[type-arg]
        mapping: dict[str, float],
        plain_dict: dict,  # type: ignore[type-arg]
        sequence: Sequence[str],
        table: Mapping[str, int],
        pair: tuple[int, str],
        many: tuple[int, ...],
        unique: set[int],
        choice: Literal["a", "b"],
        noted: Annotated[int, "note"],
        one: Optional[int] = None,  # noqa: UP045
        either: Union[int, str] = 1,  # noqa: UP007
        both: int | None = None,
        filled: str = "x",
    ) -> str:
        """Work."""
        return text

    assert tool(work).args == upstream.tool(work).args


def test_types_without_a_plain_schema_are_left_open() -> None:
    """What has no plain JSON form, or cannot be resolved, is described by its title alone."""

    class Local:
        pass

    def work(x: Local, y: Callable[[], None], z: Missing, w: Literal[1, "a"] = 1) -> None:  # type: ignore[name-defined]  # noqa: F821
        """Work."""

    assert tool(work).args == {
        "x": {"title": "X"},
        "y": {"title": "Y"},
        "z": {"title": "Z"},
        "w": {"title": "W", "default": 1},
    }


DOCUMENTED = """Do it.

    At once.

    Args:
        a_number: the number,
            counted from one.
        b (str): the text

    Returns:
        Nothing.
"""


def test_docstring_describes_the_arguments() -> None:
    """With parse_docstring the Args of a Google-style docstring describe them, as upstream's."""

    def work(a_number: int, b: str = "x") -> None:
        pass

    work.__doc__ = DOCUMENTED
    for lib in (upstream, ours):
        made: Any = lib.tool(parse_docstring=True)(work)  # type: ignore[attr-defined]
        assert made.description == "Do it. At once."
        assert made.args["a_number"]["description"] == "the number, counted from one."
        assert made.args["b"]["description"] == "the text"
    work.__doc__ = DOCUMENTED.replace("b (str)", "c (str)")
    with pytest.raises(ValueError, match="Arg c in docstring not found"):
        tool(parse_docstring=True)(work)
    work.__doc__ = "Do it."
    with pytest.raises(ValueError, match="no 'Args:' section"):
        tool(parse_docstring=True)(work)


def test_names_and_descriptions() -> None:
    """The name is the function's or the one given; so is the description."""

    def work(x: int) -> int:
        """Do the work.

        In two lines.
        """
        return x

    assert (tool(work).name, tool(work).description) == ("work", "Do the work.\n\nIn two lines.")
    named = tool("other", description="Another text.", return_direct=True)(work)
    assert (named.name, named.description, named.return_direct) == ("other", "Another text.", True)
    assert tool(work) == tool(work) != named
    assert repr(tool(work)).startswith("Tool(name='work', description='Do the work.")


def test_mistakes_raise_at_once() -> None:
    """What cannot become a tool says so, with upstream's kind of error."""

    def silent(x: int) -> int:
        return x

    for lib in (upstream, ours):
        with pytest.raises(ValueError, match="must have a docstring"):
            lib.tool(silent)  # type: ignore[attr-defined]
        with pytest.raises(ValueError, match="must be a string or a callable"):
            lib.tool(5)  # type: ignore[attr-defined]
        with pytest.raises(ValueError, match="must be provided"):
            lib.Tool.from_function(None, name="x", description="y")  # type: ignore[attr-defined]
    with pytest.raises(ValueError, match="needs a name"):
        tool(None, RunnableLambda(str))
    with pytest.raises(ValueError, match="must be provided"):
        Tool("x", None)
    with pytest.raises(TypeError, match="no field 'args_schema'"):
        tool(args_schema=dict)(multiply.func)
    with pytest.raises(TypeError, match="must be a string"):
        Tool(5, print)  # type: ignore[arg-type]


@each_call
def test_runnable_becomes_a_tool(way: Way) -> None:
    """A runnable that takes a dict is called with the tool's arguments, below the tool's run."""

    def total(given: dict[str, int]) -> int:
        return sum(given.values())

    made = tool("adding", RunnableLambda(total))
    with captured_cleanly() as captured:
        assert way(made, {"a": 1, "b": 2}, {"tags": ["t"]}) == 3
    assert traces(captured) == ["adding [tool] #t", "  total #t"]
    assert made.description == "RunnableLambda(total)"
    assert tool(description="Add.")(RunnableLambda(total)).name == "total"


class Greeter(BaseTool):
    """A tool written as a class."""

    name = "greeter"
    description = "Greet somebody."

    def _run(self, who: str, run_manager: Any = None) -> str:
        return f"hello {who} from {run_manager.name}"


class AsyncGreeter(Greeter):
    """The same with an async form of its own."""

    async def _arun(self, who: str, config: RunnableConfig) -> str:
        return f"async hello {who} {config['tags']}"


@each_call
def test_tools_may_be_classes(way: Way) -> None:
    """A class with _run is a tool; _arun is its async form, else _run in a thread."""
    with captured_cleanly() as captured:
        assert way(Greeter(), "Ada") == "hello Ada from greeter"
    assert traces(captured) == ["greeter [tool]"]
    assert Greeter().args == {"who": {"title": "Who", "type": "string"}}
    assert asyncio.run(AsyncGreeter().ainvoke("Ada", {"tags": ["t"]})) == "async hello Ada ['t']"
    with pytest.raises(NotImplementedError, match="neither _run nor _arun"):
        BaseTool(name="nothing").invoke("x")


def test_own_handlers_tags_and_metadata_are_for_the_tool_alone() -> None:
    """What a tool has of its own is its run's, beside the call's, and not that of runs below."""

    def body(x: str) -> str:
        return RunnableLambda(str).invoke(x)

    own, passed = Hooks(), Hooks()
    made = Tool("own", body, "Own.", callbacks=[own], tags=["own"], metadata={"own": 1})
    for way in CALLS:
        with captured_cleanly() as captured:
            way(made, "x", {"callbacks": [passed], "tags": ["called"]})
        assert sorted(traces(captured)[0].split()) == ["#called", "#own", "[tool]", "own"]
    assert [len(each.seen) for each in (own, passed)] == [6, 6]
    assert sorted(own.seen[0][2]["tags"]) == ["called", "own"]
    assert own.seen[0][2]["metadata"] == {"own": 1}


def test_run_takes_keys_of_the_config_by_name() -> None:
    """``run`` and ``arun`` call with plain arguments; config keys may be given by name."""
    hooks = Hooks()
    with captured_cleanly() as captured:
        assert multiply.run({"a": 1}, run_name="named", callbacks=[hooks]) == 2
        assert asyncio.run(amultiply.arun({"a": 1}, config={"tags": ["t"]})) == 2
        assert multiply.run({"a": 1}, tool_call_id="c").content == "2"
    assert traces(captured) == [
        "named [tool] *multiplying",
        "amultiply [tool] #t *multiplying",
        "multiply [tool] *multiplying",
    ]
    assert hooks.seen[-1][2]["name"] == "multiply"


def test_event_stream_of_a_tool() -> None:
    """A tool's start, custom events and end are in the event stream."""

    async def events() -> list[Any]:
        return await taken(multiply.astream_events({"a": 1}, version="v2"))

    assert [(event["event"], event["data"]) for event in asyncio.run(events())] == [
        ("on_tool_start", {"input": {"a": 1}}),
        ("on_custom_event", {"a": 1}),
        ("on_tool_end", {"output": 2}),
    ]


def test_tools_compose() -> None:
    """A tool is a runnable like any other: in sequences, with retries and listeners."""
    with captured_cleanly() as captured:
        sequence = RunnableLambda(lambda n: {"a": n}) | multiply | str
        assert sequence.invoke(4) == "8"
        assert multiply.with_retry().invoke({"a": 1}) == 2
    assert "  multiply [tool] #seq:step:2 *multiplying" in traces(captured)
