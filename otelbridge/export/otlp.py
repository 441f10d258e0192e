"""Where OTLP goes and by which protocol, worked out and checked before anything is sent."""

from __future__ import annotations

import logging
import os
import ssl
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import SplitResult, urlsplit, urlunsplit

from otelbridge.errors import ConfigurationError
from otelbridge.export import environment
from otelbridge.export.arguments import PROTOCOLS, Arguments, is_header
from otelbridge.export.environment import Environ

logger = logging.getLogger("otelbridge")

GRPC, HTTP = PROTOCOLS
_DEFAULTS = {GRPC: "http://localhost:4317", HTTP: "http://localhost:4318"}
_HTTP_PORT = 4318
_TRACES = "/v1/traces"
_LONG_S = 600.0  # above it a timeout was meant in milliseconds, as the specification has it
_COMPRESSIONS = ("none", "gzip", "deflate")
_RESOLVERS = frozenset({"dns", "ipv4", "ipv6", "unix", "unix-abstract", "vsock", "xds"})  # of gRPC
_CURE = 'write it as "http://localhost:4318" or "https://collector.example:4317"'


@dataclass(frozen=True)
class Target:
    """One OTLP receiver and how to reach it.

    Attributes:
        url: for HTTP the whole URL of the traces; for gRPC the endpoint.
        insecure: for gRPC without a scheme; None leaves it to the standard variable.
        certificate: PEM file, for HTTP also a folder, of the CA; None is the system's.
        client_files: PEM files of the client's key and certificate, for mutual TLS.
        compression: none, gzip or deflate.
        timeout_s: for one request and its answer. Seconds in the variables too, as the official
            exporters have it; the specification says milliseconds.
    """

    url: str
    protocol: str
    headers: dict[str, str] = field(default_factory=dict, repr=False)
    insecure: bool | None = None
    certificate: str | None = None
    client_files: tuple[str | None, str | None] = (None, None)
    compression: str = "none"
    timeout_s: float = 10.0

    @property
    def where(self) -> str:
        """The target in words, without a user and password that the URL may hold."""
        return f"{_without_user(self.url)} ({self.protocol})"


def endpoint_is_set(environ: Environ) -> bool:
    """Tell whether the environment names an OTLP endpoint for traces."""
    return environment.text(environ, *_both("ENDPOINT")) is not None


def target(arguments: Arguments, environ: Environ, protocol: str | None = None) -> Target:
    """Work out where OTLP goes.

    Args:
        arguments: of ``configure``; they go before the environment.
        environ: the standard variables.
        protocol: what the name of the exporter says, if anything.

    Raises:
        ConfigurationError: an argument or variable cannot be used.
    """
    chosen = arguments.protocol or protocol or _protocol_variable(environ)
    url = arguments.endpoint or environment.text(environ, *_both("ENDPOINT"))
    chosen = chosen or _guess(url)
    scheme = _checked(url or _DEFAULTS[chosen], chosen).scheme
    insecure = environment.flag(environ, *_both("INSECURE"))
    if arguments.endpoint:
        _check_security(arguments, insecure)
    if arguments.insecure is not None:
        insecure = arguments.insecure
    return Target(
        url=_http_url(arguments, environ) if chosen == HTTP else url or _DEFAULTS[chosen],
        protocol=chosen,
        headers=_headers(arguments, environ),
        insecure=scheme == "http" if scheme in ("http", "https") else insecure,
        certificate=_certificate(arguments, environ),
        client_files=_client_files(environ),
        compression=environment.choice(environ, *_both("COMPRESSION"), among=_COMPRESSIONS)
        or "none",
        timeout_s=_timeout_s(environ),
    )


def _both(name: str) -> tuple[str, str]:
    return f"OTEL_EXPORTER_OTLP_TRACES_{name}", f"OTEL_EXPORTER_OTLP_{name}"


def _protocol_variable(environ: Environ) -> str | None:
    return environment.choice(environ, *_both("PROTOCOL"), among=PROTOCOLS)


def _guess(url: str | None) -> str:
    if url is None:
        return GRPC
    parts = _split(url)
    is_web = parts.scheme in ("http", "https", "")
    return HTTP if is_web and (parts.port == _HTTP_PORT or parts.path.strip("/")) else GRPC


def _split(url: str) -> SplitResult:
    """Split a URL, or the ``host:port`` that gRPC also takes, and look at its port."""
    try:
        if not url.isprintable() or " " in url:
            raise ValueError("it holds white space or control characters")
        has_scheme = "://" in url or url.partition(":")[0] in _RESOLVERS
        parts = urlsplit(url if has_scheme else f"//{url}")
        _ = parts.port  # raises where it is no number or out of range
    except ValueError as error:
        raise ConfigurationError(
            f"endpoint {_shown(url)} cannot be used ({error}): {_CURE}"
        ) from error
    return parts


