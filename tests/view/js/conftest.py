"""npm's packages, in a folder outside the checkout; collected only when they are asked for."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).parent


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave this folder alone unless the command line names it: `make test-browser` does."""
    named = (Path(arg.split("::")[0]).resolve() for arg in config.invocation_params.args)
    return None if any(HERE in (path, *path.parents) for path in named) else True


@pytest.fixture(scope="session")
def program() -> Path:
    """The program in a folder with its packages, which is kept for the next time."""
    assert shutil.which("npm"), "no npm here: install Node.js 20.6 or later"
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = base / "otelbridge-view-js"
    wanted = (HERE / "package.json").read_text()
    there = folder / "package.json"
    if not there.exists() or there.read_text() != wanted:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        options = ["--no-audit", "--no-fund", "--no-package-lock", "--ignore-scripts", "--silent"]
        there.write_text(wanted)
        try:
            subprocess.run(["npm", "install", *options], cwd=folder, check=True)
        except BaseException:
            there.unlink()
            raise
    return Path(shutil.copy(HERE / "program.mjs", folder))
