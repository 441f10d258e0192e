"""The run config: how one is filled in, merged, patched, listed, and found in a context."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID, uuid4

import pytest
from opentelemetry import context as otel
from ways import CALLS, Way, captured_cleanly, every_way, threaded, traces

from otelbridge import (
    AsyncCallbackManager,
    CallbackManager,
    ConfigurationError,
    RunnableConfig,
    RunnableLambda,
    as_handler,
    current_run,
    dispatch_custom_event,
    ensure_config,
    get_config,
    get_config_list,
    merge_configs,
    patch_config,
    run_in_executor,
    start_run,
)
from otelbridge.config import (
    acall_func_with_variable_args,
    accepts_config,
    accepts_run_manager,
    call_func_with_variable_args,
    get_async_callback_manager_for_config,
    get_callback_manager_for_config,
    get_executor_for_config,
)

DEFAULTS = {
    "tags": [],
    "metadata": {},
    "callbacks": None,
    "recursion_limit": 25,
    "configurable": {},
}


def note(name: str) -> None:
    """A handler."""


def other(name: str) -> None:
    """Another handler."""


# ---------------------------------------------------------------------- filling in


@pytest.mark.parametrize("config", [None, {}, {"tags": None, "metadata": None, "run_name": None}])
def test_empty_config_is_filled_with_defaults(config: Any) -> None:
    """What is left out, or None, has its default."""
    assert ensure_config(config) == DEFAULTS


def test_filled_config_is_a_copy() -> None:
    """Changing it changes neither the caller's config nor its lists and dicts."""
    given: RunnableConfig = {"tags": ["a"], "metadata": {"k": 1}, "configurable": {"c": 1}}
    full = ensure_config(given)
    full["tags"].append("b")
    full["metadata"]["l"] = 2
    full["configurable"]["d"] = 2
    assert given == {"tags": ["a"], "metadata": {"k": 1}, "configurable": {"c": 1}}


def test_unknown_key_is_configurable() -> None:
    """It wins over the key of that name in configurable, wherever it stands."""
    first: Any = {"thread": 1, "configurable": {"thread": 2, "kept": 3}}
    last: Any = {"configurable": {"thread": 2, "kept": 3}, "thread": 1}
    for config in (first, last):
        assert ensure_config(config)["configurable"] == {"thread": 1, "kept": 3}


def test_config_is_filled_from_the_current_run() -> None:
    """Inside of a run its config comes between the defaults and the one given."""
    config: RunnableConfig = {
        "tags": ["t"],
        "metadata": {"k": 1},
        "configurable": {"c": 1},
        "max_concurrency": 3,
        "run_name": "mine",
    }
    with captured_cleanly():
        with start_run("job", config=config):
            full = ensure_config({"tags": ["u"]})
    assert full["tags"] == ["u"]
    assert full["metadata"] == {"k": 1}
    assert full["configurable"] == {"c": 1}
    assert full["max_concurrency"] == 3
    assert "run_name" not in full


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (["a"], r"The config is \['a'\]; it must be a dict, such as"),
        ("text", "The config is 'text'; it must be a dict"),
        ({"tags": "a"}, "tags is 'a'; it must be a list of strings"),
        ({"tags": 5}, "tags is 5; it must be a list of strings"),
        ({"metadata": ["a"]}, r"metadata is \['a'\]; it must be a dict"),
        ({"callbacks": note}, "it must be a list of handlers, as in"),
        ({"callbacks": "handler"}, "callbacks is 'handler'; it must be a list of handlers"),
    ],
)
@pytest.mark.parametrize("inside", [False, True], ids=["root", "in a run"])
def test_wrong_config_is_refused_with_its_cure(config: Any, message: str, inside: bool) -> None:
    """By ensure_config and by each call, and no span is left open."""

    def attempt() -> None:
        with pytest.raises(ConfigurationError, match=message):
            ensure_config(config)
        with pytest.raises(ConfigurationError, match=message):
            RunnableLambda(str).invoke(1, config)
        with pytest.raises(ConfigurationError, match=message):
            asyncio.run(RunnableLambda(str).ainvoke(1, config))
        with pytest.raises(ConfigurationError, match=message):
            list(RunnableLambda(str).stream(1, config))

    with captured_cleanly() as captured:
        if inside:
            with start_run("job"):
                attempt()
        else:
            attempt()
    assert captured.names == (["job"] if inside else [])


