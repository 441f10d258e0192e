"""Every environment variable that is set and has to do with traces: what it does."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches
from importlib.metadata import entry_points

from otelbridge._tracing import Recording
from otelbridge.cli.doctor._check import Check, Patient, failed
from otelbridge.cli.doctor._meanings import FAMILIES, MEANINGS, is_secret
from otelbridge.errors import ConfigurationError
from otelbridge.export import environment, otlp
from otelbridge.export.arguments import Arguments
from otelbridge.export.batching import Batching
from otelbridge.export.identity import Identity
from otelbridge.export.keeping import Keeping
from otelbridge.export.outputs import outputs

_PREFIXES = ("OTEL_", "OTELBRIDGE_")
_FLAGS = ("OTEL_SDK_DISABLED", "OTELBRIDGE_SIGTERM")
_LONGEST = 80


def look(patient: Patient) -> Iterator[Check]:
    """Look at each ``OTEL_*`` and ``OTELBRIDGE_*`` variable by itself."""
    names = sorted(name for name in patient.environ if name.upper().startswith(_PREFIXES))
    if not names:
        yield Check("variables", "ok", "no OTEL_* or OTELBRIDGE_* variable is set")
    for name in names:
        yield _variable(name, patient.environ[name])


def _variable(name: str, value: str) -> Check:
    title = f"variable {name}"
    meaning = MEANINGS.get(name) or next(
        (told for start, told in FAMILIES.items() if name.startswith(start)), None
    )
    if meaning is None:
        return _unknown(name)
    if not value.strip():
        return Check(title, "ok", "is empty, which counts as not set")
    try:
        _use({name: value})
    except ConfigurationError as error:
        return failed(title, error)
    shown = "***" if is_secret(name) else value
    cut = shown if len(shown) <= _LONGEST else shown[:_LONGEST] + "…"
    return Check(title, "ok", f"{cut}: {meaning}")


def _unknown(name: str) -> Check:
    # Names of one prefix are alike by that; the rest of the name decides.
    prefix = "OTELBRIDGE_" if name.upper().startswith("OTELBRIDGE_") else "OTEL_"
    rests = {it.removeprefix(prefix): it for it in MEANINGS if it.startswith(prefix)}
    near = get_close_matches(name.upper().removeprefix(prefix), rests, n=1)
    cure = f"did you mean {rests[near[0]]}?" if near else "unset it, if it is not another tool's"
    return Check(f"variable {name}", "warn", "is not known, and does nothing here", cure)


def _see_propagators(listed: str) -> None:
    # OpenTelemetry reads it when it is first imported, and cannot be imported where it is wrong.
    known = sorted({"none", *(it.name for it in entry_points(group="opentelemetry_propagator"))})
    for name in map(str.strip, listed.split(",")):
        if name not in known:
            raise ConfigurationError(
                f"OTEL_PROPAGATORS={listed!r} is refused: write {', '.join(known)}, or install the "
                f"package that has {name!r}"
            )


def _use(environ: dict[str, str]) -> None:
    """Read a variable by itself as ``configure()`` reads it.

    Raises:
        ConfigurationError: it cannot be used.
    """
    for name in _FLAGS:
        environment.flag(environ, name)
    if "OTEL_PROPAGATORS" in environ:
        _see_propagators(environ["OTEL_PROPAGATORS"])
    Recording.from_env(environ)
    Identity.of(Arguments(), environ)
    Batching.of(environ)
    if "OTELBRIDGE_DURABLE" not in environ:  # needs a spool, which is another variable's
        Keeping.of(Arguments(), environ)
    otlp.target(Arguments(), environ)
    if "OTEL_TRACES_EXPORTER" in environ or "OTELBRIDGE_STORE" in environ:
        outputs(Arguments(), environ, [])
