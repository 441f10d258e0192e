"""What the event stream is made of: a handler that turns what it is told into dicts.

LangChain's runs tell it as well, models and retrievers too. That it listens to streams LangChain
knows by its methods ``tap_output_iter`` and ``tap_output_aiter``, and LangGraph by a base class.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from types import new_class
from typing import Any, TypedDict, TypeVar, cast
from uuid import UUID

from otelbridge._elsewhere import base_of_listeners
from otelbridge.handlers import BaseCallbackHandler

T = TypeVar("T")


class _Event(TypedDict):
    event: str
    run_id: str
    name: str
    data: Any
    parent_ids: list[str]


class StreamEvent(_Event, total=False):
    """One event of an event stream.

    Attributes:
        event: ``on_<run type>_<start|stream|end|error>`` or ``on_custom_event``.
        run_id: text of the run's id.
        name: the run's name; of a custom event, the event's.
        tags: the run's.
        metadata: the run's.
        data: ``input``, ``output``, ``chunk`` or ``error``; of a custom event, its data.
        parent_ids: of the runs above, from the root down.
    """

    tags: list[str]
    metadata: dict[str, Any]


class _Filter:
    """Which events the consumer wants."""

    def __init__(self, options: Mapping[str, Sequence[str] | None]) -> None:
        self._options = options
        self._includes = any(options[f"include_{part}"] is not None for part in _PARTS)

    def wants(self, event: StreamEvent, kind: str) -> bool:
        values = {"names": [event["name"]], "types": [kind], "tags": event.get("tags") or []}
        if self._includes and not any(self._hits("include", part, values[part]) for part in _PARTS):
            return False
        return not any(self._hits("exclude", part, values[part]) for part in _PARTS)

    def _hits(self, verb: str, part: str, values: list[str]) -> bool:
        chosen = self._options[f"{verb}_{part}"]
        return chosen is not None and any(value in chosen for value in values)


_PARTS = ("names", "types", "tags")
OPTIONS = tuple(f"{verb}_{part}" for verb in ("include", "exclude") for part in _PARTS)


class _About(TypedDict):
    """What is kept of a live run."""

    name: str
    tags: list[str]
    metadata: dict[str, Any]
    kind: str
    parents: list[str]
    inputs: Any
    is_tapped: bool


_UNKNOWN: Any = object()


class Collector(BaseCallbackHandler):
    """Turns hooks into events. Subclasses say how an event is handed over.

    The methods return what a dispatching coroutine awaits for room, or None.
    """

    raise_error = False

    def __init__(self, options: Mapping[str, Sequence[str] | None], root: UUID, value: Any) -> None:
        self._filter = _Filter(options)
        self._runs: dict[UUID, _About] = {}
        self._root = root
        self._value = value
        self._first_run: str | None = None
        self.root_streams = False

    def __copy__(self) -> Collector:
        return self

    def __deepcopy__(self, memo: Any) -> Collector:
        return self

    def put(self, event: StreamEvent) -> Any:
        """Hand an event over."""
        raise NotImplementedError

    def _send(self, what: str, run_id: UUID, about: _About, data: Any) -> Any:
        event: StreamEvent = {
            "event": f"on_{about['kind']}_{what}",
            "run_id": str(run_id),
            "name": about["name"],
            "tags": about["tags"],
            "metadata": about["metadata"],
            "data": data,
            "parent_ids": about["parents"],
        }
        return self._offer(event, about["kind"])

    def _offer(self, event: StreamEvent, kind: str) -> Any:
        if not self._filter.wants(event, kind):
            return None
        # The first event that is sent has the stream's input, and its run's end has none
        # (langchain-core's convention); a custom event's data is the user's and stays as it is.
        if self._first_run is None:
            self._first_run = event["run_id"]
            if event["event"] != "on_custom_event":
                event["data"] = {**event["data"], "input": self._value}
        elif event["run_id"] == self._first_run and event["event"].endswith("_end"):
            event["data"].pop("input", None)
        return self.put(event)

    def _parents(self, parent_run_id: UUID | None) -> list[str]:
        if parent_run_id is None:
            return []
        above = self._runs.get(parent_run_id)
        return [*(above["parents"] if above else ()), str(parent_run_id)]

    def _started(
        self, kind: str, serialized: Any, inputs: Any, data: Any, run_id: UUID, kwargs: Any
    ) -> Any:
        about: _About = {
            "name": _name_of(kwargs.get("name"), serialized),
            "tags": kwargs.get("tags") or [],
            "metadata": kwargs.get("metadata") or {},
            "kind": kind,
            "parents": self._parents(kwargs.get("parent_run_id")),
            "inputs": inputs,
            "is_tapped": False,
        }
        self._runs[run_id] = about
        return self._send("start", run_id, about, data)

    def _ended(self, run_id: UUID, output: Any) -> Any:
        about = self._runs.pop(run_id, None)
        if about is None:
            return None
        return self._send("end", run_id, about, {"output": output, "input": about["inputs"]})

    def on_chain_start(self, serialized: Any, inputs: Any, *, run_id: UUID, **kwargs: Any) -> Any:
        to_come = _is_to_come(inputs)
        data = {} if to_come else {"input": inputs}
        kind = kwargs.get("run_type") or "chain"
        known = _UNKNOWN if to_come else inputs
        return self._started(kind, serialized, known, data, run_id, kwargs)

    def on_chain_end(self, outputs: Any, *, run_id: UUID, **kwargs: Any) -> Any:
        about = self._runs.pop(run_id, None)
        if about is None:
            return None
        known = None if about["inputs"] is _UNKNOWN else about["inputs"]
        inputs = kwargs.get("inputs") or known or {}
        return self._send("end", run_id, about, {"output": outputs, "input": inputs})

    def on_chain_error(self, error: BaseException, *, run_id: UUID, **kwargs: Any) -> Any:
        # Upstream streams no event here; the entry goes, so that nothing is kept.
        self._runs.pop(run_id, None)

    def on_tool_start(self, serialized: Any, input_str: str, *, run_id: UUID, **kwargs: Any) -> Any:
        inputs = kwargs.get("inputs")
        return self._started("tool", serialized, inputs, {"input": inputs or {}}, run_id, kwargs)

    def on_tool_end(self, output: Any, *, run_id: UUID, **kwargs: Any) -> Any:
        return self._ended(run_id, output)

    def on_tool_error(self, error: BaseException, *, run_id: UUID, **kwargs: Any) -> Any:
        about = self._runs.pop(run_id, None)
        if about is None:
            return None
        data = {
            "error": error,
            "input": about["inputs"],
            "tool_call_id": kwargs.get("tool_call_id"),
        }
        return self._send("error", run_id, about, data)

    def on_retriever_start(
        self, serialized: Any, query: str, *, run_id: UUID, **kwargs: Any
    ) -> Any:
        inputs = {"query": query}
        return self._started("retriever", serialized, inputs, {"input": inputs}, run_id, kwargs)

    def on_retriever_end(self, documents: Any, *, run_id: UUID, **kwargs: Any) -> Any:
        return self._ended(run_id, documents)

    def on_retriever_error(self, error: BaseException, *, run_id: UUID, **kwargs: Any) -> Any:
        self._runs.pop(run_id, None)

    def on_chat_model_start(
        self, serialized: Any, messages: list[list[Any]], *, run_id: UUID, **kwargs: Any
    ) -> Any:
        inputs = {"messages": messages}
        return self._started("chat_model", serialized, inputs, {"input": inputs}, run_id, kwargs)

    def on_llm_start(
        self, serialized: Any, prompts: list[str], *, run_id: UUID, **kwargs: Any
    ) -> Any:
        inputs = {"prompts": prompts}
        return self._started("llm", serialized, inputs, {"input": inputs}, run_id, kwargs)

    def on_llm_new_token(
        self, token: Any, *, run_id: UUID, chunk: Any = None, **kwargs: Any
    ) -> Any:
        about = self._runs.get(run_id)
        if about is None or run_id == self._root:
            return None  # the root's chunks are those that its consumer gets
        if chunk is None:  # a model that tells the text alone
            chunk = token
        elif about["kind"] == "chat_model":
            chunk = chunk.message
        return self._send("stream", run_id, about, {"chunk": chunk})

    def on_llm_end(self, response: Any, *, run_id: UUID, **kwargs: Any) -> Any:
        about = self._runs.get(run_id)
        return about and self._ended(run_id, _answer(about["kind"], response))

    def on_llm_error(self, error: BaseException, *, run_id: UUID, **kwargs: Any) -> Any:
        self._runs.pop(run_id, None)

    def tap_output_iter(self, run_id: UUID, output: Iterator[T]) -> Iterator[T]:
        """Yield ``output``, the chunks of a LangChain run."""
        told_of = self._tapped(run_id)
        for chunk in output:
            if told_of is not None:
                self._send("stream", run_id, told_of, {"chunk": chunk})
            yield chunk

    async def tap_output_aiter(self, run_id: UUID, output: AsyncIterator[T]) -> AsyncIterator[T]:
        """As ``tap_output_iter``, for an async iterator; a chunk waits for room."""
        told_of = self._tapped(run_id)
        async for chunk in output:
            if told_of is not None:
                wait = self._send("stream", run_id, told_of, {"chunk": chunk})
                if wait is not None:
                    await wait
            yield chunk

    def _tapped(self, run_id: UUID) -> _About | None:
        """Return what is known of a run whose chunks nobody tells yet."""
        about = self._runs.get(run_id)
        if about is None or about["is_tapped"]:
            return None
        about["is_tapped"] = True
        self.root_streams = self.root_streams or run_id == self._root
        return about

    def on_stream_chunk(self, chunk: Any, *, run_id: UUID, **kwargs: Any) -> Any:
        about = self._runs.get(run_id)
        if about is None:
            return None
        self.root_streams = self.root_streams or run_id == self._root
        return self._send("stream", run_id, about, {"chunk": chunk})

    def on_root_chunk(self, chunk: Any) -> Any:
        """Take a chunk that the consumer's stream gave, unless its run has told it already."""
        if self.root_streams:
            return None
        about = self._runs.get(self._root)
        return None if about is None else self._send("stream", self._root, about, {"chunk": chunk})

    def on_custom_event(
        self,
        name: str,
        data: Any,
        *,
        run_id: UUID,
        tags: list[str] | None = None,
        metadata: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> Any:
        about = self._runs.get(run_id)
        event: StreamEvent = {
            "event": "on_custom_event",
            "run_id": str(run_id),
            "name": name,
            "tags": tags or [],
            "metadata": metadata or {},
            "data": data,
            "parent_ids": about["parents"] if about else [],
        }
        return self._offer(event, name)


def _is_to_come(inputs: Any) -> bool:
    return isinstance(inputs, dict) and len(inputs) == 1 and inputs.get("input", 0) == ""


def _name_of(name: str | None, serialized: Any) -> str:
    """Return the name that LangChain's event stream gives a run."""
    if name:
        return name
    said = serialized if isinstance(serialized, Mapping) else {}
    path = said.get("id")
    return str(said.get("name") or (path[-1] if path else "Unnamed"))


def _answer(kind: str, response: Any) -> Any:
    """Return a model's output as LangChain's event stream gives it."""
    generations = response.generations
    if kind == "chat_model":
        return next((one.message for prompt in generations for one in prompt), {})
    told = ("text", "generation_info", "type")
    parts = [[{key: getattr(one, key) for key in told} for one in prompt] for prompt in generations]
    return {"generations": parts, "llm_output": response.llm_output}


C = TypeVar("C", bound=Collector)


def known_to_all(kind: type[C]) -> type[C]:
    """Return the class of collectors by which also LangGraph knows that they listen to streams."""
    base = base_of_listeners()
    if base is None:
        return kind
    if (kind, base) not in _marked:
        _marked[kind, base] = new_class(kind.__name__, (kind, base))
    return cast("type[C]", _marked[kind, base])


_marked: dict[tuple[type, type], type] = {}
