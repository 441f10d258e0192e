"""The handler by which LangChain knows of us; imported once langchain-core is."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from langchain_core.callbacks.base import BaseCallbackHandler

from otelbridge._tracing import Redact
from otelbridge.langchain import _events
from otelbridge.langchain._settings import Settings


class OtelCallbackHandler(BaseCallbackHandler):
    """Traces the calls that it is given to: ``chain.invoke(..., {"callbacks": [handler]})``.

    Every run of such a call gets its span, as with ``instrument()``, and no other run does. Where
    both are in use, a run has one span. It sits in lists of handlers only to be found there:
    its methods are called where LangChain has changed so much that it cannot be entered, and after
    ``uninstrument()``: a call that begins then is traced again.

    Args:
        tracer_provider: makes the spans; the global one when left out.
        meter_provider: makes the metrics; the global one when left out.
        include_hidden: give LangGraph's plumbing (tagged ``langsmith:hidden``) spans of its own.
        writer_events: record what is written to LangGraph's stream writers as custom events.
        capture_content: record messages, arguments and results; off when left out, or what
            ``OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT`` says.
        redact: called as ``redact(key, value)`` for every value that leaves.
        denied_keys: key names whose values are never recorded.

    Raises:
        ConfigurationError: an argument cannot be used.
    """

    serves_otelbridge = True  # no hook of it is for native runs, and upstream need not call it

    def __init__(
        self,
        tracer_provider: Any = None,
        meter_provider: Any = None,
        *,
        include_hidden: bool = False,
        writer_events: bool = True,
        capture_content: bool | None = None,
        redact: Redact | None = None,
        denied_keys: Collection[str] | None = None,
    ) -> None:
        self.settings = Settings(
            tracer_provider,
            meter_provider,
            include_hidden=include_hidden,
            writer_events=writer_events,
            capture_content=capture_content,
            redact=redact,
            denied_keys=denied_keys,
        )
        from otelbridge.langchain import _installed

        _installed.install()

    def __copy__(self) -> OtelCallbackHandler:
        return self

    def __deepcopy__(self, memo: Any) -> OtelCallbackHandler:
        return self

    def __reduce__(self) -> Any:
        return OtelCallbackHandler, ()  # providers stay in their process

    def _hear(self, event: str, args: tuple[Any, ...], words: dict[str, Any]) -> None:
        """Take a callback that only comes here where LangChain is not entered."""
        from otelbridge.langchain import _installed

        if not _installed.is_in_place() and not self._comes_back(event, words):
            return
        _events.hear(self.settings, event, args, words)

    def _comes_back(self, event: str, words: dict[str, Any]) -> bool:
        """Return whether a new call begins, after ``uninstrument()``: LangChain is entered again.

        What was under way then goes on untraced.
        """
        from otelbridge.langchain import _installed

        is_new = event.endswith("_start") and words.get("parent_run_id") is None
        if is_new:
            _installed.install()
        return is_new

    def on_chain_start(self, serialized: Any, inputs: Any, **words: Any) -> None:
        """Begin a run, where callbacks are all that there is."""
        self._hear("on_chain_start", (serialized, inputs), words)

    def on_chat_model_start(self, serialized: Any, messages: Any, **words: Any) -> None:
        """As ``on_chain_start``."""
        self._hear("on_chat_model_start", (serialized, messages), words)

    def on_llm_start(self, serialized: Any, prompts: Any, **words: Any) -> None:
        """As ``on_chain_start``."""
        self._hear("on_llm_start", (serialized, prompts), words)

    def on_tool_start(self, serialized: Any, input_str: Any, **words: Any) -> None:
        """As ``on_chain_start``."""
        self._hear("on_tool_start", (serialized, input_str), words)

    def on_retriever_start(self, serialized: Any, query: Any, **words: Any) -> None:
        """As ``on_chain_start``."""
        self._hear("on_retriever_start", (serialized, query), words)

    def on_chain_end(self, outputs: Any, **words: Any) -> None:
        """End a run, where callbacks are all that there is."""
        self._hear("on_chain_end", (outputs,), words)

    def on_llm_end(self, response: Any, **words: Any) -> None:
        """As ``on_chain_end``."""
        self._hear("on_llm_end", (response,), words)

    def on_tool_end(self, output: Any, **words: Any) -> None:
        """As ``on_chain_end``."""
        self._hear("on_tool_end", (output,), words)

    def on_retriever_end(self, documents: Any, **words: Any) -> None:
        """As ``on_chain_end``."""
        self._hear("on_retriever_end", (documents,), words)

    def on_chain_error(self, error: BaseException, **words: Any) -> None:
        """End a run that has failed, where callbacks are all that there is."""
        self._hear("on_chain_error", (error,), words)

    def on_llm_error(self, error: BaseException, **words: Any) -> None:
        """As ``on_chain_error``."""
        self._hear("on_llm_error", (error,), words)

    def on_tool_error(self, error: BaseException, **words: Any) -> None:
        """As ``on_chain_error``."""
        self._hear("on_tool_error", (error,), words)

    def on_retriever_error(self, error: BaseException, **words: Any) -> None:
        """As ``on_chain_error``."""
        self._hear("on_retriever_error", (error,), words)

    def on_llm_new_token(self, token: Any, **words: Any) -> None:
        """Note the time of a chunk."""
        self._hear("on_llm_new_token", (token,), words)

    def on_custom_event(self, name: str, data: Any, **words: Any) -> None:
        """Record a custom event, where callbacks are all that there is."""
        self._hear("on_custom_event", (name, data), words)


class Hook(OtelCallbackHandler):
    """The one that ``instrument()`` puts among the handlers of every call."""

    # Upstream asks whether it is one of its own streaming handlers: a protocol that is checked at
    # run time, which takes longer than ending a span unless the answer is found here.
    tap_output_aiter = None
    tap_output_iter = None

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def __reduce__(self) -> Any:
        return _hook_of_process, ()

    def _comes_back(self, event: str, words: dict[str, Any]) -> bool:
        return False


def _hook_of_process() -> OtelCallbackHandler:
    from otelbridge.langchain import _installed

    return _installed.hook() or OtelCallbackHandler()


def split(handlers: list[Any]) -> tuple[OtelCallbackHandler | None, list[Any]]:
    """Return ours among ``handlers``, or None, and the others; one given to a call goes first."""
    if not handlers:
        return None, handlers
    last = handlers[-1]
    if type(last) is Hook:  # where LangChain puts it, behind those that a call is given
        others = handlers[:-1]
        for handler in others:
            if isinstance(handler, OtelCallbackHandler):
                break
        else:
            return last, others
    ours = None
    others = []
    for handler in handlers:
        if not isinstance(handler, OtelCallbackHandler):
            others.append(handler)
        elif ours is None or type(ours) is Hook:
            ours = handler
    return ours, others
