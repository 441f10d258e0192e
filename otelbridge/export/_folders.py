"""Folders that belong to this user alone, and the one that a service has in the spool.

::

    <folder>/                    may be shared by users, like /var/spool with its sticky bit
        <service key>/           mode 0700, this user's
            0000000001-4711-9f86d081/    one process's, see ``_process_folder``
            rejected-20261123.jsonl      see ``dead_letters``

Within a folder of mode 0700 that is ours nobody else can put a link in our way, so it is checked
that the service's folder is one, and is no link; the permissions of a parent that others may
change without a sticky bit are refused, because they could put another in its place.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
from contextlib import suppress
from pathlib import Path
from typing import Final

from otelbridge._private_files import make_private
from otelbridge.export._unavailable import SpoolUnavailable, unavailable

_CURE: Final = "set OTELBRIDGE_SPOOL to a folder of this user's own"


def service_key(service: str) -> str:
    """Return a folder's name for a service: readable, safe, and its own."""
    readable = re.sub(r"[^a-z0-9._-]+", "-", service.lower()).strip(".-")[:40] or "service"
    digest = hashlib.sha256(service.encode("utf-8", "surrogatepass")).hexdigest()
    return f"{readable}-{digest[:8]}"


def service_folder(folder: Path, service: str) -> Path:
    """Return a service's folder within the spool, which need not exist."""
    return folder.absolute() / service_key(service)


def make_service_folder(path: Path) -> None:
    """Make a service's folder where it is missing, and check that nobody else can change it.

    Raises:
        SpoolUnavailable: it cannot be made, or is not ours.
    """
    try:
        _make_parents(path.parent)
        with suppress(FileExistsError):
            make_private(path)
        _check(path)
    except OSError as error:
        raise unavailable(error, path) from error


def _make_parents(path: Path) -> None:
    missing = []
    while not path.exists() and path != path.parent:
        missing.append(path)
        path = path.parent
    for folder in reversed(missing):
        with suppress(FileExistsError):  # another process may make the same
            make_private(folder)


def _check(path: Path) -> None:
    found = os.lstat(path)
    if not stat.S_ISDIR(found.st_mode):
        raise SpoolUnavailable(f"{path} is a link or a file", _CURE)
    if not hasattr(os, "geteuid"):
        return  # Windows: a user's folders are guarded by access lists
    if found.st_uid != os.geteuid():
        raise SpoolUnavailable(f"{path} belongs to another user ({found.st_uid})", _CURE)
    shared = path.parent.stat().st_mode
    if shared & stat.S_IWOTH and not shared & stat.S_ISVTX:
        cure = f"chmod +t {path.parent}, or {_CURE}"
        raise SpoolUnavailable(f"{path.parent} may be changed by every user", cure)
    if found.st_mode & 0o077:
        os.chmod(path, 0o700)
