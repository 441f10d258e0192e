"""The GenAI semantic conventions: every key, span name and metric that the integration writes.

Two versions are known. `PUBLISHED` is the default: 1.41.1, the last one in OpenTelemetry's own
registry, the names of which backends, dashboards and the ``opentelemetry-semantic-conventions``
package have (https://github.com/open-telemetry/semantic-conventions/tree/v1.41.1/docs/gen-ai).
`NEWEST` is what has been made of it since in a repository of its own, with other metrics
(https://github.com/open-telemetry/semantic-conventions-genai, 0.1.0 and what its migration guide
lists). It is chosen, in place of the other, by ``OTEL_SEMCONV_STABILITY_OPT_IN`` with
``gen_ai_latest_experimental`` among its comma-separated values, as the conventions say. Versions up
to 1.36, with ``gen_ai.system`` and events for messages, are never written.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Final

from otelbridge._record import Record

OPT_IN_VARIABLE: Final = "OTEL_SEMCONV_STABILITY_OPT_IN"
OPT_IN_VALUE: Final = "gen_ai_latest_experimental"

OPERATION_NAME: Final = "gen_ai.operation.name"
PROVIDER_NAME: Final = "gen_ai.provider.name"
OUTPUT_TYPE: Final = "gen_ai.output.type"

REQUEST_MODEL: Final = "gen_ai.request.model"
REQUEST_CHOICE_COUNT: Final = "gen_ai.request.choice.count"
REQUEST_FREQUENCY_PENALTY: Final = "gen_ai.request.frequency_penalty"
REQUEST_MAX_TOKENS: Final = "gen_ai.request.max_tokens"
REQUEST_PRESENCE_PENALTY: Final = "gen_ai.request.presence_penalty"
REQUEST_SEED: Final = "gen_ai.request.seed"
REQUEST_STOP_SEQUENCES: Final = "gen_ai.request.stop_sequences"
REQUEST_STREAM: Final = "gen_ai.request.stream"
REQUEST_TEMPERATURE: Final = "gen_ai.request.temperature"
REQUEST_TOP_K: Final = "gen_ai.request.top_k"
REQUEST_TOP_P: Final = "gen_ai.request.top_p"

RESPONSE_FINISH_REASONS: Final = "gen_ai.response.finish_reasons"
RESPONSE_ID: Final = "gen_ai.response.id"
RESPONSE_MODEL: Final = "gen_ai.response.model"
RESPONSE_TIME_TO_FIRST_CHUNK: Final = "gen_ai.response.time_to_first_chunk"

USAGE_INPUT_TOKENS: Final = "gen_ai.usage.input_tokens"
USAGE_OUTPUT_TOKENS: Final = "gen_ai.usage.output_tokens"
USAGE_CACHE_READ: Final = "gen_ai.usage.cache_read.input_tokens"
USAGE_REASONING: Final = "gen_ai.usage.reasoning.output_tokens"

AGENT_NAME: Final = "gen_ai.agent.name"

TOOL_NAME: Final = "gen_ai.tool.name"
TOOL_TYPE: Final = "gen_ai.tool.type"
TOOL_DESCRIPTION: Final = "gen_ai.tool.description"
TOOL_CALL_ID: Final = "gen_ai.tool.call.id"

SERVER_ADDRESS: Final = "server.address"
SERVER_PORT: Final = "server.port"

# Content: recorded only where it is asked for.
SYSTEM_INSTRUCTIONS: Final = "gen_ai.system_instructions"
INPUT_MESSAGES: Final = "gen_ai.input.messages"
OUTPUT_MESSAGES: Final = "gen_ai.output.messages"
TOOL_DEFINITIONS: Final = "gen_ai.tool.definitions"
TOOL_CALL_ARGUMENTS: Final = "gen_ai.tool.call.arguments"
TOOL_CALL_RESULT: Final = "gen_ai.tool.call.result"
RETRIEVAL_QUERY: Final = "gen_ai.retrieval.query.text"
RETRIEVAL_DOCUMENTS: Final = "gen_ai.retrieval.documents"

# Of `NEWEST` alone.
REQUEST_REASONING_LEVEL: Final = "gen_ai.request.reasoning.level"
REQUEST_PREVIOUS_RESPONSE_ID: Final = "gen_ai.request.previous_response.id"

CHAT: Final = "chat"
TEXT_COMPLETION: Final = "text_completion"
EXECUTE_TOOL: Final = "execute_tool"
INVOKE_AGENT: Final = "invoke_agent"
RETRIEVAL: Final = "retrieval"

FUNCTION: Final = "function"  # the type of a tool that runs here
TOOL_ERROR: Final = "tool_error"  # error.type of a tool that answered with an error

# Ours, where the conventions have no word.
RESPONSE_CACHED: Final = "otelbridge.response.cached"
RETRIEVAL_COUNT: Final = "otelbridge.retrieval.count"
RETRIEVAL_SCORES: Final = "otelbridge.retrieval.scores"


# Metrics.
TOKEN_TYPE: Final = "gen_ai.token.type"
TOKEN_INPUT: Final = "input"
TOKEN_OUTPUT: Final = "output"
SECONDS_BUCKETS: Final = tuple(0.01 * 2**power for power in range(14))  # to 81.92
TOKEN_BUCKETS: Final = tuple(4**power for power in range(14))  # to 67108864


class Conventions(Record):
    """Where the versions differ.

    Attributes:
        version: such as ``"1.41.1"``.
        newest: whether it is the version that is still being made.
        cache_write: the key of the tokens that were written to a provider's cache.
        operation: what the names of a model's metrics of time begin with.
        input_tokens: the metric of input tokens.
        output_tokens: that of output tokens; the same one where ``gen_ai.token.type`` tells which.
    """

    __slots__ = ("version", "newest", "cache_write", "operation", "input_tokens", "output_tokens")

    def __init__(
        self,
        version: str,
        newest: bool,
        cache_write: str,
        operation: str,
        input_tokens: str,
        output_tokens: str,
    ) -> None:
        self.version = version
        self.newest = newest
        self.cache_write = cache_write
        self.operation = operation
        self.input_tokens = input_tokens
        self.output_tokens = output_tokens

    @classmethod
    def from_env(cls, environ: Mapping[str, str] = os.environ) -> Conventions:
        """Return the version that the environment asks for."""
        values = environ.get(OPT_IN_VARIABLE, "").split(",")
        return NEWEST if OPT_IN_VALUE in {value.strip().lower() for value in values} else PUBLISHED


PUBLISHED: Final = Conventions(
    version="1.41.1",
    newest=False,
    cache_write="gen_ai.usage.cache_creation.input_tokens",
    operation="gen_ai.client.operation",
    input_tokens="gen_ai.client.token.usage",
    output_tokens="gen_ai.client.token.usage",
)
NEWEST: Final = Conventions(
    version="0.1.0",
    newest=True,
    cache_write="gen_ai.usage.cache_write.input_tokens",
    operation="gen_ai.client.inference",
    input_tokens="gen_ai.client.inference.operation.input_tokens",
    output_tokens="gen_ai.client.inference.operation.output_tokens",
)
