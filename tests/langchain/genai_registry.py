"""The attributes of the GenAI semantic conventions with their types, version by version."""

from __future__ import annotations

from typing import Any, Final

# https://github.com/open-telemetry/semantic-conventions/blob/v1.41.1/model/gen-ai/registry.yaml
PUBLISHED: Final = {
    "gen_ai.agent.description": "string",
    "gen_ai.agent.id": "string",
    "gen_ai.agent.name": "string",
    "gen_ai.agent.version": "string",
    "gen_ai.conversation.id": "string",
    "gen_ai.data_source.id": "string",
    "gen_ai.embeddings.dimension.count": "int",
    "gen_ai.evaluation.explanation": "string",
    "gen_ai.evaluation.name": "string",
    "gen_ai.evaluation.score.label": "string",
    "gen_ai.evaluation.score.value": "double",
    "gen_ai.input.messages": "any",
    "gen_ai.operation.name": "string",
    "gen_ai.output.messages": "any",
    "gen_ai.output.type": "string",
    "gen_ai.prompt.name": "string",
    "gen_ai.provider.name": "string",
    "gen_ai.request.choice.count": "int",
    "gen_ai.request.encoding_formats": "string[]",
    "gen_ai.request.frequency_penalty": "double",
    "gen_ai.request.max_tokens": "int",
    "gen_ai.request.model": "string",
    "gen_ai.request.presence_penalty": "double",
    "gen_ai.request.seed": "int",
    "gen_ai.request.stop_sequences": "string[]",
    "gen_ai.request.stream": "boolean",
    "gen_ai.request.temperature": "double",
    "gen_ai.request.top_k": "double",
    "gen_ai.request.top_p": "double",
    "gen_ai.response.finish_reasons": "string[]",
    "gen_ai.response.id": "string",
    "gen_ai.response.model": "string",
    "gen_ai.response.time_to_first_chunk": "double",
    "gen_ai.retrieval.documents": "any",
    "gen_ai.retrieval.query.text": "string",
    "gen_ai.system_instructions": "any",
    "gen_ai.token.type": "string",
    "gen_ai.tool.call.arguments": "any",
    "gen_ai.tool.call.id": "string",
    "gen_ai.tool.call.result": "any",
    "gen_ai.tool.definitions": "any",
    "gen_ai.tool.description": "string",
    "gen_ai.tool.name": "string",
    "gen_ai.tool.type": "string",
    "gen_ai.usage.cache_creation.input_tokens": "int",
    "gen_ai.usage.cache_read.input_tokens": "int",
    "gen_ai.usage.input_tokens": "int",
    "gen_ai.usage.output_tokens": "int",
    "gen_ai.usage.reasoning.output_tokens": "int",
    "gen_ai.workflow.name": "string",
}
# What https://github.com/open-telemetry/semantic-conventions-genai made of those we write.
NEWEST: Final = {
    **{k: t for k, t in PUBLISHED.items() if "cache_creation" not in k and "workflow" not in k},
    "gen_ai.request.previous_response.id": "string",
    "gen_ai.request.reasoning.level": "string",
    "gen_ai.request.top_k": "int",
    "gen_ai.usage.cache_write.input_tokens": "int",
}
# Of the general registry, and our own.
OTHERS: Final = {
    "error.type": "string",
    "server.address": "string",
    "server.port": "int",
    "otelbridge.response.cached": "boolean",
    "otelbridge.retrieval.count": "int",
    "otelbridge.retrieval.scores": "double[]",
}


def faults(attributes: dict[str, Any], registry: dict[str, str]) -> list[str]:
    """Return what of the attributes the registry does not have, or has with another type."""
    types = {**registry, **OTHERS}
    found = []
    for key, value in attributes.items():
        if key not in types:
            found.append(f"{key} is unknown")
        elif types[key] != "any" and _type_of(value) != types[key]:
            found.append(f"{key} is {_type_of(value)}, not {types[key]}")
    return found


def _type_of(value: Any) -> str:
    if isinstance(value, tuple):
        kinds = {_type_of(each) for each in value}
        return f"{kinds.pop()}[]" if len(kinds) == 1 else str(kinds)
    return {str: "string", bool: "boolean", int: "int", float: "double"}.get(type(value), "any")
