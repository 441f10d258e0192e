"""The files of the page: right types, asked for anew each time, and nothing else served."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from otelbridge.store import Store
from otelbridge.view import Server, page_files, start
from view.asking import ask

FILES = {
    "index.html": "text/html; charset=utf-8",
    "icon.svg": "image/svg+xml",
    "js/main.js": "text/javascript; charset=utf-8",
    "css/page.css": "text/css; charset=utf-8",
    "font.woff2": "font/woff2",
    "a b.json": "application/json",
}


@pytest.fixture(scope="module")
def viewer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A viewer for all of these tests."""
    with (
        Store(tmp_path_factory.mktemp("files") / "traces.db") as store,
        start(store, port=0, otlp_http_port=None, otlp_grpc_port=None) as server,
    ):
        yield server


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A page with one file of each kind."""
    page = tmp_path / "page"
    for name in [*FILES, "secret.py", "js/.hidden"]:
        file = page / name
        file.parent.mkdir(exist_ok=True, parents=True)
        file.write_text(f"this is {name}")
    (tmp_path / "outside.js").write_text("outside")
    monkeypatch.setattr(page_files, "FOLDER", page)
    return page


@pytest.mark.parametrize("name", FILES)
def test_files_have_their_types(viewer: Server, folder: Path, name: str) -> None:
    """A module that is not called JavaScript is not run by a browser."""
    answer = ask(viewer.url, f"/static/{name.replace(' ', '%20')}")
    assert (answer.status, answer.body.decode()) == (200, f"this is {name}")
    assert answer.headers["content-type"] == FILES[name]
    assert answer.headers["cache-control"] == "no-cache"


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/?token=x",
        "/trace/4bf92f3577b34da6a3ce929d0e0e4736",
        "/trace/last/00f067aa0ba902b7?event=3",
        "/compare/a/b",
        "/compare/a:1/b:2",
    ],
)
def test_deep_links_open_the_page(viewer: Server, folder: Path, path: str) -> None:
    """It finds out by itself what it is asked to show."""
    answer = ask(viewer.url, path)
    assert (answer.status, answer.body) == (200, b"this is index.html")
    assert answer.headers["content-type"] == FILES["index.html"]


def test_a_file_is_sent_again_only_when_it_has_changed(viewer: Server, folder: Path) -> None:
    """Its tag is of its content; a proxy may have made it a weak one."""
    path = "/static/js/main.js"
    tag = ask(viewer.url, path).headers["etag"]
    for shown in (tag, f"W/{tag}", f'"other", {tag}', "*"):
        again = ask(viewer.url, path, if_none_match=shown)
        assert (again.status, again.body, again.headers["etag"]) == (304, b"", tag)
        assert again.headers["cache-control"] == "no-cache"
        assert "content-security-policy" in again.headers
    assert ask(viewer.url, path, if_none_match='"other"').status == 200
    file = folder / "js/main.js"
    file.write_text("it is another")
    os.utime(file, (1, 1))
    new = ask(viewer.url, path, if_none_match=tag)
    assert (new.status, new.body) == (200, b"it is another")
    assert new.headers["etag"] != tag


def test_the_icon_is_where_browsers_look_for_it(viewer: Server, folder: Path) -> None:
    """So that none of them reports an error."""
    answer = ask(viewer.url, "/favicon.ico")
    assert (answer.status, answer.headers["content-type"]) == (200, "image/svg+xml")


@pytest.mark.parametrize(
    "name",
    [
        "secret.py",
        "js/.hidden",
        "js",
        "js/",
        "",
        "nothing.js",
        "../outside.js",
        "..%2foutside.js",
        "%2e%2e/outside.js",
        "js/../../outside.js",
        "//outside.js",
        "{outside}",
        "main.js%00.css",
        "{long}.js",
    ],
)
def test_nothing_else_is_served(viewer: Server, folder: Path, name: str) -> None:
    """No other kind, no folder, and nothing outside of it."""
    path = f"/static/{name.format(outside=folder.parent / 'outside.js', long='x' * 5000)}"
    answer = ask(viewer.url, path)
    assert answer.status == 404
    assert list(answer.json) == ["error"]


@pytest.mark.skipif(not hasattr(os, "symlink"), reason="links are those of POSIX")
def test_a_link_that_leads_out_is_not_followed(viewer: Server, folder: Path) -> None:
    """Whoever put it there."""
    (folder / "link.js").symlink_to(folder.parent / "outside.js")
    assert ask(viewer.url, "/static/link.js").status == 404


def test_a_page_that_is_not_installed(
    viewer: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """It is said; the API answers all the same."""
    monkeypatch.setattr(page_files, "FOLDER", tmp_path)
    answer = ask(viewer.url, "/")
    assert (answer.status, answer.json) == (404, {"error": "The page has no file 'index.html'."})
    assert ask(viewer.url, "/api/menus").status == 200


def test_every_file_of_the_page_is_of_a_kind_that_is_served() -> None:
    """And lies in the package."""
    files = [it for it in page_files.FOLDER.rglob("*") if it.is_file()]
    assert page_files.FOLDER.name == "page"
    assert {it.suffix for it in files} <= set(page_files.TYPES)
