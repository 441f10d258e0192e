"""The one seam to the official OTLP exporters, 1.28 to 1.45.

- HTTP: the exporter is made for the target, with a session that is ours or that of a credential
  provider; it checks its settings and does to the session what it does. Requests go over that
  session. Relied on: the public arguments of ``OTLPSpanExporter``. Where they have changed, the
  session is used as it is: the target and the request hold all that it needs.
- gRPC: its exporter opens a channel as it is made, and a child that is forked after that can use
  gRPC no more; so it is not made. The channel is made of gRPC's public functions.
- Both: the User-Agent (``_OTLP_HTTP_HEADERS``, ``_USER_AGENT_HEADER_VALUE``; where they are gone it
  is put together), and the variables and the entry point group of the credential providers.

Sending is our own: theirs waits and tries again by itself, does not tell what the receiver said,
and takes a redirect for an acknowledgement. The tests compare what arrives at a receiver, variable
by variable.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

from otelbridge.errors import ConfigurationError
from otelbridge.export import _grpc_fork, environment
from otelbridge.export._tls import Files
from otelbridge.export.channel import Channel
from otelbridge.export.otlp import HTTP, Target

_PACKAGE = "opentelemetry-exporter-otlp-proto-{}"
_PROVIDER = "OTEL_PYTHON_EXPORTER_OTLP_{}_CREDENTIAL_PROVIDER"
_PROVIDERS = "opentelemetry_otlp_credential_provider"


def channel(target: Target) -> Channel:
    """Return what sends to a target. It connects when it first sends.

    Raises:
        ConfigurationError: the package of the protocol is not installed, or the settings are
            refused.
    """
    with _refusals(target):
        return _http_channel(target) if target.protocol == HTTP else _grpc_channel(target)


@contextmanager
def _refusals(target: Target) -> Iterator[None]:
    try:
        yield
    except ConfigurationError:
        raise
    except ImportError as error:
        package = _PACKAGE.format(target.protocol.partition("/")[0])
        raise ConfigurationError(
            f"protocol {target.protocol!r} needs a package that is not installed "
            f"({error}): pip install {package}"
        ) from error
    except Exception as error:
        raise ConfigurationError(
            f"the OTLP exporter for {target.where} refuses its settings ({error}): correct the "
            "OTEL_EXPORTER_OTLP_* variables"
        ) from error


# Imported when needed, because a program uses one of the two protocols and pays for no other.


def _http_channel(target: Target) -> Channel:
    from otelbridge.export._http_channel import HttpChannel, HttpSettings

    headers = {
        "content-type": "application/x-protobuf",
        "user-agent": _user_agent("http", "_OTLP_HTTP_HEADERS"),
        **({"content-encoding": target.compression} if target.compression != "none" else {}),
        **target.headers,
    }
    key, certificate = target.client_files
    files = Files(target.certificate, key, certificate)
    settings = HttpSettings(target.url, headers, target.timeout_s, target.compression, files)
    return HttpChannel(target.where, settings, partial(_http_session, target, _provider("HTTP")))


def _http_session(target: Target, provider: Callable[[], Any] | None) -> Any:
    """Return a session as the exporter leaves it."""
    from opentelemetry.exporter.otlp.proto.http import Compression
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from requests import Session

    session = provider() if provider else Session()
    if not isinstance(session, Session):
        raise _not_a(session, "requests.Session")
    if "authorization" in target.headers and session.auth is None:
        session.auth = _as_it_is  # else an entry in ~/.netrc would go before the header
    with suppress(TypeError):  # it takes other arguments: nothing of it is needed
        OTLPSpanExporter(
            endpoint=target.url,
            headers=target.headers,
            timeout=target.timeout_s,  # type: ignore[arg-type,unused-ignore]  # int to 1.34
            certificate_file=target.certificate,
            compression=Compression(target.compression),
            session=session,
        )
    return session


def _as_it_is(request: Any) -> Any:
    return request


def _grpc_channel(target: Target) -> Channel:
    _grpc_fork.support()
    import_module("opentelemetry.exporter.otlp.proto.grpc.trace_exporter")
    from otelbridge.export._grpc_channel import GrpcChannel, GrpcSettings

    key, certificate = target.client_files
    files = None if target.insecure else Files(target.certificate, key, certificate)
    if files is not None and files.authority is not None:
        Path(files.authority).read_bytes()  # gRPC takes no folder
    provider = None if files is None else _provider("GRPC")
    return GrpcChannel(
        target.where,
        GrpcSettings(
            address=_address(target.url),
            headers=target.headers,
            timeout_s=target.timeout_s,
            compression=target.compression,
            files=files,
            user_agent=_user_agent("grpc", "_USER_AGENT_HEADER_VALUE"),
            credentials=partial(_grpc_credentials, provider) if provider else None,
        ),
    )


def _grpc_credentials(provider: Callable[[], Any]) -> Any:
    import grpc

    credentials = provider()
    if not isinstance(credentials, grpc.ChannelCredentials):
        raise _not_a(credentials, "grpc.ChannelCredentials")
    return credentials


def _address(url: str) -> str:
    """Return an endpoint in gRPC's own syntax, which has no http and no path."""
    parts = urlsplit(url)
    return parts.netloc.rpartition("@")[2] if parts.scheme in ("http", "https") else url


def _provider(protocol: str) -> Callable[[], Any] | None:
    """Find what the credential provider variables name; the one for traces goes first."""
    names = (_PROVIDER.format(f"{protocol}_TRACES"), _PROVIDER.format(protocol))
    if (name := environment.text(os.environ, *names)) is None:
        return None
    if (found := environment.plugin(_PROVIDERS, name)) is None:
        raise environment.refused(
            " or ".join(names), name, f"a name that a package offers in {_PROVIDERS}"
        )
    return cast("Callable[[], Any]", found)


def _not_a(found: object, expected: str) -> ConfigurationError:
    return ConfigurationError(
        f"the credential provider returned a {type(found).__name__}: it must return a {expected}"
    )


def _user_agent(protocol: str, name: str) -> str:
    """Return the User-Agent of the official exporter."""
    found = getattr(import_module(f"opentelemetry.exporter.otlp.proto.{protocol}"), name, None)
    if isinstance(found, dict):
        found = found.get("User-Agent")
    return str(found or f"OTel-OTLP-Exporter-Python/{version(_PACKAGE.format(protocol))}")
