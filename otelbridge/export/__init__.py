"""Set-up and output: where finished spans go. The only part that touches the OpenTelemetry SDK."""
