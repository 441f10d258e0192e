"""Who is let in: hosts, origins, tokens; and what every answer says to the browser."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from otelbridge import ConfigurationError
from otelbridge.store import Store
from otelbridge.view import Server, start
from otelbridge.view.guard import Door
from view.asking import Answer, ask

TOKEN = "correct horse battery staple/+="
SECURITY = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}
PATHS = ["/", "/trace/abc", "/static/x.js", "/api/traces", "/api/live", "/v1/traces", "/nowhere"]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """An empty store for all of these tests."""
    with Store(tmp_path_factory.mktemp("guard") / "traces.db") as made:
        yield made


@pytest.fixture(scope="module")
def viewer(store: Store) -> Iterator[Server]:
    """A viewer as it is by default."""
    with start(store, port=0, otlp_http_port=0, otlp_grpc_port=None) as it:
        yield it


@pytest.fixture(scope="module")
def guarded(store: Store) -> Iterator[Server]:
    """A viewer that every machine can reach."""
    with start(
        store, host="0.0.0.0", port=0, otlp_http_port=0, otlp_grpc_port=None, token=TOKEN
    ) as it:
        yield it


def both(server: Server) -> list[str]:
    """The addresses of everything that speaks HTTP."""
    return [server.url, str(server.served.otlp_http)]


def error(answer: Answer) -> str:
    """What an error says."""
    assert list(answer.json) == ["error"]
    assert answer.headers["content-type"] == "application/json"
    return str(answer.json["error"])


@pytest.mark.parametrize("path", [it for it in PATHS if it != "/api/live"])
def test_every_answer_has_the_headers_of_security(viewer: Server, path: str) -> None:
    """Whatever its status; and none of them lets another origin read it."""
    for url in both(viewer):
        answer = ask(url, path)
        assert SECURITY.items() <= answer.headers.items()
        assert not any(key.startswith("access-control") for key in answer.headers)
        assert "server" not in answer.headers
        assert answer.headers["cache-control"] in ("no-store", "no-cache")


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:4321",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "8.8.8.8",
        "192.168.1.5:4321",
        "127.0.0.1@evil.example",
        "localhost/evil.example",
        "localhost:evil",
        "",
        "[::1",
        None,
    ],
)
def test_a_strangers_host_is_refused(viewer: Server, path: str, host: str | None) -> None:
    """A name that was pointed at this machine is not this machine's name."""
    for url in both(viewer):
        answer = ask(url, path, host=host)
        if host is None:  # HTTP itself asks for one
            assert answer.status == 400
        else:
            assert answer.status == 421
            assert "is not one of this server's names" in error(answer)


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:1", "127.0.0.1:8080", "127.1.2.3", "[::1]:4321", "[::1]"]
)
def test_this_machines_names_are_let_in(viewer: Server, host: str) -> None:
    """With any port, for a tunnel has one of its own."""
    assert ask(viewer.url, "/api/menus", host=host).json == {"services": [], "events": []}


def test_a_further_name_is_let_in_where_it_is_given(store: Store) -> None:
    """As a container's host is named by those within it."""
    with start(
        store, port=0, otlp_http_port=None, otlp_grpc_port=None, hosts=["Box.internal"]
    ) as it:
        assert ask(it.url, "/api/menus", host="box.internal:4321").status == 200
        assert ask(it.url, "/api/menus", host="other.internal").status == 421


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    "origin",
    [
        "http://evil.example",
        "null",
        "",
        "http://localhost:{port}",
        "http://127.0.0.1:1",
        "http://127.0.0.1",
        "ftp://127.0.0.1:{port}",
        "http://[",
    ],
)
def test_a_strangers_origin_is_refused(viewer: Server, path: str, origin: str) -> None:
    """Another port of this machine is a stranger too."""
    for url in both(viewer):
        port = url.rstrip("/").rpartition(":")[2]
        for method, body in (("GET", None), ("POST", b"{}"), ("OPTIONS", None)):
            answer = ask(
                url,
                path,
                method=method,
                body=body,
                origin=origin.format(port=port),
                content_type="application/json",
            )
            assert answer.status == 403
            assert "are refused" in error(answer)


def test_the_pages_own_origin_is_let_in(viewer: Server) -> None:
    """A browser sends it with a request that is not a GET."""
    own = viewer.url.rstrip("/")
    answer = ask(viewer.url, "/v1/traces", body=b"{}", origin=own, content_type="application/json")
    assert (answer.status, answer.json) == (200, {})


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_what_a_browser_fetches_for_another_site_is_refused(viewer: Server, site: str) -> None:
    """An image, a script, a form: without an Origin, but said by the browser."""
    for path in PATHS:
        answer = ask(viewer.url, path, sec_fetch_site=site, sec_fetch_mode="no-cors")
        assert answer.status == 403
    for path in ("/api/traces", "/v1/traces"):
        answer = ask(viewer.url, path, sec_fetch_site=site, sec_fetch_mode="navigate")
        assert answer.status == 403
    answer = ask(viewer.url, "/trace/last", sec_fetch_site=site, sec_fetch_mode="navigate")
    assert answer.status != 403, "a link on another site may open the page"
    answer = ask(viewer.url, "/api/traces", sec_fetch_site="same-origin", sec_fetch_mode="cors")
    assert answer.status == 200


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.org", ""])
def test_another_address_than_loopback_needs_a_token(store: Store, host: str) -> None:
    """Without one nothing is listened on."""
    with pytest.raises(ConfigurationError, match="a token is needed"):
        start(store, host=host, port=0)


