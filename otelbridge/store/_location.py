"""Where the store's file is, and whether SQLite can keep it there."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Final

from platformdirs import user_data_path

from otelbridge._private_files import make_private, open_private
from otelbridge.errors import ConfigurationError, StoreError

VARIABLE: Final = "OTELBRIDGE_STORE"
MEMORY: Final = ":memory:"
OFF: Final = "off"

_MOUNTS: Final = "/proc/self/mounts"
_NETWORK: Final = frozenset(
    """
    afs beegfs ceph cifs coda davfs fuse.ceph-fuse fuse.glusterfs fuse.juicefs fuse.rclone
    fuse.s3fs fuse.sshfs glusterfs gpfs lustre ncpfs nfs nfs4 ocfs2 orangefs pvfs2 smb2 smb3 smbfs
    """.split()
)
_CURE: Final = f'choose a file on a disk of this machine by {VARIABLE} or store=, or ":memory:"'


def default_path() -> Path:
    """Return the store's file: OTELBRIDGE_STORE, else ``traces.db`` in the user's data folder."""
    chosen = os.environ.get(VARIABLE, "").strip()
    if chosen and chosen.lower() != OFF:
        return Path(chosen)
    return user_data_path("otelbridge", appauthor=False) / "traces.db"


def store_path(chosen: str | os.PathLike[str]) -> Path | None:
    """Return the file that is meant, wherever the program goes; None: in memory.

    Links are followed: what lies beside the file must be the same by whichever name it is opened.

    Raises:
        ConfigurationError: it is no path.
    """
    if os.fspath(chosen) == MEMORY:
        return None
    try:
        return Path(os.path.realpath(Path(chosen).expanduser()))
    except (RuntimeError, ValueError) as error:  # there is no such user; a NUL
        raise ConfigurationError(
            f"the store {os.fspath(chosen)!r} is no path of a file ({error}): {_CURE}"
        ) from error


def prepare(path: Path, *, create: bool) -> None:
    """Make the file, for this user alone, where it is missing; folders on the way too.

    Raises:
        StoreError: it is missing and not to be made, or cannot be made, or the file system is one
            over which processes do not see each other's locks and memory.
    """
    try:
        if not path.exists():
            if not create:
                raise StoreError(
                    f"there is no store at {path}: run a program that calls "
                    "otelbridge.configure(), or choose another file by OTELBRIDGE_STORE"
                )
            _make_folders(path.parent)
            _refuse_network(path)
            os.close(open_private(path, os.O_RDWR | os.O_CREAT))
        elif not path.is_file():
            raise StoreError(f"the store {path} is no file: {_CURE}")
        else:
            _refuse_network(path)
    except OSError as error:
        raise StoreError(f"the store {path} cannot be opened ({error}): {_CURE}") from error


def _make_folders(path: Path) -> None:
    missing = []
    while not path.exists() and path != path.parent:
        missing.append(path)
        path = path.parent
    for folder in reversed(missing):
        with suppress(FileExistsError):  # another process may make the same
            make_private(folder)


def _refuse_network(path: Path) -> None:
    kind = file_system(path.parent)
    if kind in _NETWORK:
        raise StoreError(
            f"the store {path} is on a network file system ({kind}), where SQLite's write-ahead "
            f"log does not work: {_CURE}"
        )


def file_system(folder: Path) -> str:
    """Return the type of the file system that a folder is on; nothing where it is not told."""
    try:
        with open(_MOUNTS, encoding="utf-8", errors="surrogateescape") as mounts:
            lines = [line.split(" ") for line in mounts]
    except OSError:
        return ""
    place = os.path.realpath(folder)
    found, kind = "", ""
    for line in lines:
        # The last of several mounts on one place is the one that is seen.
        mount = _unescaped(line[1]) if len(line) > 2 else ""
        is_above = place == mount or place.startswith(mount.rstrip("/") + "/")
        if mount and is_above and len(mount) >= len(found):
            found, kind = mount, line[2]
    return kind


def _unescaped(text: str) -> str:
    for code, character in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        text = text.replace(code, character)
    return text
