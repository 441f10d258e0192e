"""The viewer as its command starts it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

from view.asking import ask

VIEW = (sys.executable, "-m", "otelbridge.cli", "view", "--port", "0", "--no-otlp")


def test_a_random_token_is_made_and_printed(tmp_path: Path) -> None:
    """It is in the address that is printed, each time another, and not among the arguments."""
    tokens = []
    for _ in range(2):
        with subprocess.Popen(
            [*VIEW, "--host", "0.0.0.0", "--token", "random"],
            env={**os.environ, "OTELBRIDGE_STORE": str(tmp_path / "traces.db")},
            stdout=subprocess.PIPE,
            text=True,
        ) as command:
            assert command.stdout is not None
            found = re.search(r"(http://127.0.0.1:\d+/)\?token=(\S+)", command.stdout.readline())
            assert found is not None
            url, token = found.groups()
            assert ask(url).status == 401
            assert ask(f"{url}?token=random").status == 401
            assert ask(url, authorization=f"Bearer {token}").status == 200
            command.send_signal(signal.SIGINT)
        assert command.returncode == 0
        tokens.append(token)
    assert len(set(tokens)) == 2
    assert all(len(token) >= 32 for token in tokens)


def test_the_token_may_be_in_a_variable(tmp_path: Path) -> None:
    """As good as the option's, and as secret."""
    variables = {"OTELBRIDGE_STORE": str(tmp_path / "traces.db"), "OTELBRIDGE_VIEW_TOKEN": "abc"}
    with subprocess.Popen(
        [*VIEW, "--host", "0.0.0.0"],
        env={**os.environ, **variables},
        stdout=subprocess.PIPE,
        text=True,
    ) as command:
        assert command.stdout is not None
        found = re.search(r"http://127.0.0.1:\d+/", command.stdout.readline())
        assert found is not None
        assert ask(found[0]).status == 401
        assert ask(found[0], authorization="Bearer abc").status == 200
        command.send_signal(signal.SIGINT)
    assert command.returncode == 0
