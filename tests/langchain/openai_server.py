"""An HTTP server on this machine that speaks OpenAI's API of chats and completions by a script.

The real client of langchain-openai talks to it, so what it sends and how it streams are its own::

    with openai_server(["Hello.", ApiError(429, "slow down")]) as server:
        ChatOpenAI(model="gpt-4o-mini", base_url=server.url, api_key="none").invoke("Hi!")

What the API sends: https://platform.openai.com/docs/api-reference/chat
"""

from __future__ import annotations

import itertools
import json
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from otelbridge.testing import Answer

MODEL = "gpt-4o-mini-2024-07-18"
"""What the answers name as their model, whichever was asked for, as the real API does."""


@dataclass(frozen=True)
class ApiError:
    """A refusal: its HTTP status, and the message and code in its body."""

    status: int
    message: str = "refused"
    code: str | None = None


@dataclass
class Server:
    """What the server was sent: the body and the headers, in lower case, of each request."""

    url: str = ""
    requests: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)


class _Http(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 100


@contextmanager
def openai_server(answers: Iterable[str | Answer | ApiError]) -> Iterator[Server]:
    """Give each request the next answer; past the last one, HTTP status 500 with the reason.

    An ``Answer`` with an ``error`` breaks the connection, after its content where it is streamed.
    """
    server = Server()
    script = iter(answers)
    ids = map("chatcmpl-{}".format, itertools.count(1))
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"  # whose chunks tell a broken stream from one that is over

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            with lock:
                server.requests.append(body)
                server.headers.append({k.lower(): v for k, v in self.headers.items()})
                answer = next(script, ApiError(500, "the script of the test's server is over"))
            if self.path not in ("/v1/chat/completions", "/v1/completions"):
                answer = ApiError(404, f"this server knows no {self.path}")
            with suppress(ConnectionError):  # the client has gone
                self._answer(Answer(answer) if isinstance(answer, str) else answer, body)

        def _answer(self, answer: Answer | ApiError, body: dict[str, Any]) -> None:
            if isinstance(answer, ApiError):
                error = {"message": answer.message, "type": "error", "code": answer.code}
                return self._send(answer.status, {"error": error})
            time.sleep(answer.delay_s or 0)
            head = {"id": next(ids), "created": 1, "model": MODEL}
            if "prompt" in body:
                return self._send(200, {**head, **_text_completion(answer, body)})
            if body.get("stream"):
                usage = (body.get("stream_options") or {}).get("include_usage", False)
                return self._stream(head, answer, usage=usage)
            if answer.error is None:
                self._send(200, {**head, "object": "chat.completion", **_completion(answer, body)})
            self.close_connection = True
            return None

        def _send(self, status: int, value: dict[str, Any]) -> None:
            content = json.dumps(value).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.send_header("Connection", "close")
            self.end_headers()
            self.wfile.write(content)

        def _stream(self, head: dict[str, Any], answer: Answer, *, usage: bool) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream")
            self.send_header("Transfer-Encoding", "chunked")
            self.send_header("Connection", "close")
            self.end_headers()
            for position, part in enumerate(_chunks(answer, usage=usage)):
                if position:
                    time.sleep(answer.chunk_delay_s or 0)
                self._event(json.dumps({**head, "object": "chat.completion.chunk", **part}))
            if answer.error is None:
                self._event("[DONE]")
                self.wfile.write(b"0\r\n\r\n")

        def _event(self, text: str) -> None:
            event = f"data: {text}\n\n".encode()
            self.wfile.write(b"%x\r\n%b\r\n" % (len(event), event))

        def log_message(self, format: str, *args: object) -> None:
            pass

    with _Http(("127.0.0.1", 0), Handler) as http:
        server.url = f"http://127.0.0.1:{http.server_port}/v1"
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            http.shutdown()
            thread.join()


def _completion(answer: Answer, body: dict[str, Any]) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": answer.content or None}
    if answer.tool_calls:
        message["tool_calls"] = [
            {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}}
            for call_id, name, arguments in _calls(answer)
        ]
    choice = {"message": message, "finish_reason": _reason(answer)}
    choices = [{**choice, "index": index} for index in range(body.get("n", 1))]
    return {"choices": choices, **_used(answer)}


def _text_completion(answer: Answer, body: dict[str, Any]) -> dict[str, Any]:
    """Complete each prompt of a request that does not stream."""
    prompts = body["prompt"] if isinstance(body["prompt"], list) else [body["prompt"]]
    choice = {"text": answer.content, "finish_reason": _reason(answer)}
    choices = [{**choice, "index": index} for index in range(len(prompts))]
    return {"object": "text_completion", "choices": choices, **_used(answer)}


def _used(answer: Answer) -> dict[str, Any]:
    return {"usage": _usage(answer.usage)} if answer.usage else {}


def _chunks(answer: Answer, *, usage: bool) -> Iterator[dict[str, Any]]:
    yield _delta(role="assistant", content="")
    for piece in answer.pieces(str(answer.content)):
        yield _delta(content=piece)
    for index, (call_id, name, arguments) in enumerate(_calls(answer)):
        function = {"name": name, "arguments": ""}
        call = {"index": index, "id": call_id, "type": "function", "function": function}
        yield _delta(tool_calls=[call])
        for piece in answer.pieces(arguments):
            yield _delta(tool_calls=[{"index": index, "function": {"arguments": piece}}])
    if answer.error is None:
        yield {"choices": [{"index": 0, "delta": {}, "finish_reason": _reason(answer)}]}
        if usage and answer.usage:
            yield {"choices": [], "usage": _usage(answer.usage)}


def _delta(**delta: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": delta, "finish_reason": None}]}


def _calls(answer: Answer) -> Iterator[tuple[str, str, str]]:
    for number, call in enumerate(answer.tool_calls, 1):
        yield call.get("id") or f"call_{number}", call["name"], json.dumps(call["args"])


def _reason(answer: Answer) -> str:
    return answer.finish_reason or ("tool_calls" if answer.tool_calls else "stop")


def _usage(usage: Mapping[str, Any]) -> dict[str, Any]:
    read, written = usage["input_tokens"], usage["output_tokens"]
    cached = usage.get("input_token_details", {}).get("cache_read", 0)
    reasoning = usage.get("output_token_details", {}).get("reasoning", 0)
    return {
        "prompt_tokens": read,
        "completion_tokens": written,
        "total_tokens": read + written,
        "prompt_tokens_details": {"cached_tokens": cached},
        "completion_tokens_details": {"reasoning_tokens": reasoning},
    }
