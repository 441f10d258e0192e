"""Real backends as processes of their own: started on free ports, in folders of their own.

A server keeps its ports and its folder when it is started again, as it would on a host. What it
prints goes to a file, which a failed test shows.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from backends.build import BACKENDS

CONFIGURATIONS = Path(__file__).parents[2] / "collector-config"
READY_S = 120  # a loaded machine with two cores; an idle one needs 1 to 8 s

started: list[Server] = []  # what a failed test shows the logs of


class Server:
    """One process.

    Attributes:
        name: what a person calls it.
        folder: where it keeps its files.
        log: the file of what it prints.
        ports: its ports by name.
    """

    def __init__(self, name: str, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.name = name
        self.folder = folder
        self.log = folder / "log.txt"
        self.ports: dict[str, int] = {}
        self._process: subprocess.Popen[bytes] | None = None

    def command(self) -> Sequence[str]:
        """The words of its command line."""
        raise NotImplementedError

    def variables(self) -> Mapping[str, str]:
        """Its environment, beside PATH."""
        return {}

    def ready(self) -> bool:
        """Whether it takes work now."""
        raise NotImplementedError

    def address(self, port: str) -> str:
        """Host and port."""
        return f"127.0.0.1:{self.ports[port]}"

    def start(self) -> None:
        """Start it, and wait until it is ready."""
        environment = {"PATH": os.environ["PATH"], "HOME": str(self.folder), **self.variables()}
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self.command(), cwd=self.folder, env=environment, stdout=log, stderr=log
            )
        if self not in started:
            started.append(self)
        until(self._is_ready, READY_S, f"{self.name} is ready")

    def _is_ready(self) -> bool:
        assert self._process is not None
        status = self._process.poll()
        assert status is None, f"{self.name} left with status {status}:\n{self.tail()}"
        return self.ready()

    def stop(self, timeout_s: float = 60) -> int:
        """Ask it to end by SIGTERM; its exit status."""
        return self._end(signal.SIGTERM, timeout_s)

    def kill(self) -> None:
        """End it by kill -9, between two of its instructions."""
        self._end(signal.SIGKILL, 10)

    def _end(self, signal_number: int, timeout_s: float) -> int:
        process, self._process = self._process, None
        if process is None:
            return 0
        process.send_signal(signal_number)
        try:
            return process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise AssertionError(f"{self.name} did not end:\n{self.tail()}") from None

    def close(self) -> None:
        """End it for good."""
        self.kill()
        if self in started:
            started.remove(self)

    def resident_mib(self) -> float:
        """Its memory now."""
        assert self._process is not None
        pages = int(Path(f"/proc/{self._process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 2**20

    def cpu_s(self) -> float:
        """Its CPU time since it was started."""
        assert self._process is not None
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def tail(self, characters: int = 2000) -> str:
        """The end of what it printed, without what only informs."""
        lines = self.printed().splitlines(keepends=True)
        return "".join(line for line in lines if "\tinfo\t" not in line)[-characters:]

    def printed(self) -> str:
        """Everything it printed."""
        return self.log.read_text("utf-8", "replace") if self.log.exists() else ""


class Collector(Server):
    """A Collector with one of the files of collector-config/.

    Args:
        folder: for its queue and its log.
        files: names of the files without their ending; a later one is merged over the first.
        settings: its variables, beside those of its ports and folders.
    """

    def __init__(self, folder: Path, *files: str, **settings: str) -> None:
        super().__init__(folder.name, folder)
        self.files = files
        self.settings = settings
        self.ports = free_ports("GRPC", "HTTP", "HEALTH", "METRICS", "SELF")

    def command(self) -> Sequence[str]:
        return [str(binary("collector", "otelcol")), *configured(self.files)]

    def variables(self) -> Mapping[str, str]:
        named = {
            f"OTELCOL_{name}": self.address(name) for name in ("GRPC", "HTTP", "HEALTH", "METRICS")
        }
        own = {
            "OTELCOL_SELF_PORT": str(self.ports["SELF"]),
            "OTELCOL_QUEUE": f"{self.folder}/queue",
        }
        return {**named, **own, **self.settings}

    def ready(self) -> bool:
        return answers(f"http://{self.address('HEALTH')}/")


class Jaeger(Server):
    """Jaeger with one of its two files of collector-config/."""

    def __init__(self, configuration: str, folder: Path, **settings: str) -> None:
        super().__init__(folder.name, folder)
        self.files = (configuration,)
        self.settings = settings
        self.ports = free_ports("GRPC", "HTTP", "HEALTH", "PAGE", "QUERY_GRPC", "SELF")

    def command(self) -> Sequence[str]:
        return [str(binary("jaeger", "jaeger")), *configured(self.files)]

    def variables(self) -> Mapping[str, str]:
        named = {f"JAEGER_{name}": self.address(name) for name in self.ports if name != "SELF"}
        own = {"JAEGER_SELF_PORT": str(self.ports["SELF"]), "JAEGER_DATA": f"{self.folder}/data"}
        return {**named, **own, **self.settings}

    def ready(self) -> bool:
        return answers(f"http://{self.address('HEALTH')}/status")

    @property
    def page(self) -> str:
        """The URL of its page and its query API."""
        return f"http://{self.address('PAGE')}"


class Kafka(Server):
    """One broker that is its own controller (KRaft)."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder.name, folder)
        self.ports = free_ports("BROKER", "CONTROLLER")
        properties = self.folder / "server.properties"
        properties.write_text(
            "process.roles=broker,controller\n"
            "node.id=1\n"
            f"controller.quorum.voters=1@{self.address('CONTROLLER')}\n"
            f"listeners=PLAINTEXT://{self.address('BROKER')},"
            f"CONTROLLER://{self.address('CONTROLLER')}\n"
            f"advertised.listeners=PLAINTEXT://{self.address('BROKER')}\n"
            "controller.listener.names=CONTROLLER\n"
            "listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT\n"
            f"log.dirs={self.folder / 'data'}\n"
            "num.partitions=4\n"
            "offsets.topic.num.partitions=1\n"
            "offsets.topic.replication.factor=1\n"
            "transaction.state.log.replication.factor=1\n"
            "transaction.state.log.min.isr=1\n"
            "group.initial.rebalance.delay.ms=0\n"
            "message.max.bytes=8388608\n"
        )
        identifier = str(uuid.uuid4())
        tool = ["kafka.tools.StorageTool", "format", "-t", identifier, "-c", str(properties)]
        subprocess.run([*self._java(), *tool], check=True, capture_output=True)

    @staticmethod
    def _java() -> list[str]:
        return ["java", "-Xmx512m", "-XX:TieredStopAtLevel=1", "-cp", f"{binary('kafka', 'lib')}/*"]

    def command(self) -> Sequence[str]:
        return [*self._java(), "kafka.Kafka", str(self.folder / "server.properties")]

    def ready(self) -> bool:
        return "Kafka Server started" in self.printed() and listens(self.ports["BROKER"])


