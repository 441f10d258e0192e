"""The real Jaeger, Collector and Kafka, and programs that send to them: `make test-backends`."""
