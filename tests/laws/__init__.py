"""The laws: what must hold of every run, whatever happens to it."""
