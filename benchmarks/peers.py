"""Who else traces LangChain, at the newest versions, each in an environment of its own.

They cannot share one: they go by the same name in the entry points of OpenTelemetry.
"""

from __future__ import annotations

import importlib.metadata
import subprocess
import sys
import venv
from dataclasses import dataclass
from typing import Final

from benchmarks.environment import ROOT, clean_environment

PINNED: Final = ("langchain", "langchain-core", "langgraph", "opentelemetry-sdk")
"""What a peer is measured with, in the versions that are installed here. One of them instruments
nothing unless ``langchain`` itself is there, though the programs need it not."""


@dataclass(frozen=True)
class Peer:
    """One other instrumentation.

    Attributes:
        package: what is installed.
        instrumentor: its ``BaseInstrumentor``, as ``module:class``.
    """

    package: str
    instrumentor: str


PEERS: Final = {
    "OpenInference": Peer(
        "openinference-instrumentation-langchain",
        "openinference.instrumentation.langchain:LangChainInstrumentor",
    ),
    "OpenLLMetry": Peer(
        "opentelemetry-instrumentation-langchain",
        "opentelemetry.instrumentation.langchain:LangchainInstrumentor",
    ),
    "OTel GenAI": Peer(
        "opentelemetry-instrumentation-genai-langchain",
        "opentelemetry.instrumentation.genai.langchain:LangChainInstrumentor",
    ),
}


def python_with(peer: Peer) -> str:
    """Install the newest version of a peer, and return the interpreter that has it."""
    folder = ROOT / f".venv-{sys.version_info[0]}.{sys.version_info[1]}-{peer.package}"
    python = folder / "bin" / "python"
    if not python.exists():
        venv.create(folder, with_pip=True)
    pins = [f"{name}=={importlib.metadata.version(name)}" for name in PINNED]
    pip = [str(python), "-m", "pip", "--quiet", "--disable-pip-version-check", "install"]
    words = [*pip, "--prefer-binary", "--upgrade", peer.package, *pins]
    subprocess.run(words, check=True, env=clean_environment(), stdout=sys.stderr)
    return str(python)
