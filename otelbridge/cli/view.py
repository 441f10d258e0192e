"""``otelbridge view``: the web viewer, and the receivers of OTLP."""

from __future__ import annotations

import secrets
import sys
import webbrowser
from typing import Annotated
from urllib.parse import urlsplit

import typer

from otelbridge.cli._complete import trace_ids
from otelbridge.cli._help import foot
from otelbridge.cli._options import StoreOption
from otelbridge.cli._output import Output
from otelbridge.cli._traces import opened

FOOT = foot(
    "otelbridge view --open",
    "otelbridge view last --open",
    "otelbridge view --port 8080 --no-otlp",
    "otelbridge view --host 0.0.0.0 --token random",
    status="0 it was ended by Ctrl-C or SIGTERM; 2 a port is taken, or a setting cannot be used.",
)


def view(
    trace: Annotated[
        str | None,
        typer.Argument(
            metavar="[TRACE]",
            help="Begin with its page: its id, or the first digits of it, or last.",
            autocompletion=trace_ids,
        ),
    ] = None,
    port: Annotated[int, typer.Option("--port", "-p", min=0, max=65535)] = 4321,
    open_: Annotated[bool, typer.Option("--open", help="Open the page in a browser.")] = False,
    host: Annotated[str, typer.Option("--host", help="Address to listen on.")] = "127.0.0.1",
    token: Annotated[
        str | None,
        typer.Option(
            "--token",
            envvar="OTELBRIDGE_VIEW_TOKEN",
            help="Asked of everybody; needed for an address that others can reach. With random, "
            "one is made and printed: other users of this machine see what a command is given.",
        ),
    ] = None,
    otlp_http_port: Annotated[
        int, typer.Option("--otlp-http-port", min=0, max=65535, help="Receives OTLP over HTTP.")
    ] = 4318,
    otlp_grpc_port: Annotated[
        int, typer.Option("--otlp-grpc-port", min=0, max=65535, help="Receives OTLP over gRPC.")
    ] = 4317,
    no_otlp: Annotated[
        bool, typer.Option("--no-otlp", help="Receive no OTLP on ports of its own.")
    ] = False,
    choose_ports: Annotated[
        bool, typer.Option("--choose-ports", help="Where a port is taken, take a free one.")
    ] = False,
    store: StoreOption = None,
) -> None:
    """Serve the web viewer, and take OTLP from any application in any language."""
    try:
        from otelbridge.view import Served, serve
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("otelbridge"):
            raise
        cure = "pip install 'otelbridge[view]'"
        print(f"otelbridge view: {error.name} is not installed: {cure}", file=sys.stderr)
        raise typer.Exit(2) from None

    def ready(served: Served) -> None:
        output = Output()
        page = urlsplit(served.url)._replace(path=first or "/").geturl()
        output.line(("", "Traces       "), ("name", page))
        if served.otlp_http:
            output.line(("dim", f"OTLP/HTTP    {served.otlp_http}"))
        if served.otlp_grpc:
            output.line(("dim", f"OTLP/gRPC    {served.otlp_grpc}"))
        output.line(("dim", f"Store        {traces.path}"))
        if output.is_terminal:
            output.line(("dim", "Ctrl-C ends it."))
        if open_:
            webbrowser.open(page)

    with opened(store) as traces:
        first = "" if trace is None else f"/trace/{traces.find(trace)}"
        serve(
            traces,
            host=host,
            port=port,
            otlp_http_port=None if no_otlp else otlp_http_port,
            otlp_grpc_port=None if no_otlp else otlp_grpc_port,
            choose_ports=choose_ports,
            token=secrets.token_urlsafe() if token == "random" else token,
            ready=ready,
        )
