"""The callback manager: handlers, tags and metadata for the runs below a run."""

from __future__ import annotations

import copy
import pickle
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest
from langchain_core.callbacks.base import BaseCallbackManager

from otelbridge import AsyncCallbackManager, CallbackManager, RunnableLambda, as_handler, start_run
from otelbridge.manager import ManagerLike, is_manager

PARENT = uuid4()


def note(name: str) -> None:
    """A handler."""


def other(name: str) -> None:
    """Another."""


def state(manager: Any) -> dict[str, Any]:
    """Everything that a manager holds."""
    return {
        name: getattr(manager, name)
        for name in (
            "handlers",
            "inheritable_handlers",
            "parent_run_id",
            "tags",
            "inheritable_tags",
            "metadata",
            "inheritable_metadata",
        )
    }


FULL = {
    "handlers": [as_handler(note), as_handler(other)],
    "inheritable_handlers": [as_handler(note)],
    "parent_run_id": PARENT,
    "tags": ["a", "b"],
    "inheritable_tags": ["a"],
    "metadata": {"k": 1, "l": 2},
    "inheritable_metadata": {"k": 1},
}
EMPTY = {
    "handlers": [],
    "inheritable_handlers": [],
    "parent_run_id": None,
    "tags": [],
    "inheritable_tags": [],
    "metadata": {},
    "inheritable_metadata": {},
}

both = pytest.mark.parametrize("form", [CallbackManager, AsyncCallbackManager])


def full(form: Any = CallbackManager) -> Any:
    """A manager with a bit of everything."""
    return form(
        [note, other, note],
        [note],
        PARENT,
        tags=["a", "b"],
        inheritable_tags=["a"],
        metadata={"k": 1, "l": 2},
        inheritable_metadata={"k": 1},
    )


@both
def test_manager_holds_what_it_is_given(form: Any) -> None:
    """Handlers as handlers, each once; nothing where nothing is given."""
    assert state(full(form)) == FULL
    assert state(form()) == EMPTY
    assert full(form).is_async == (form is AsyncCallbackManager)
    assert repr(full(form)) == f"{form.__name__}(parent_run_id={PARENT}, tags=['a', 'b'])"


@both
def test_copy_shares_nothing(form: Any) -> None:
    """Changing it leaves the manager as it was."""
    manager = full(form)
    copied = manager.copy()
    assert type(copied) is form
    assert state(copied) == FULL
    copied.add_tags(["x"])
    copied.add_metadata({"x": 1})
    copied.set_handler(other)
    assert state(manager) == FULL


@both
def test_manager_is_made_of_what_callbacks_are(form: Any) -> None:
    """A list is inheritable; a manager of any kind is copied; nothing gives nothing."""
    assert state(form.of(None)) == EMPTY
    assert state(form.of([note]))["inheritable_handlers"] == [as_handler(note)]
    assert state(form.of(full())) == FULL


def test_duck_typed_manager_is_one() -> None:
    """Whatever has the attributes; no import of another library is needed."""
    seen: list[Any] = []
    handlers: list[Any] = [lambda name, tags: seen.append((name, tags))]
    duck = SimpleNamespace(
        handlers=handlers,
        inheritable_handlers=handlers,
        parent_run_id=None,
        tags=["t"],
        inheritable_tags=["t"],
        metadata={"k": 1},
        inheritable_metadata={"k": 1},
    )
    assert is_manager(duck)
    assert isinstance(duck, ManagerLike)
    assert not is_manager([note])
    assert CallbackManager.of(duck).tags == ["t"]
    with start_run("job", config={"callbacks": duck}) as run:
        run.event("e", 1)
    assert seen == [("e", ["t"])]


@both
def test_configured_manager_keeps_local_apart(form: Any) -> None:
    """What is local is not inherited."""
    manager = form.configure(
        [note],
        [other],
        inheritable_tags=["a"],
        local_tags=["b"],
        inheritable_metadata={"k": 1},
        local_metadata={"l": 2},
    )
    assert state(manager) == {**FULL, "parent_run_id": None}
    assert state(form.configure()) == EMPTY


