"""The oracle: the same programs run on langchain-core and on otelbridge, and are compared."""
