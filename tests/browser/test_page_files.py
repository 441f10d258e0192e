"""The page's files: nothing in them can turn a value into markup or reach another host."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "otelbridge" / "view" / "page"
FILES = sorted(it for it in PAGE.rglob("*") if it.suffix in (".js", ".css", ".html", ".svg"))
MARKUP = re.compile(
    r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|setHTML|DOMParser|srcdoc"
    r"|createContextualFragment|\beval\b|new Function|javascript:"
)


@pytest.mark.parametrize("file", FILES, ids=lambda it: str(it.relative_to(PAGE)))
def test_file_makes_no_markup_of_values(file: Path) -> None:
    """No file uses what parses a text as HTML or as code."""
    assert MARKUP.findall(file.read_text()) == []


@pytest.mark.parametrize("file", FILES, ids=lambda it: str(it.relative_to(PAGE)))
def test_file_names_no_other_host(file: Path) -> None:
    """Addresses stand in comments alone, and as SVG's namespace."""
    text = re.sub(r"/\*.*?\*/|^\s*//.*$", "", file.read_text(), flags=re.DOTALL | re.MULTILINE)
    found = set(re.findall(r"https?://[^\s\"')]+", text))
    assert found <= {"http://www.w3.org/2000/svg"}


def test_html_has_no_inline_scripts_and_styles() -> None:
    """What the Content-Security-Policy forbids is not there."""
    html = (PAGE / "index.html").read_text()
    assert re.findall(r"<style|style=|\son[a-z]+=|<script(?![^>]*\ssrc=)", html) == []


def test_modules_are_small() -> None:
    """Each module has one concern: none is longer than 300 lines."""
    lines = {it.name: len(it.read_text().splitlines()) for it in FILES if it.suffix == ".js"}
    assert {name: count for name, count in lines.items() if count > 300} == {}