def test_local_handlers_hear_of_their_run_alone() -> None:
    """Handlers, tags and metadata that are not inheritable end with the run."""
    seen: list[Any] = []

    def hearing(who: str) -> Any:
        return {"handle_chain_start": lambda name, tags: seen.append((who, name, tags))}

    manager = CallbackManager.configure(
        [hearing("all")], [hearing("local")], inheritable_tags=["a"], local_tags=["b"]
    )
    outer = RunnableLambda(lambda x: RunnableLambda(str).invoke(x))
    outer.invoke(1, {"callbacks": manager})
    assert seen == [
        ("all", "RunnableLambda", ["a", "b"]),
        ("local", "RunnableLambda", ["a", "b"]),
        ("all", "str", ["a"]),
    ]


def test_merged_manager_has_what_both_have() -> None:
    """Each handler and tag once, the first one's first; the metadata of the second wins."""
    second = CallbackManager(
        [other, print],
        [print],
        tags=["b", "c"],
        inheritable_tags=["c"],
        metadata={"l": 3},
        inheritable_metadata={"m": 4},
    )
    assert state(full().merge(second)) == {
        "handlers": [as_handler(note), as_handler(other), as_handler(print)],
        "inheritable_handlers": [as_handler(note), as_handler(print)],
        "parent_run_id": PARENT,
        "tags": ["a", "b", "c"],
        "inheritable_tags": ["a", "c"],
        "metadata": {"k": 1, "l": 3},
        "inheritable_metadata": {"k": 1, "m": 4},
    }
    assert second.merge(full()).parent_run_id == PARENT


def test_handlers_are_added_once_and_removed() -> None:
    """Also in another form of the same thing, and without a word where there is none."""
    manager = CallbackManager()
    manager.add_handler(note)
    manager.add_handler(note)
    manager.add_handler(other, inherit=False)
    assert manager.handlers == [as_handler(note), as_handler(other)]
    assert manager.inheritable_handlers == [as_handler(note)]
    manager.remove_handler(note)
    manager.remove_handler(note)
    assert (manager.handlers, manager.inheritable_handlers) == ([as_handler(other)], [])
    manager.set_handlers([note, other], inherit=False)
    assert (len(manager.handlers), manager.inheritable_handlers) == (2, [])
    manager.set_handler(note)
    assert manager.handlers == manager.inheritable_handlers == [as_handler(note)]


def test_tags_are_added_and_removed() -> None:
    """A tag that is there already moves to the end."""
    manager = full()
    manager.add_tags([])
    manager.add_tags(["a", "c"], inherit=False)
    assert (manager.tags, manager.inheritable_tags) == (["b", "a", "c"], [])
    manager.remove_tags(["a", "never there"])
    assert manager.tags == ["b", "c"]


def test_metadata_is_added_and_removed() -> None:
    """Here and for the child runs, or here alone."""
    manager = full()
    manager.add_metadata({})
    manager.add_metadata({"m": 3}, inherit=False)
    manager.add_metadata({"n": 4})
    assert manager.metadata == {"k": 1, "l": 2, "m": 3, "n": 4}
    assert manager.inheritable_metadata == {"k": 1, "n": 4}
    manager.remove_metadata(["k", "m", "never there"])
    assert (manager.metadata, manager.inheritable_metadata) == ({"l": 2, "n": 4}, {"n": 4})


def test_a_manager_is_known_to_langchain_and_copied_whole() -> None:
    """It is an instance of LangChain's base class too, by which LangGraph merges callbacks."""
    manager = full()
    assert isinstance(manager, BaseCallbackManager)
    assert isinstance(manager, CallbackManager)
    for copied in (copy.copy(manager), pickle.loads(pickle.dumps(manager))):
        assert type(copied) is CallbackManager
        assert state(copied) == state(manager)
