"""LangChain and LangGraph apps as OpenTelemetry traces."""
