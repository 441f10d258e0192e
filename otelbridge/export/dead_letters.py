"""Spans that a receiver refuses for good are set aside in files that people and programs can read.

One JSON object a line, with the request that was refused, so that it can be sent again by hand::

    jq -r .request rejected-20261123.jsonl | head -1 | base64 -d |
        curl -H 'content-type: application/x-protobuf' --data-binary @- "$ENDPOINT/v1/traces"
"""

from __future__ import annotations

import base64
import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Final

from otelbridge import _tracing
from otelbridge._private_files import open_private
from otelbridge.encoding.units import Item, ids_of, request
from otelbridge.export import _folders
from otelbridge.export._unavailable import SpoolUnavailable

MAX_BYTES: Final = 64 * 1024 * 1024

_PARTS: Final = 4  # the oldest of so many files goes when there is no room
_NAME: Final = re.compile(r"rejected-(\d{8})(?:-(\d+))?\.jsonl")


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One span that was refused.

    Attributes:
        time: when it was.
        reason: the receiver's words.
        where: the receiver.
        trace_id: in hex, as span_id; empty where the span cannot be read.
        span_id: see there.
        name: the span's.
        request: an ``ExportTraceServiceRequest`` of this span alone.
    """

    time: datetime
    reason: str
    where: str
    trace_id: str
    span_id: str
    name: str
    request: bytes


class DeadLetters:
    """The files of one service, ``rejected-YYYYMMDD.jsonl`` in its folder of the spool.

    Processes of a service share them, and threads may: each letter is one write.

    Args:
        folder: the spool, as for ``Spool.open``; nothing is made before the first letter.
        service: the service's name.
        max_bytes: how large the files may be together; then the oldest goes.
    """

    def __init__(self, folder: Path, service: str, *, max_bytes: int = MAX_BYTES) -> None:
        self._folder = _folders.service_folder(folder, service)
        self._max_bytes = max_bytes

    @property
    def path(self) -> Path:
        """The file that a letter would go to now."""
        today = f"{datetime.now(timezone.utc):%Y%m%d}"
        parts = [it for it in _files(self._folder) if _order(it)[0] == today]
        if not parts:
            return self._folder / f"rejected-{today}.jsonl"
        part = _order(parts[-1])[1]
        full = _size(parts[-1]) >= self._max_bytes // _PARTS
        return self._folder / f"rejected-{today}-{part + 1}.jsonl" if full else parts[-1]

    def write(self, item: Item, reason: str, where: str) -> None:
        """Set a span aside. Never raises: what cannot be written is logged and given up.

        Args:
            item: the span.
            reason: why it was refused, in the receiver's words.
            where: the receiver.
        """
        try:
            _folders.make_service_folder(self._folder)
            line = _line(item, reason, where)
            self._make_room(len(line))
            _append(self.path, line)
        except (OSError, SpoolUnavailable, ValueError):
            _tracing.guard("set a rejected span aside")

    def _make_room(self, size: int) -> None:
        files = _files(self._folder)
        sizes = [_size(it) for it in files]
        if size > self._max_bytes:
            raise ValueError(f"a letter of {size} bytes; dead letters have {self._max_bytes}")
        while sum(sizes) + size > self._max_bytes:
            files.pop(0).unlink(missing_ok=True)
            sizes.pop(0)


def read_dead_letters(path: Path) -> Iterator[DeadLetter]:
    """Read a file of dead letters, or all files in a folder, oldest first.

    Lines that are no letters, cut short by a full disk for one, are left out.

    Raises:
        OSError: it cannot be read.
    """
    for file in _files(path) if path.is_dir() else [path]:
        with file.open("rb") as lines:
            for line in lines:
                try:
                    yield _letter(line)
                except (ValueError, TypeError, KeyError):
                    continue


def _files(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return sorted((it for it in folder.iterdir() if _NAME.fullmatch(it.name)), key=_order)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:  # another process made room
        return 0


def _order(path: Path) -> tuple[str, int]:
    match = _NAME.fullmatch(path.name)
    return (match[1], int(match[2] or 1)) if match else ("", 0)


def _line(item: Item, reason: str, where: str) -> bytes:
    trace_id, span_id, name = ids_of(item.span)
    letter = {
        "time": datetime.now(timezone.utc).isoformat(),
        "reason": reason,
        "where": where,
        "trace_id": trace_id,
        "span_id": span_id,
        "name": name,
        "request": base64.b64encode(request([item])).decode("ascii"),
    }
    return json.dumps(letter).encode("ascii") + b"\n"


def _letter(line: bytes) -> DeadLetter:
    fields = json.loads(line)
    time = datetime.fromisoformat(fields.pop("time"))
    return DeadLetter(time, request=base64.b64decode(fields.pop("request")), **fields)


def _append(path: Path, line: bytes) -> None:
    """Write a line at the end, on a line of its own even after one that was cut short."""
    descriptor = open_private(path, os.O_RDWR | os.O_APPEND | os.O_CREAT)
    with open(descriptor, "r+b", buffering=0) as file:
        if file.seek(0, os.SEEK_END) and file.seek(-1, os.SEEK_END) >= 0 and file.read(1) != b"\n":
            line = b"\n" + line
        while line:
            line = line[file.write(line) :]
