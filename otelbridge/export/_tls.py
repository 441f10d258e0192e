"""Why a connection with TLS fails, or one without it at a port that wants it, and the cure.

gRPC says little and in words that change, and a server that wants TLS drops plain text without a
word. So where a connection ends unanswered, one handshake is made by hand to see why.
"""

from __future__ import annotations

import os
import socket
import ssl
from dataclasses import dataclass

from otelbridge.export.channel import Blocked

_LOOK_S = 1.0
_SILENT_S = 0.3
_PLAIN_TEXT = ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "HTTP_REQUEST", "UNKNOWN_PROTOCOL")
_PASSING = ("EOF", "ZERO_RETURN", "SYSCALL")
_CA_CURE = (
    "pass certificate= or set OTEL_EXPORTER_OTLP_CERTIFICATE to the PEM file of the authority that "
    "signed the receiver's certificate"
)


@dataclass(frozen=True)
class Files:
    """The PEM files that a connection with TLS uses.

    Attributes:
        authority: of the receiver's certificate, a file or a folder; None: the system's.
        key: of our own certificate, for mutual TLS.
        certificate: our own, for mutual TLS.
    """

    authority: str | None = None
    key: str | None = None
    certificate: str | None = None


WANTS_TLS = Blocked(
    "the receiver expects TLS and was sent plain text",
    "write the endpoint with https:// (or, where it has no scheme, leave insecure out)",
)
WANTS_PLAIN_TEXT = Blocked(
    "the receiver does not speak TLS",
    "write the endpoint with http://, or give the receiver a certificate",
)
ENDS_TLS = Blocked(
    "the receiver ends the connection when TLS begins",
    "write the endpoint with http:// if it expects plain text, else see what the receiver logs",
)


def blocked(error: ssl.SSLError) -> Blocked | None:
    """Return what a person can do about a failed handshake; None where it may pass by itself."""
    reason = (error.reason or "").upper()
    if isinstance(error, ssl.SSLCertVerificationError):
        return _unverified(error.verify_message or str(error))
    if isinstance(error, (ssl.SSLEOFError, ssl.SSLZeroReturnError, ssl.SSLSyscallError)):
        return None
    if any(word in reason for word in _PLAIN_TEXT):
        return WANTS_PLAIN_TEXT
    if not reason or any(word in reason for word in _PASSING):
        return None
    return _unwelcome(reason.lower().replace("_", " "))


def _unwelcome(why: str) -> Blocked:
    return Blocked(
        f"the receiver refuses the TLS connection ({why})",
        "set OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE and OTEL_EXPORTER_OTLP_CLIENT_KEY to a "
        "certificate and key that it trusts, or correct the endpoint",
    )


def _unverified(why: str) -> Blocked:
    reason = f"the receiver's certificate cannot be trusted ({why.rstrip('.')})"
    if "mismatch" in why:
        return Blocked(reason, "write the host name that the certificate is for into the endpoint")
    if "expired" in why or "not yet valid" in why:
        return Blocked(reason, "renew the receiver's certificate, or set this machine's clock")
    return Blocked(reason, _CA_CURE)


def look(host: str, port: int, files: Files | None, protocol: str) -> Blocked | None:
    """Connect once more and shake hands, to see why a connection ended unanswered.

    Args:
        host: of the receiver.
        port: of the receiver.
        files: what TLS uses; None where the connection was to be plain text.
        protocol: the ALPN name of what is spoken over it, "h2" or "http/1.1".

    Returns:
        What is wrong with the set-up, None if nothing is seen. Takes about a second at most.
    """
    try:
        context = _context(files)
        context.set_alpn_protocols([protocol])
        with socket.create_connection((host, port), timeout=_LOOK_S) as plain:
            try:
                secure = context.wrap_socket(plain, server_hostname=host)
            except (ssl.SSLEOFError, ConnectionError):
                return None if files is None else ENDS_TLS
            with secure:
                return WANTS_TLS if files is None else _listen(secure)
    except ssl.SSLError as error:
        if files is not None:
            return blocked(error)
        return WANTS_TLS if "ALERT" in (error.reason or "").upper() else None
    except OSError:  # it does not answer any more, or has nothing to say
        return None


def _listen(secure: ssl.SSLSocket) -> Blocked | None:
    """Wait a moment: with TLS 1.3 a server speaks of our certificate after the handshake.

    Raises:
        OSError: it is silent, as it should be, or says what is wrong.
    """
    secure.settimeout(_SILENT_S)
    return None if secure.recv(1) else _unwelcome("it ends it after the handshake")


def _context(files: Files | None) -> ssl.SSLContext:
    if files is None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context
    path = files.authority
    if path is None:
        context = ssl.create_default_context()
    elif os.path.isdir(path):
        context = ssl.create_default_context(capath=path)
    else:
        context = ssl.create_default_context(cafile=path)
    if files.certificate:
        context.load_cert_chain(files.certificate, files.key)
    return context
