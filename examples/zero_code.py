"""No code changed: zero_code/app.py under OpenTelemetry's own command has its spans.

Needs: pip install 'otelbridge[langchain]' opentelemetry-distro

In a shell: opentelemetry-instrument --traces_exporter console python zero_code/app.py
This program runs that command, and draws the spans that it prints as a tree.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
INSTRUMENT = Path(sys.executable).with_name("opentelemetry-instrument")
EXPORTERS = "--traces_exporter console --metrics_exporter none --logs_exporter none"


def draw(spans: list[dict[str, Any]], parent: str | None = None, indent: str = "") -> None:
    for span in sorted(spans, key=lambda it: it["start_time"]):
        if span["parent_id"] == parent:
            print(f"{indent}{span['name']} {[event['name'] for event in span['events']]}")
            draw(spans, span["context"]["span_id"], indent + "  ")


if __name__ == "__main__":
    ran = subprocess.run(
        [INSTRUMENT, *EXPORTERS.split(), sys.executable, HERE / "zero_code" / "app.py"],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    answer, _, printed = ran.stdout.partition("\n")
    print("the application's own output:", answer)
    decoder = json.JSONDecoder()
    spans = []
    while printed.strip():
        span, end = decoder.raw_decode(printed := printed.lstrip())
        spans.append(span)
        printed = printed[end:]
    draw(spans)