@pytest.mark.parametrize("run_id", ["not an id", 5, object()])
def test_wrong_run_id_is_refused(run_id: Any) -> None:
    """A run id is a UUID, or the text of one."""
    with pytest.raises(ConfigurationError, match=r"it must be a uuid\.UUID"):
        RunnableLambda(str).invoke(1, {"run_id": run_id})


def test_run_id_may_be_text() -> None:
    """The text of a UUID names the run as the UUID does."""
    given = uuid4()
    seen: list[UUID] = []
    config: Any = {"run_id": str(given), "callbacks": [lambda run_id: seen.append(run_id)]}
    RunnableLambda(lambda x: dispatch_custom_event("e", x)).invoke(1, config)
    assert seen == [given]


@every_way
def test_name_of_the_config_is_the_runs(way: Way) -> None:
    """An empty one is as none."""
    with captured_cleanly() as captured:
        way(RunnableLambda(str), 1, {"run_name": "mine"})
        way(RunnableLambda(str), 1, {"run_name": ""})
    assert traces(captured) == ["mine", "str"]


# ---------------------------------------------------------------------- configurable


@every_way
@pytest.mark.parametrize("key", ["thread_id", "model", "checkpoint_ns", "secret"])
def test_configurable_is_not_exported(way: Way, key: str) -> None:
    """Not even what handlers see in the metadata, until it is on the list of what may be."""
    seen: list[Any] = []
    config: Any = {
        "configurable": {key: "value"},
        "metadata": {"mine": "shown"},
        "callbacks": [{"handle_chain_start": lambda metadata: seen.append(metadata)}],
    }
    with captured_cleanly() as hidden:
        way(RunnableLambda(str), 1, config)
    with captured_cleanly(configurable_keys=[key]) as shown:
        way(RunnableLambda(str), 1, config)
    assert "value" not in str(hidden.as_dict())
    assert hidden.as_dict()["attributes"]["otelbridge.run.metadata.mine"] == "shown"
    if key != "secret":
        assert "value" in str(shown.as_dict()["attributes"])
    expected = {"mine": "shown"} | ({key: "value"} if key in ("model", "checkpoint_ns") else {})
    assert seen == [expected, expected]


def test_metadata_of_the_same_name_is_exported() -> None:
    """The user's own metadata leaves, also where configurable has the key with another value."""
    config: Any = {"configurable": {"model": "a"}, "metadata": {"model": "b"}}
    with captured_cleanly() as captured:
        RunnableLambda(str).invoke(1, config)
    assert captured.as_dict()["attributes"]["otelbridge.run.metadata.model"] == "b"


def test_only_texts_are_shown_to_handlers() -> None:
    """A model that is an object stays in configurable."""
    assert ensure_config({"configurable": {"model": object()}})["metadata"] == {}
    assert ensure_config({"configurable": {"model": "m"}})["metadata"] == {"model": "m"}


@every_way
@pytest.mark.parametrize(
    ("key", "attribute"),
    [
        ("session_id", "session.id"),
        ("user_id", "user.id"),
        ("conversation_id", "gen_ai.conversation.id"),
        ("thread_id", "gen_ai.conversation.id"),
    ],
)
def test_well_known_ids_are_semantic_attributes(way: Way, key: str, attribute: str) -> None:
    """From the metadata, else from what of configurable may leave; also below."""

    def inner(x: Any) -> Any:
        return RunnableLambda(str).invoke(x)

    with captured_cleanly() as captured:
        way(RunnableLambda(inner), 1, {"metadata": {key: "abc"}})
    assert [span.attributes[attribute] for span in captured.spans if span.attributes] == ["abc"] * 2
    with captured_cleanly(configurable_keys=[key]) as captured:
        way(RunnableLambda(inner), 1, {"configurable": {key: "abc"}})
    assert [span.attributes[attribute] for span in captured.spans if span.attributes] == ["abc"] * 2


