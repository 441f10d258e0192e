"""Every attribute key and span name that otelbridge writes, in one place.

Own keys start with ``otelbridge.``; the others are OpenTelemetry's semantic conventions
(https://opentelemetry.io/docs/specs/semconv/). What the LangChain integration alone writes is in
``otelbridge.langchain._genai_semconv``.
"""

from __future__ import annotations

from typing import Final

SCOPE_NAME: Final = "otelbridge"
SCHEMA_URL: Final = "https://opentelemetry.io/schemas/1.41.1"

RUN_ID: Final = "otelbridge.run.id"
RUN_TYPE: Final = "otelbridge.run.type"
RUN_TAGS: Final = "otelbridge.run.tags"
RUN_METADATA: Final = "otelbridge.run.metadata."
RUN_OUTCOME: Final = "otelbridge.run.outcome"
RUN_STATE: Final = "otelbridge.run.state"
RUN_INPUT: Final = "otelbridge.run.input"
RUN_OUTPUT: Final = "otelbridge.run.output"
CHECKPOINT_ID: Final = "otelbridge.checkpoint.id"
RESUMED_CHECKPOINT_ID: Final = "otelbridge.resumed.checkpoint.id"
INTERRUPTED_BY: Final = "otelbridge.interrupted.by"
INTERRUPTED_BEFORE: Final = "otelbridge.interrupted.before"
LINK_TYPE: Final = "otelbridge.link.type"
LINK_RESUMES: Final = "resumes"
PAGE: Final = "otelbridge.page"
TRUNCATED: Final = "otelbridge.truncated"

DATA: Final = "data"
DATA_PREFIX: Final = "data."

ERROR_TYPE: Final = "error.type"
EXCEPTION: Final = "exception"
EXCEPTION_TYPE: Final = "exception.type"
EXCEPTION_MESSAGE: Final = "exception.message"
EXCEPTION_STACKTRACE: Final = "exception.stacktrace"
EXCEPTION_ESCAPED: Final = "exception.escaped"

SESSION_ID: Final = "session.id"
CONVERSATION_ID: Final = "gen_ai.conversation.id"
USER_ID: Final = "user.id"

OUTCOME_CANCELLED: Final = "cancelled"
OUTCOME_CLOSED: Final = "closed"
OUTCOME_INTERRUPTED: Final = "interrupted"

PAGE_NAME: Final = "{run} events"
LATE_NAME: Final = "{run} late event"

GRAPH_CUSTOM: Final = "langgraph.custom"
GRAPH_CACHED: Final = "langgraph.cached"