def _checked(url: str, protocol: str) -> SplitResult:
    parts = _split(url)
    names_a_host = parts.scheme in ("http", "https") or (protocol == GRPC and not parts.scheme)
    if not (parts.hostname if names_a_host else protocol == GRPC and parts.scheme in _RESOLVERS):
        raise ConfigurationError(f"endpoint {_shown(url)} cannot be used by {protocol}: {_CURE}")
    return parts


def _check_security(arguments: Arguments, variable: bool | None) -> None:
    """Refuse an endpoint argument that does not say, or contradicts, whether to use TLS."""
    url = str(arguments.endpoint)
    scheme, shown = _split(url).scheme, _shown(url)
    if not scheme and arguments.insecure is None and variable is None:
        raise ConfigurationError(
            f"endpoint {shown} does not say whether to use TLS: write it with http:// (plain) or "
            "https:// (TLS)"
        )
    if scheme in ("http", "https") and arguments.insecure is (scheme == "https"):
        raise ConfigurationError(
            f"insecure={arguments.insecure} contradicts endpoint {shown}: leave insecure out"
        )
    if scheme == "http" and arguments.certificate is not None:
        raise ConfigurationError(
            f"certificate is of no use with endpoint {shown}, which is plain text: write https://"
        )


def _http_url(arguments: Arguments, environ: Environ) -> str:
    """Return the URL that traces are posted to.

    Only the traces variable is taken as it is (specification, OTLP exporter, "Endpoint URLs for
    OTLP/HTTP"). Any other endpoint is a base, except one that names the traces path already.
    """
    exact = environment.text(environ, _both("ENDPOINT")[0])
    if exact and not arguments.endpoint:
        return exact
    base = arguments.endpoint or environment.text(environ, _both("ENDPOINT")[1]) or _DEFAULTS[HTTP]
    parts = urlsplit(base)
    path = parts.path.rstrip("/")
    return urlunsplit(parts._replace(path=path if path.endswith(_TRACES) else path + _TRACES))


def _headers(arguments: Arguments, environ: Environ) -> dict[str, str]:
    names = _both("HEADERS")
    found = environment.pairs(environ, *names)
    for name, value in found.items():
        if not is_header(name, value):
            raise ConfigurationError(
                f"{' or '.join(names)} cannot be used: header {name!r} is not printable ASCII"
            )
    # gRPC refuses upper-case names, and HTTP does not tell them apart.
    return {name.lower(): value for name, value in {**found, **(arguments.headers or {})}.items()}


def _timeout_s(environ: Environ) -> float:
    names = _both("TIMEOUT")
    found = environment.number(environ, *names) or 10.0
    if found > _LONG_S:
        logger.warning(
            "%s is read in seconds, as in OpenTelemetry's own exporters: a request may take %g s "
            "now. Write 10 for ten seconds",
            " or ".join(names),
            found,
        )
    return found


def _certificate(arguments: Arguments, environ: Environ) -> str | None:
    """Return the CA file of the arguments, else of the variables; both are checked."""
    given = None if arguments.certificate is None else os.fspath(arguments.certificate)
    named = environment.text(environ, *_both("CERTIFICATE"))
    for path in (given, named):
        if path is not None:
            try:
                where = {"capath" if os.path.isdir(path) else "cafile": path}
                ssl.create_default_context().load_verify_locations(**where)
            except OSError as error:  # ssl.SSLError is one
                raise _unreadable(path, error) from error
    return given or named


def _client_files(environ: Environ) -> tuple[str | None, str | None]:
    key = environment.text(environ, *_both("CLIENT_KEY"))
    certificate = environment.text(environ, *_both("CLIENT_CERTIFICATE"))
    for path in filter(None, (key, certificate)):
        try:
            Path(path).read_bytes()
        except OSError as error:
            raise _unreadable(path, error) from error
    return key, certificate


def _unreadable(path: str, error: OSError) -> ConfigurationError:
    return ConfigurationError(
        f"the certificate or key file {path!r} cannot be used ({error}): give the path of a PEM "
        "file that this process may read"
    )


def _shown(url: str) -> str:
    return repr(_without_user(url))


def _without_user(url: str) -> str:
    before, at, host = url.rpartition("@")
    return f"{before.partition('//')[0]}//***@{host}" if at else url