# ---------------------------------------------------------------------- merging


def test_merged_config_has_all() -> None:
    """Tags united and sorted, dicts merged, the last set value of the rest."""
    run_id = uuid4()
    merged = merge_configs(
        {"tags": ["b", "a"], "metadata": {"k": 1, "l": 1}, "run_name": "first", "run_id": run_id},
        None,
        {"tags": ["c", "a"], "metadata": {"l": 2}, "configurable": {"c": 1}, "run_name": "last"},
        {"max_concurrency": 2, "recursion_limit": 7},
        {"recursion_limit": 25},
    )
    assert merged == {
        "tags": ["a", "b", "c"],
        "metadata": {"k": 1, "l": 2},
        "configurable": {"c": 1},
        "run_name": "last",
        "run_id": run_id,
        "max_concurrency": 2,
        "recursion_limit": 7,
    }
    assert merge_configs() == {}


def handlers_of(callbacks: Any) -> list[Any]:
    held = callbacks if isinstance(callbacks, list) else callbacks.handlers
    return [as_handler(handler) for handler in held]


@pytest.mark.parametrize("first", ["list", "manager"])
@pytest.mark.parametrize("second", ["list", "manager", "none"])
def test_merged_callbacks_have_the_handlers_of_both(first: str, second: str) -> None:
    """Of lists and managers alike; neither of them is changed."""
    kinds: dict[str, Callable[[Any], Any]] = {
        "list": lambda handler: [handler],
        "manager": lambda handler: CallbackManager([handler], [handler]),
        "none": lambda handler: None,
    }
    one, two = kinds[first](note), kinds[second](other)
    merged = merge_configs({"callbacks": one}, {"callbacks": two})["callbacks"]
    wanted = [as_handler(note)] + ([as_handler(other)] if second != "none" else [])
    assert sorted(map(repr, handlers_of(merged))) == sorted(map(repr, wanted))
    assert handlers_of(one) == [as_handler(note)]
    assert isinstance(merged, list) == (first == "list" and second != "manager")


# ---------------------------------------------------------------------- patching


def test_patched_config_has_the_values() -> None:
    """And is a whole copy of the other."""
    config: RunnableConfig = {"tags": ["t"], "run_name": "mine", "configurable": {"c": 1}}
    patched = patch_config(
        config, recursion_limit=3, max_concurrency=4, run_name="new", configurable={"d": 2}
    )
    assert patched == {
        **DEFAULTS,
        "tags": ["t"],
        "run_name": "new",
        "recursion_limit": 3,
        "max_concurrency": 4,
        "configurable": {"c": 1, "d": 2},
    }
    assert config == {"tags": ["t"], "run_name": "mine", "configurable": {"c": 1}}
    assert patch_config(None) == DEFAULTS


def test_patched_callbacks_mean_another_run() -> None:
    """Name and id are not those of the run that the config was made for."""
    manager = CallbackManager()
    patched = patch_config({"run_name": "mine", "run_id": uuid4()}, callbacks=manager)
    assert patched == {**DEFAULTS, "callbacks": manager}
    assert patch_config({}, callbacks=manager, run_name="new")["run_name"] == "new"


# ---------------------------------------------------------------------- lists


def test_one_config_serves_each_input() -> None:
    """As copies that share nothing."""
    first, second = get_config_list({"tags": ["t"]}, 2)
    first["tags"].append("u")
    assert second["tags"] == ["t"]
    assert get_config_list(None, 1) == [DEFAULTS]
    assert get_config_list(None, 0) == []
    assert [c["tags"] for c in get_config_list([{"tags": ["a"]}, {"tags": ["b"]}], 2)] == [
        ["a"],
        ["b"],
    ]


