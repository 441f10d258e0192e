"""A local HTTP server that answers as the API of OpenAI does, for the real client to call."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any, Final

USAGE: Final = {
    "prompt_tokens": 30,
    "completion_tokens": 12,
    "total_tokens": 42,
    "prompt_tokens_details": {"cached_tokens": 8, "audio_tokens": 0},
    "completion_tokens_details": {"reasoning_tokens": 5, "audio_tokens": 0},
}
TOOL_CALL: Final = {
    "id": "call_7",
    "type": "function",
    "function": {"name": "weather", "arguments": '{"city": "Paris"}'},
}


class OpenAIServer:
    """What was asked, and what is answered.

    Attributes:
        base_url: of the API, as clients take it.
        asked: the JSON bodies of all requests, in order.
        finish_reasons: one for each choice of a chat's answer; ``tool_calls`` answers with a call.
        status: of every answer; from 400 on, the body is an error of the API.
    """

    def __init__(self, port: int) -> None:
        self.base_url = f"http://127.0.0.1:{port}/v1"
        self.port = port
        self.asked: list[dict[str, Any]] = []
        self.finish_reasons: Sequence[str] = ("stop",)
        self.status = 200

    def answer(self, path: str, asked: dict[str, Any]) -> list[dict[str, Any]]:
        """Return the answer's parts: one, or the chunks of a stream."""
        self.asked.append(asked)
        if path.endswith("/completions") and "chat" not in path:
            return self._completion(asked)
        return self._chat_chunks(asked) if asked.get("stream") else [self._chat(asked)]

    def _chat(self, asked: dict[str, Any]) -> dict[str, Any]:
        choices = [
            {"index": index, "message": _message(reason), "finish_reason": reason}
            for index, reason in enumerate(self.finish_reasons)
        ]
        return {**_head(asked, "chat.completion"), "choices": choices, "usage": USAGE}

    def _chat_chunks(self, asked: dict[str, Any]) -> list[dict[str, Any]]:
        head = _head(asked, "chat.completion.chunk")
        parts = []
        for delta in _deltas(self.finish_reasons[0]):
            parts.append({**head, "choices": [{"index": 0, "delta": delta}]})
        last = {"index": 0, "delta": {}, "finish_reason": self.finish_reasons[0]}
        parts.append({**head, "choices": [last]})
        if (asked.get("stream_options") or {}).get("include_usage"):
            parts.append({**head, "choices": [], "usage": USAGE})
        return parts

    def _completion(self, asked: dict[str, Any]) -> list[dict[str, Any]]:
        head = {**_head(asked, "text_completion"), "id": "cmpl-2"}
        if not asked.get("stream"):
            prompts = asked["prompt"] if isinstance(asked["prompt"], list) else [asked["prompt"]]
            choices = [
                {"index": n, "text": f"after {prompt}", "finish_reason": "length"}
                for n, prompt in enumerate(prompts)
            ]
            return [{**head, "choices": choices, "usage": USAGE}]
        texts = [("after", None), (" it", "length")]
        return [
            {**head, "choices": [{"index": 0, "text": text, "finish_reason": reason}]}
            for text, reason in texts
        ]


def _head(asked: dict[str, Any], kind: str) -> dict[str, Any]:
    model = f"{asked['model']}-2026-01-01"
    return {"id": "chatcmpl-1", "object": kind, "created": 1, "model": model}


def _message(reason: str) -> dict[str, Any]:
    if reason == "tool_calls":
        return {"role": "assistant", "content": None, "tool_calls": [TOOL_CALL]}
    return {"role": "assistant", "content": "It is sunny."}


def _deltas(reason: str) -> Iterator[dict[str, Any]]:
    if reason != "tool_calls":
        for text in ("It ", "is ", "sunny."):
            yield {"role": "assistant", "content": text}
        return
    for arguments in ("", '{"city": ', '"Paris"}'):
        function = {"name": "weather" if not arguments else None, "arguments": arguments}
        call = {"index": 0, "id": "call_7" if not arguments else None, "type": "function"}
        yield {"role": "assistant", "tool_calls": [{**call, "function": function}]}


@contextmanager
def serving() -> Iterator[OpenAIServer]:
    """Run a server for as long as the block runs."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if server.status >= 400:
                body = json.dumps({"error": {"message": "no", "type": "x", "code": "y"}}).encode()
                return self._send(server.status, "application/json", body)
            parts = server.answer(self.path, asked)
            if not asked.get("stream"):
                return self._send(200, "application/json", json.dumps(parts[0]).encode())
            lines = [f"data: {json.dumps(part)}\n\n" for part in parts] + ["data: [DONE]\n\n"]
            self._send(200, "text/event-stream", "".join(lines).encode())

        def _send(self, status: int, kind: str, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing: the tests read what was asked."""

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server = OpenAIServer(http.server_address[1])
    thread = Thread(target=http.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        http.shutdown()
        http.server_close()
        thread.join()
