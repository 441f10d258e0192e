"""Spans as OTLP bytes: encoded once, then carried, stored and sent as they are."""
