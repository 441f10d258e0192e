/**
 * What the server sends; see `otelbridge.store.records`. Times are decimal strings of ns.
 *
 * @typedef {"running" | "ended" | "lost"} State
 * @typedef {"unset" | "ok" | "error"} Status
 * @typedef {Record<string, unknown>} Attributes
 *
 * @typedef {object} EventRecord
 * @property {string} time_ns
 * @property {string} name
 * @property {Attributes} attributes
 * @property {number} dropped_attributes
 *
 * @typedef {object} LinkRecord
 * @property {string} trace_id
 * @property {string} span_id
 * @property {Attributes} attributes
 *
 * @typedef {object} SpanRecord
 * @property {string} trace_id
 * @property {string} span_id
 * @property {string | null} parent_id
 * @property {string} name
 * @property {string} kind
 * @property {string} start_ns
 * @property {string | null} end_ns
 * @property {State} state
 * @property {Status} status
 * @property {string} status_message
 * @property {string} service
 * @property {string} scope
 * @property {string} scope_version
 * @property {Attributes | number | null} resource its place in the trace's `resources`; null in a change
 * @property {Attributes} attributes
 * @property {EventRecord[]} events
 * @property {number} [events_total] where more events are there than were sent
 * @property {LinkRecord[]} links
 * @property {number} dropped_attributes
 * @property {number} dropped_events
 * @property {number} dropped_links
 * @property {string | null} outcome
 * @property {string | null} run_id
 * @property {string | null} run_type
 * @property {number | null} page
 *
 * @typedef {object} TraceSummary
 * @property {string} trace_id
 * @property {string} name
 * @property {string} service
 * @property {string} start_ns
 * @property {string | null} end_ns
 * @property {string | null} [duration_ns]
 * @property {State} state
 * @property {Status} status
 * @property {string | null} outcome
 * @property {string | null} run_id
 * @property {number} spans
 * @property {number} events
 * @property {number} errors
 * @property {number | null} input_tokens
 * @property {number | null} output_tokens
 *
 * @typedef {object} Segment
 * @property {string} span_id
 * @property {string} start_ns
 * @property {string} end_ns
 *
 * @typedef {object} TraceAnswer
 * @property {TraceSummary} summary
 * @property {SpanRecord[]} spans
 * @property {Attributes[]} resources
 * @property {Segment[]} critical_path
 * @property {number} cursor
 * @property {string} now_ns
 *
 * @typedef {object} TracesAnswer
 * @property {TraceSummary[]} traces
 * @property {number} cursor
 * @property {string} now_ns
 *
 * @typedef {object} Hit
 * @property {TraceSummary} trace
 * @property {string} span_id
 * @property {string} name
 * @property {string} where
 * @property {string} excerpt
 *
 * @typedef {object} Change
 * @property {"started" | "event" | "ended" | "lost"} kind
 * @property {string} trace_id
 * @property {SpanRecord} span
 * @property {EventRecord | null} event
 *
 * @typedef {object} Side
 * @property {string} span_id
 * @property {string | null} duration_ns
 * @property {Status} status
 * @property {string[]} events
 *
 * @typedef {object} CompareRow
 * @property {string[]} path
 * @property {number} depth
 * @property {number} occurrence
 * @property {Side | null} a
 * @property {Side | null} b
 * @property {string[]} differs
 * @property {string | null} delta_ns
 *
 * @typedef {object} CompareAnswer
 * @property {TraceSummary} a
 * @property {TraceSummary} b
 * @property {CompareRow[]} rows
 */

export {};
