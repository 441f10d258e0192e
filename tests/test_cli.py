"""The command: what it prints, what it passes on, how it ends."""

from __future__ import annotations

import pytest

from otelbridge import __version__, cli, demo


@pytest.mark.parametrize(("arguments", "folder"), [([], None), (["texts"], "texts")])
def test_demo_gets_its_folder(
    monkeypatch: pytest.MonkeyPatch, arguments: list[str], folder: str | None
) -> None:
    """``otelbridge demo`` runs the demo over the folder given, and ends with its status."""
    given: list[str | None] = []

    def run(folder: str | None = None) -> int:
        given.append(folder)
        return 2

    monkeypatch.setattr(demo, "run", run)
    assert cli.main(["demo", *arguments]) == 2
    assert given == [folder]


def test_version_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    """``--version`` prints the package's version and ends well."""
    with pytest.raises(SystemExit) as left:
        cli.main(["--version"])
    assert left.value.code == 0
    assert capsys.readouterr().out == f"otelbridge {__version__}\n"


def test_help_is_printed_without_a_command(capsys: pytest.CaptureFixture[str]) -> None:
    """The bare command says what there is."""
    assert cli.main([]) == 0
    assert "demo" in capsys.readouterr().out


def test_unknown_command_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    """Another word leaves with status 2 and the commands there are."""
    with pytest.raises(SystemExit) as left:
        cli.main(["demp"])
    assert left.value.code == 2
    assert "invalid choice: 'demp'" in capsys.readouterr().err
