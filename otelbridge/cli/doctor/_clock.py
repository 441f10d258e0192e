"""Whether this machine's clock agrees with the receiver's: else spans of two machines are apart."""

from __future__ import annotations

import time
from collections.abc import Iterator
from email.utils import parsedate_to_datetime

from otelbridge.cli.doctor._check import Check, Patient
from otelbridge.export.otlp import Target

_FIRST_S = 1_735_689_600  # 2025: no clock that is right is before it
_MOST_S = 3.0
_CURE = "set the clock of the machine that is wrong, for example by NTP (timedatectl set-ntp true)"


def look(patient: Patient) -> Iterator[Check]:
    """Look at this machine's clock alone."""
    now_s = time.time()
    told = time.strftime("%Y-%m-%d %H:%M:%S %Z", time.localtime(now_s))
    if now_s < _FIRST_S:
        yield Check("clock", "fail", f"it is {told} here, which is long ago", _CURE)
    else:
        yield Check("clock", "ok", f"it is {told} here")


def compare(target: Target, timeout_s: float) -> Check:
    """Compare with the ``Date`` of an HTTP answer, which is in whole seconds."""
    name = "clock of the receiver"
    try:
        ahead_s = _ahead_s(target, timeout_s)
    except Exception as error:
        return Check(name, "ok", f"not known: no answer of {target.where} ({type(error).__name__})")
    if ahead_s is None:
        return Check(name, "ok", f"not known: {target.where} does not tell its time")
    if abs(ahead_s) > _MOST_S:
        side = "ahead of" if ahead_s > 0 else "behind"
        found = f"{target.where} is {abs(ahead_s):,.0f} s {side} this machine"
        return Check(name, "fail", found, _CURE)
    return Check(name, "ok", f"that of {target.where} agrees with this one")


def _ahead_s(target: Target, timeout_s: float) -> float | None:
    """Return how far the other clock is ahead; 0 within the second that its answer leaves open."""
    from requests import Session  # only where OTLP goes over HTTP

    key, certificate = target.client_files
    before = time.time()
    with Session() as session:
        answer = session.get(
            target.url,
            headers=target.headers,
            verify=target.certificate or True,
            cert=(certificate, key) if certificate and key else certificate,
            timeout=timeout_s,
            allow_redirects=False,
        )
    after = time.time()
    told = answer.headers.get("Date")
    if told is None:
        return None
    then = parsedate_to_datetime(told).timestamp()
    if then > after:
        return then - after
    return min(0.0, then + 1 - before)
