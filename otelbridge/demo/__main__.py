"""``python -m otelbridge.demo [FOLDER] [QUESTION]``."""

from __future__ import annotations

import sys

from otelbridge.demo import run

if __name__ == "__main__":
    sys.exit(run(*sys.argv[1:3]))
