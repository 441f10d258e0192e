"""A chat model for LangChain that answers by a script: the one module here that imports it."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias, cast

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel, LangSmithParams, LanguageModelInput
from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    BaseMessage,
    message_chunk_to_message,
)
from langchain_core.messages.tool import ToolCallChunk, tool_call, tool_call_chunk
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.runnables import Runnable
from langchain_core.tools import BaseTool
from langchain_core.utils.function_calling import convert_to_openai_tool

from otelbridge.testing._answer import Answer
from otelbridge.testing._script import Asked, Script

_Said: TypeAlias = "str | Answer | AIMessage | BaseException"
_Line: TypeAlias = "_Said | Callable[[list[BaseMessage]], _Said]"


class ScriptedChatModel(BaseChatModel):
    """A chat model that needs no network: it gives the answers that it was told to give, in order.

    Each answer is a text, an ``Answer``, an ``AIMessage``, an exception, which is raised, or a
    function that takes the messages and returns one of these. Any iterable of them will do:
    ``itertools.repeat(answer)`` never ends. Streams send tool calls in chunks, and usage and finish
    reason in the last one. Concurrent calls get the answers in the order in which they ask.

    >>> model = ScriptedChatModel(["Good morning.", Answer("Good bye.", delay_s=0.01)])
    >>> model.invoke("Hello!").content
    'Good morning.'
    >>> [chunk.content for chunk in model.stream("I must go.") if chunk.content]
    ['Good ', 'bye.']
    >>> [question.messages[-1].content for question in model.asked]
    ['Hello!', 'I must go.']

    Attributes:
        answers: the script; after the model is made, what is left of it.
        model: the name of the model, in requests and in answers.
        provider: the name of the provider, as LangChain tells it to tracers.
        temperature: told to tracers, as is ``max_tokens``; the answers are what they are.

    Raises:
        TypeError: an answer is nothing of the above: at once in a list, else when it is reached.
        AssertionError: the model is asked, and the script is over.
    """

    answers: Any
    model: str = "scripted"
    provider: str = "scripted"
    temperature: float | None = None
    max_tokens: int | None = None

    def __init__(self, answers: Iterable[_Line] | Script[_Line], **options: Any) -> None:
        super().__init__(**{"answers": _script(answers), **options})

    @property
    def asked(self) -> list[Asked]:
        """The questions so far, each with its ``messages`` and ``options``; it may be cleared."""
        return self._script.asked

    @property
    def _script(self) -> Script[_Line]:
        script: Script[_Line] = self.answers
        return script

    def bind_tools(
        self,
        tools: Sequence[dict[str, Any] | type | Callable[..., Any] | BaseTool],
        *,
        tool_choice: str | None = None,
        **kwargs: Any,
    ) -> Runnable[LanguageModelInput, AIMessage]:
        """Let the questions name these tools; whether an answer calls them is the script's choice.

        Returns:
            A runnable that asks this model, with ``tools`` in the form of OpenAI's API.
        """
        if tool_choice is not None:
            kwargs["tool_choice"] = tool_choice
        return self.bind(tools=[convert_to_openai_tool(tool) for tool in tools], **kwargs)

    @property
    def _llm_type(self) -> str:
        return "scripted-chat-model"

    @property
    def _identifying_params(self) -> Mapping[str, Any]:
        known = {"temperature": self.temperature, "max_tokens": self.max_tokens}
        return {"model": self.model, **{k: v for k, v in known.items() if v is not None}}

    def _get_ls_params(self, stop: list[str] | None = None, **kwargs: Any) -> LangSmithParams:
        params = super()._get_ls_params(stop=stop, **kwargs)
        params["ls_provider"] = self.provider
        return params

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        answer, message = self._next(messages, stop, kwargs)
        _pause(answer.delay_s)
        return _result(answer, message)

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        answer, message = self._next(messages, stop, kwargs)
        await _apause(answer.delay_s)
        return _result(answer, message)

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        answer, message = self._next(messages, stop, kwargs)
        _pause(answer.delay_s)
        for position, chunk in enumerate(_chunks(answer, message)):
            if position:
                _pause(answer.chunk_delay_s)
            yield chunk

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        answer, message = self._next(messages, stop, kwargs)
        await _apause(answer.delay_s)
        for position, chunk in enumerate(_chunks(answer, message)):
            if position:
                await _apause(answer.chunk_delay_s)
            yield chunk

    def _next(
        self, messages: list[BaseMessage], stop: list[str] | None, options: dict[str, Any]
    ) -> tuple[Answer, AIMessage]:
        """Return how the next answer comes, and what it says."""
        asked = Asked(list(messages), {**options, "stop": stop} if stop else options)
        line = _checked(self._script.next(asked), "the next answer")
        said = line(messages) if callable(line) else line
        if isinstance(said, str):
            said = Answer(said)
        elif isinstance(said, BaseException):
            said = Answer(error=said)
        if isinstance(said, Answer):
            return said, self._message(said, options)
        if not isinstance(said, AIMessage):
            raise TypeError(f"{line!r} returned {said!r}: {_CURE}")
        metadata = self._metadata(_reason(said.tool_calls), options)
        whole = cast("AIMessage", message_chunk_to_message(said))
        return Answer(), whole.model_copy(
            update={"response_metadata": {**metadata, **said.response_metadata}}
        )

    def _message(self, answer: Answer, options: Mapping[str, Any]) -> AIMessage:
        usage = answer.usage
        if usage is not None:
            usage = {"total_tokens": usage["input_tokens"] + usage["output_tokens"], **usage}
        return AIMessage(
            content=answer.content,
            tool_calls=[
                tool_call(
                    name=call["name"],
                    args=dict(call["args"]),
                    id=call.get("id") or next(self._script.call_ids),
                )
                for call in answer.tool_calls
            ],
            usage_metadata=usage,
            response_metadata=self._metadata(
                answer.finish_reason or _reason(answer.tool_calls), options
            ),
            id=answer.response_id,
        )

    def _metadata(self, finish_reason: str, options: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "finish_reason": finish_reason,
            "model_name": options.get("model", self.model),
            "model_provider": self.provider,
        }


_CURE = (
    "an answer is a text, an Answer, an AIMessage, an exception, or a function that takes the "
    "messages and returns one of these"
)


def _script(answers: Any) -> Script[_Line]:
    if isinstance(answers, Script):
        return answers
    if isinstance(answers, str | Answer | AIMessage) or not isinstance(answers, Iterable):
        raise TypeError(f"answers={answers!r}: give a list of answers")
    if isinstance(answers, Sequence):
        for position, line in enumerate(answers, 1):
            _checked(line, f"answer {position}")
    return Script(answers)


def _checked(line: Any, which: str) -> Any:
    known = isinstance(line, str | Answer | AIMessage | BaseException)
    if known or (callable(line) and not isinstance(line, type)):
        return line
    raise TypeError(f"{which} is {line!r}: {_CURE}")


def _reason(tool_calls: Sequence[Any]) -> str:
    return "tool_calls" if tool_calls else "stop"


def _pause(seconds: float | None) -> None:
    if seconds is not None:
        time.sleep(seconds)


async def _apause(seconds: float | None) -> None:
    if seconds is not None:
        await asyncio.sleep(seconds)


def _result(answer: Answer, message: AIMessage) -> ChatResult:
    _raise(answer.error)
    info = {"finish_reason": message.response_metadata["finish_reason"]}
    return ChatResult(generations=[ChatGeneration(message=message, generation_info=info)])


def _chunks(answer: Answer, message: AIMessage) -> Iterator[ChatGenerationChunk]:
    """Cut a message as an API would send it; added up, the chunks are the message."""
    content = message.content
    for part in answer.pieces(content) if isinstance(content, str) else ([it] for it in content):
        yield _chunk(message, content=part)
    empty: Any = "" if isinstance(content, str) else []
    for call in _tool_call_chunks(answer, message):
        yield _chunk(message, content=empty, tool_call_chunks=[call])
    _raise(answer.error)
    yield _chunk(
        message,
        content=empty,
        additional_kwargs=message.additional_kwargs,
        response_metadata=message.response_metadata,
        usage_metadata=message.usage_metadata,
        chunk_position="last",
    )


def _tool_call_chunks(answer: Answer, message: AIMessage) -> Iterator[ToolCallChunk]:
    """Name and id come first, then the arguments as pieces of JSON, as in OpenAI's API."""
    calls = [
        *((it["name"], it["id"], json.dumps(it["args"])) for it in message.tool_calls),
        *((it["name"], it["id"], it["args"] or "") for it in message.invalid_tool_calls),
    ]
    for index, (name, call_id, arguments) in enumerate(calls):
        yield tool_call_chunk(name=name, args="", id=call_id, index=index)
        for piece in answer.pieces(arguments):
            yield tool_call_chunk(args=piece, index=index)


def _chunk(message: AIMessage, **parts: Any) -> ChatGenerationChunk:
    return ChatGenerationChunk(message=AIMessageChunk(id=message.id, **parts))


def _raise(error: BaseException | None) -> None:
    if error is not None:
        # Without the frames of its last time: an error that is given often would keep them all.
        raise error.with_traceback(None)
