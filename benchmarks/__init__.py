"""What otelbridge costs: ``python -m benchmarks`` (see ``__main__`` for the arguments).

Each workload is written three times: with otelbridge, by hand with OpenTelemetry alone so that
it makes the same trace, and with langchain-core, which makes none. Figures that are compared were
taken in one process, in turns; ``twins`` shows that ours and the hand-made one leave equal spans.
"""