def test_config_list_of_another_length_is_refused() -> None:
    """So is a negative length."""
    with pytest.raises(ValueError, match="same length as inputs, but got 1 configs for 2 inputs"):
        get_config_list([{}], 2)
    with pytest.raises(ValueError, match=r"length must be >= 0, but got -1"):
        get_config_list(None, -1)


def test_run_id_is_for_the_first_input() -> None:
    """A warning says so, and the others have ids of their own."""
    run_id = uuid4()
    with pytest.warns(RuntimeWarning, match="used for the first input of the batch only"):
        first, second = get_config_list({"run_id": run_id}, 2)
    assert (first["run_id"], "run_id" in second) == (run_id, False)
    assert get_config_list({"run_id": run_id}, 1)[0]["run_id"] == run_id


# ---------------------------------------------------------------------- in a context


def test_config_outside_of_any_run_is_the_default() -> None:
    """Also for an OTel context that carries no run."""
    assert get_config() == DEFAULTS
    assert get_config(otel.Context()) == DEFAULTS


def in_copied_context(work: Callable[[], Any]) -> Any:
    return contextvars.copy_context().run(work)


def in_attached_context(work: Callable[[], Any]) -> Any:
    carried = otel.get_current()

    def body() -> Any:
        token = otel.attach(carried)
        try:
            return work()
        finally:
            otel.detach(token)

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(body).result()


def in_pool(work: Callable[[], Any]) -> Any:
    with get_executor_for_config(get_config()) as pool:
        return pool.submit(work).result()


@pytest.mark.parametrize("carry", [in_copied_context, threaded, in_attached_context, in_pool])
def test_config_is_carried_by_the_context(carry: Callable[[Callable[[], Any]], Any]) -> None:
    """Into copies of the context, threads and executors; events and runs find their run there."""

    def work() -> Any:
        dispatch_custom_event("carried", None)
        RunnableLambda(str).invoke(1)
        return get_config()["tags"], get_config()["metadata"]

    with captured_cleanly() as captured:
        with start_run("job", config={"tags": ["t"], "metadata": {"k": 1}}):
            assert carry(work) == (["t"], {"k": 1})
    assert traces(captured) == ["job #t *carried", "  str #t"]


async def test_config_is_carried_by_tasks_and_to_thread() -> None:
    """A task, asyncio.to_thread and run_in_executor have the run of whoever made them."""

    def work() -> Any:
        dispatch_custom_event("carried", None)
        return get_config()["tags"]

    async def awork() -> Any:
        return work()

    async def body(x: Any) -> Any:
        return [
            await asyncio.ensure_future(awork()),
            await asyncio.to_thread(work),
            await run_in_executor(None, work),
            await run_in_executor(get_config(), work),
        ]

    with captured_cleanly() as captured:
        assert await RunnableLambda(body).ainvoke(1, {"tags": ["t"]}) == [["t"]] * 4
    assert traces(captured) == ["body #t" + " *carried" * 4]


def test_config_of_any_otel_context_can_be_read() -> None:
    """Also of one that is not the current one, in a thread that carries nothing."""
    with captured_cleanly():
        with start_run("job", config={"tags": ["t"]}) as run:
            context = otel.get_current()
    assert get_config(context)["tags"] == ["t"]
    assert current_run(context) is run
    assert current_run() is None


@every_way
def test_config_by_hand_reaches_where_the_context_does_not(way: Way) -> None:
    """In a raw thread the config says whose child a run is, and whose event an event."""

    def body(x: Any, config: RunnableConfig) -> Any:
        def work() -> None:
            assert get_config() == DEFAULTS
            dispatch_custom_event("by hand", x, config=config)
            RunnableLambda(str).invoke(x, config)

        thread = threading.Thread(target=contextvars.Context().run, args=(work,))
        thread.start()
        thread.join()
        return x

    seen: list[Any] = []
    config: Any = {"tags": ["t"], "callbacks": [lambda name, tags: seen.append((name, tags))]}
    with captured_cleanly() as captured:
        assert way(RunnableLambda(body), 1, config) == 1
    assert traces(captured) == ["body #t *by hand", "  str #t"]
    assert seen == [("by hand", ["t"])]


