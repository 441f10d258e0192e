"""Whether the store can be read and written, and has room."""

from __future__ import annotations

import os
import shutil
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from otelbridge.cli._values import clock, counted, size_text
from otelbridge.cli.doctor._check import Check, Patient, failed
from otelbridge.errors import ConfigurationError, StoreError
from otelbridge.store import Store, store_path
from otelbridge.store._location import prepare

_LEAST_FREE = 200_000_000
_OTHER = "choose another file by OTELBRIDGE_STORE, or --store"


def look(patient: Patient) -> Iterator[Check]:
    """Look at the store's file, its folder and its disk."""
    try:
        path = store_path(patient.store)
    except ConfigurationError as error:
        yield failed("store", error)
        return
    if path is None:
        yield Check("store", "ok", "in the memory of each process, which no command can read")
        return
    check = _file(path)
    yield check
    if check.level != "fail":
        yield _disk(path)


def _file(path: Path) -> Check:
    try:
        if not path.exists():
            return _missing(path)
        if path.is_dir():
            return Check("store", "fail", f"{path} is a folder, not a file", _OTHER)
        prepare(path, create=False)
        if (damage := _damage(path)) is not None:
            return damage
        with Store(path, create=False) as store:
            stats = store.stats()
    except StoreError as error:
        return failed("store", error)
    except OSError as error:
        return Check("store", "fail", f"{path} cannot be used ({error.strerror})", _OTHER)
    if not os.access(path, os.W_OK):
        return Check("store", "fail", f"{path} may only be read", f"chmod u+w it, or {_OTHER}")
    if os.name == "posix" and stat.S_IMODE(path.stat().st_mode) & 0o077:
        cure = f"chmod 600 {path}"
        return Check("store", "warn", f"{path} can be read by other users of this machine", cure)
    told = f"{path}: {counted(stats.traces, 'trace')}, {counted(stats.spans, 'span')}"
    oldest = "" if stats.oldest_ns is None else f", the oldest of {clock(stats.oldest_ns)}"
    return Check("store", "ok", f"{told}, {size_text(stats.bytes)}{oldest}")


def _missing(path: Path) -> Check:
    folder = path.parent
    while not folder.exists():
        folder = folder.parent
    if not folder.is_dir():
        return Check("store", "fail", f"{path} cannot be made: {folder} is a file", _OTHER)
    if not os.access(folder, os.W_OK | os.X_OK):
        return Check("store", "fail", f"{path} cannot be made: {folder} may not be written", _OTHER)
    return Check("store", "ok", f"{path} is not there yet; the first trace makes it")


def _damage(path: Path) -> Check | None:
    """Look for damage, without the store's own opening, which would move a damaged file aside."""
    try:
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, timeout=2)) as database:
            said = database.execute("PRAGMA quick_check(1)").fetchone()[0]
    except sqlite3.DatabaseError as error:
        said = str(error)
        if "locked" in said or "busy" in said:
            return None
    if said == "ok":
        return None
    return Check(
        "store",
        "fail",
        f"{path} is damaged ({said})",
        "the next program that opens it moves it aside and begins a new one; or delete it, or "
        f"{_OTHER}",
    )


def _disk(path: Path) -> Check:
    folder = path.parent
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    if free < _LEAST_FREE:
        return Check(
            "disk",
            "warn",
            f"only {size_text(free)} are free where the store is",
            "make room there, or otelbridge prune --max-size 100MB, or " + _OTHER,
        )
    return Check("disk", "ok", f"{size_text(free)} are free where the store is")