@pytest.mark.parametrize("token", ["", " ", "tail ", "žluťoučký"])
def test_a_token_that_no_header_holds_is_refused(store: Store, token: str) -> None:
    """On loopback too."""
    with pytest.raises(ConfigurationError, match="cannot be sent in a header") as raised:
        start(store, port=0, token=token)
    assert "žlu" not in str(raised.value)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    "shown",
    [
        {},
        {"authorization": "Bearer wrong"},
        {"authorization": f"Basic {TOKEN}"},
        {"authorization": "Bearer "},
        {"authorization": f"Bearer {TOKEN} more"},
        {"cookie": f"otelbridge={TOKEN}"},
        {"cookie": "otelbridge_1=x; broken"},
    ],
)
def test_without_the_token_nothing_is_answered(
    guarded: Server, path: str, shown: dict[str, str]
) -> None:
    """Neither page nor API nor receiver."""
    for url in both(guarded):
        answer = ask(url, path, **shown)
        assert answer.status == 401
        assert answer.headers["www-authenticate"] == "Bearer"
        assert "A token is needed" in error(answer)
        assert TOKEN not in error(answer)
        assert SECURITY.items() <= answer.headers.items()
    assert ask(guarded.url, f"{path}?token=wrong").status == 401


def test_the_token_is_in_the_address_once(guarded: Server) -> None:
    """Then a cookie, which no script reads and no other site's request carries."""
    first = ask(guarded.url)
    assert first.status == 303
    assert first.headers["location"] == "/"
    assert first.headers["cache-control"] == "no-store"
    cookie, *rules = first.headers["set-cookie"].split("; ")
    port = guarded.url.split("/")[2].partition(":")[2]
    assert cookie.startswith(f"otelbridge_{port}=")
    assert set(rules) == {"HttpOnly", "Path=/", "SameSite=strict"}
    assert "correct" not in cookie
    assert ask(guarded.url, "/api/menus", cookie=cookie).status == 200
    assert ask(guarded.url, "/api/menus", cookie=cookie[:-1] + "x").status == 401


@pytest.mark.parametrize(
    ("asked", "location"),
    [
        ("/trace/abc?token={}&span=1&q=%C5%BE", "/trace/abc?span=1&q=%C5%BE"),
        ("/?a=&token={}", "/?a="),
        ("//evil.example/?token={}", "/evil.example/"),
        ("/\\evil.example?token={}", "/%5Cevil.example"),
    ],
)
def test_the_token_leads_to_the_same_address(guarded: Server, asked: str, location: str) -> None:
    """Of this server, always."""
    token = "correct%20horse+battery%20staple%2F%2B%3D"
    answer = ask(guarded.url, asked.format(token))
    assert (answer.status, answer.headers["location"]) == (303, location)


def test_a_program_shows_the_token_in_a_header(guarded: Server) -> None:
    """As OTEL_EXPORTER_OTLP_HEADERS sends it; its letters' case is the program's."""
    shown = {"authorization": f"bearer {TOKEN}"}
    answer = ask(
        str(guarded.served.otlp_http),
        "/v1/traces",
        body=b"{}",
        content_type="application/json",
        **shown,
    )
    assert (answer.status, answer.json) == (200, {})
    assert ask(guarded.url, "/v1/traces?token=x", body=b"{}").status == 401


def test_the_token_is_not_taken_from_a_request_that_changes_something(guarded: Server) -> None:
    """Nor does such a request get a cookie."""
    token = "correct%20horse+battery%20staple%2F%2B%3D"
    answer = ask(guarded.url, f"/v1/traces?token={token}", body=b"{}")
    assert answer.status == 401
    assert "set-cookie" not in answer.headers


def test_a_name_that_was_pointed_here_is_refused_with_a_token_too(guarded: Server) -> None:
    """Addresses and this machine's own names are let in."""
    shown = {"authorization": f"Bearer {TOKEN}"}
    assert ask(guarded.url, "/api/menus", host="evil.example", **shown).status == 421
    for host in ("10.1.2.3:4321", "[2001:db8::1]", "localhost"):
        assert ask(guarded.url, "/api/menus", host=host, **shown).status == 200


def test_the_token_is_compared_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """By digests of it, so that neither letters nor length are told by the time it takes."""
    compared: list[tuple[bytes, bytes]] = []

    def compare(a: bytes, b: bytes) -> bool:
        compared.append((a, b))
        return a == b

    monkeypatch.setattr("otelbridge.view.guard.hmac.compare_digest", compare)
    door = Door("0.0.0.0", token="right")
    assert [door.opens_for(it) for it in ("right", "r", "wrong" * 1000, "", None, "ž")] == [
        True, False, False, False, False, False,
    ]  # fmt: skip
    assert {len(it) for pair in compared for it in pair} == {32}
    assert len(compared) == 6


def test_the_token_is_not_logged(
    guarded: Server, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """Whatever is logged at whatever level."""
    caplog.set_level(0)
    ask(guarded.url)
    ask(guarded.url, "/api/traces?limit=x&token=correct+horse", authorization=f"Bearer {TOKEN}")
    out, err = capfd.readouterr()
    for text in (caplog.text, out, err):
        assert "correct" not in text


def test_a_path_that_is_no_place(viewer: Server) -> None:
    """It is said, in the form of every other error; and so is a wrong method."""
    assert error(ask(viewer.url, "/nowhere")) == "There is nothing at '/nowhere'."
    answer = ask(viewer.url, "/api/traces", body=b"{}")
    assert (answer.status, error(answer)) == (405, "POST is not for '/api/traces'.")
    assert set(answer.headers["allow"].split(", ")) == {"GET", "HEAD"}