each_call = pytest.mark.parametrize("way", CALLS, ids=lambda way: way.__name__)


@each_call
def test_explicit_config_beats_the_current_run(way: Way) -> None:
    """A run that is given another run's config is that run's child, not the current one's."""
    with captured_cleanly() as captured:
        with start_run("first", config={"tags": ["one"]}) as first:
            config: Any = {"callbacks": first.get_child(), "metadata": {"k": 1}}
            with start_run("second", config={"tags": ["two"]}):
                way(RunnableLambda(str), 1, config)
    assert captured.find("str").parent.span_id == first.span.get_span_context().span_id  # type: ignore[union-attr]


@each_call
def test_callbacks_of_a_call_add_to_the_current_runs(way: Way) -> None:
    """Handlers that are passed on never cut off what is inherited."""
    seen: list[str] = []

    def body(x: Any) -> Any:
        return RunnableLambda(lambda y: dispatch_custom_event("e", y)).invoke(
            x, {"callbacks": [lambda name: seen.append("inner")], "tags": ["u"]}
        )

    config: Any = {"callbacks": [lambda name: seen.append("outer")], "tags": ["t"]}
    with captured_cleanly() as captured:
        way(RunnableLambda(body), 1, config)
    assert seen == ["outer", "inner"]
    assert traces(captured) == ["body #t", "  RunnableLambda #t #u *e"]


# ---------------------------------------------------------------------- what functions take


def annotated(x: Any, settings: RunnableConfig) -> Any:
    return settings


def with_manager(x: Any, run_manager: Any) -> Any:
    return run_manager


def test_function_says_whether_it_takes_config_or_run() -> None:
    """By name or annotation."""
    assert [accepts_config(f) for f in (annotated, with_manager, note)] == [True, False, False]
    assert [accepts_run_manager(f) for f in (annotated, with_manager)] == [False, True]


async def test_function_is_called_with_what_it_takes() -> None:
    """With a run, the config is that of what runs below it."""
    config: RunnableConfig = {"tags": ["t"], "run_name": "mine"}
    assert call_func_with_variable_args(str, 1, config) == "1"
    assert call_func_with_variable_args(annotated, 1, config) is config

    async def aannotated(x: Any, config: RunnableConfig, run_manager: Any) -> Any:
        return config, run_manager

    with captured_cleanly():
        with start_run("job") as run:
            below, given = await acall_func_with_variable_args(aannotated, 1, config, run)
    assert given is run
    assert "run_name" not in below
    assert below["callbacks"].parent_run_id == run.run_id


def test_manager_of_a_config_has_its_parts() -> None:
    """Handlers, tags and metadata, in the sync and the async form."""
    config: RunnableConfig = {"callbacks": [note], "tags": ["t"], "metadata": {"k": 1}}
    for manager, kind in (
        (get_callback_manager_for_config(config), CallbackManager),
        (get_async_callback_manager_for_config(config), AsyncCallbackManager),
    ):
        assert type(manager) is kind
        assert manager.handlers == manager.inheritable_handlers == [as_handler(note)]
        assert (manager.tags, manager.inheritable_metadata) == (["t"], {"k": 1})


@every_way
def test_config_parameter_is_filled_in(way: Way) -> None:
    """A function that wants the config gets that of what runs below it."""

    def body(x: Any, config: RunnableConfig) -> Any:
        return config["tags"], config["configurable"], current_run() is not None

    assert way(RunnableLambda(body), 1, {"tags": ["t"], "configurable": {"c": 2}}) == (
        ["t"],
        {"c": 2},
        True,
    )


def chunks(x: Any, config: RunnableConfig) -> Iterator[Any]:
    yield from config["tags"]


async def achunks(x: Any, config: RunnableConfig) -> AsyncIterator[Any]:
    for tag in config["tags"]:
        yield tag


@every_way
def test_config_parameter_of_a_generator_is_filled_in(way: Way) -> None:
    """Of sync and async generator functions too."""
    assert way(RunnableLambda(chunks, achunks), 1, {"tags": ["a", "b"]}) == "ab"
