"""Why a spool cannot be used, in words, and what helps."""

from __future__ import annotations

import errno
from pathlib import Path

_ELSEWHERE = "set OTELBRIDGE_SPOOL to a folder that this process may write to"
_SPACE = "free some space there, or set OTELBRIDGE_SPOOL to a folder on another disk"
_FILES = "raise the limit of open files (ulimit -n)"
_LOCKS = "set OTELBRIDGE_SPOOL to a folder on a disk of this machine"

_REASONS = {
    errno.ENOSPC: ("the disk is full", _SPACE),
    errno.EDQUOT: ("the disk quota is used up", _SPACE),
    errno.EFBIG: ("a file would be larger than this process may write", "raise ulimit -f"),
    errno.EROFS: ("the disk is read-only", _ELSEWHERE),
    errno.EACCES: ("there is no permission to write", _ELSEWHERE),
    errno.EPERM: ("there is no permission to write", _ELSEWHERE),
    errno.ENOTDIR: ("a part of the path is a file", _ELSEWHERE),
    errno.EEXIST: ("a part of the path is a file", _ELSEWHERE),
    errno.ELOOP: ("a part of the path is a symbolic link", _ELSEWHERE),
    errno.EMFILE: ("this process has too many files open", _FILES),
    errno.ENFILE: ("this machine has too many files open", _FILES),
    errno.ENOLCK: ("there are no file locks", _LOCKS),
    errno.ENOTSUP: ("there are no file locks", _LOCKS),
}


class SpoolUnavailable(Exception):
    """Spans cannot be kept on disk at present. Trying again later is allowed.

    Attributes:
        reason: what is wrong, with the path.
        cure: what helps.
        kept: how many spans of the call are on disk all the same, counted from its first.
        pushed_out: how many older spans had to go before it failed.
    """

    def __init__(self, reason: str, cure: str) -> None:
        super().__init__(f"{reason}: {cure}")
        self.reason = reason
        self.cure = cure
        self.kept = 0
        self.pushed_out = 0


def unavailable(error: OSError, path: Path) -> SpoolUnavailable:
    """Say what an operating system's error means for a spool."""
    words = error.strerror or str(error)
    reason, cure = _REASONS.get(error.errno or 0, (words, _ELSEWHERE))
    return SpoolUnavailable(f"{reason} at {path}", cure)
