// Makes one of everything, sends it, and prints what it made, one span a line.
//
//     node program.mjs WAY URL      WAY: json, proto, grpc, each with "-gzip" or without

import { SpanKind, SpanStatusCode, context, trace } from "@opentelemetry/api";
import { OTLPTraceExporter as Grpc } from "@opentelemetry/exporter-trace-otlp-grpc";
import { OTLPTraceExporter as Json } from "@opentelemetry/exporter-trace-otlp-http";
import { OTLPTraceExporter as Proto } from "@opentelemetry/exporter-trace-otlp-proto";
import { resourceFromAttributes } from "@opentelemetry/resources";
import { BasicTracerProvider, BatchSpanProcessor } from "@opentelemetry/sdk-trace-base";

const [way, url] = process.argv.slice(2);
const [kind, packed] = way.split("-");
const exporter = new { json: Json, proto: Proto, grpc: Grpc }[kind]({
  url: kind === "grpc" ? url : `${url}/v1/traces`,
  compression: packed ?? "none",
});

const ns = ([seconds, rest]) => String(BigInt(seconds) * 1_000_000_000n + BigInt(rest));
const kinds = ["internal", "server", "client", "producer", "consumer"];
const made = {
  onStart() {},
  onEnd(span) {
    const line = {
      trace_id: span.spanContext().traceId,
      span_id: span.spanContext().spanId,
      parent_id: span.parentSpanContext?.spanId ?? null,
      name: span.name,
      kind: kinds[span.kind],
      start_ns: ns(span.startTime),
      end_ns: ns(span.endTime),
      status: ["unset", "ok", "error"][span.status.code],
      status_message: span.status.message ?? "",
      scope: span.instrumentationScope.name,
      scope_version: span.instrumentationScope.version ?? "",
      resource: span.resource.attributes,
      attributes: span.attributes,
      events: span.events.map((it) => [ns(it.time), it.name, it.attributes ?? {}]),
      links: span.links.map((it) => [it.context.traceId, it.context.spanId, it.attributes ?? {}]),
    };
    console.log(JSON.stringify(line));
  },
  async forceFlush() {},
  async shutdown() {},
};

const provider = new BasicTracerProvider({
  resource: resourceFromAttributes({ "service.name": "javascript", "more": [1, 2] }),
  spanProcessors: [made, new BatchSpanProcessor(exporter)],
});
const tracer = provider.getTracer("program", "1.2.3");

const root = tracer.startSpan("root 🐎", {
  attributes: {
    text: "žluťoučký kůň",
    whole: 2 ** 40,
    real: 0.1,
    flag: true,
    texts: ["a", ""],
    numbers: [1, -2],
    flags: [true, false],
  },
});
const below = trace.setSpan(context.active(), root);
for (const kind of Object.values(SpanKind).filter(Number.isInteger)) {
  const links = [{ context: root.spanContext(), attributes: { why: kind } }];
  const child = tracer.startSpan(`child ${kind}`, { kind, links }, below);
  for (let number = 0; number < 3; number++) child.addEvent(`event ${number}`, { number });
  child.setStatus(kind === 2 ? { code: SpanStatusCode.ERROR, message: "no" } : { code: kind % 2 });
  child.end();
}
root.end();
await provider.shutdown();