def binary(backend: str, name: str) -> Path:
    """A file that `make backends` has built."""
    path = BACKENDS[backend].folder / name
    assert path.exists(), f"{path} is missing: run `make backends` first"
    return path


def configured(files: Sequence[str]) -> list[str]:
    """The arguments that name files of collector-config/."""
    return [f"--config=file:{CONFIGURATIONS / name}.yaml" for name in files]


def until(holds: Callable[[], object], timeout_s: float, what: str, pause_s: float = 0.1) -> float:
    """Wait until something holds; the seconds it took."""
    begin = time.monotonic()
    while not holds():
        assert time.monotonic() - begin < timeout_s, f"not so after {timeout_s:g} s: {what}"
        time.sleep(pause_s)
    return time.monotonic() - begin


def free_ports(*names: str) -> dict[str, int]:
    """Ports that nothing listens on now, all different."""
    sockets = [socket.socket() for _ in names]
    try:
        for it in sockets:
            it.bind(("127.0.0.1", 0))
        return dict(zip(names, (it.getsockname()[1] for it in sockets), strict=True))
    finally:
        for it in sockets:
            it.close()


def answers(url: str) -> bool:
    """Whether the URL answers with status 200."""
    try:
        with urllib.request.urlopen(url, timeout=5) as response:
            return bool(response.status == 200)
    except OSError:
        return False


def listens(port: int) -> bool:
    """Whether something takes connections at this port."""
    try:
        with socket.create_connection(("127.0.0.1", port), 1):
            return True
    except OSError:
        return False
