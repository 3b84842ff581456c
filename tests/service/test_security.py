"""Requests that must not get through: without a token, of other sites, too large, no JSON."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any

import pytest

from tests.service.conftest import Tokens, sentence
from tests.service.gateway import run_dhess

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx

    from tests.service.gateway import Gateway

PUBLIC = {"/health", "/ready", "/openapi.json", "/", "/docs"}
UNKNOWN = "0" * 16


def operations(gateway: Gateway) -> Iterator[tuple[str, str]]:
    """Yield all methods and paths that the gateway says it has."""
    for path, methods in gateway.ask("GET", "/openapi.json", token=None).json()["paths"].items():
        for method in methods:
            yield method.upper(), path.replace("{job}", UNKNOWN)


def raw(gateway: Gateway, *parts: bytes) -> bytes:
    """Send bytes and return all that comes back."""
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=60) as sock:
        for part in parts:
            try:
                sock.sendall(part)
            except (BrokenPipeError, ConnectionResetError):
                break
        found = b""
        try:
            while more := sock.recv(65536):
                found += more
        except ConnectionResetError:
            pass
        return found


# ------------------------------------------------------------------------------------------ tokens


@pytest.mark.parametrize(
    "header",
    [
        None, "", "Bearer", "Bearer dhess_", "Bearer dhess_" + "A" * 43,
        "Bearer " + "x" * 5000, "Basic YWRhOmFkYQ==", "Bearer dhess_ü", "Token {ada}",
        "Bearer {ada}x", "Bearer {ada} {ada}", "{ada}",
    ],
)  # fmt: skip
def test_no_token_or_nobodys(gateway: Gateway, tokens: Tokens, header: str | None) -> None:
    given = None if header is None else header.format(ada=tokens.ada).encode("latin-1")
    for method, path in operations(gateway):
        headers = {} if given is None else {b"Authorization": given}
        answer = gateway.ask(method, path, token=None, headers=headers)
        if path in PUBLIC:
            assert answer.status_code in ((200, 503) if path == "/ready" else (200,))
        else:
            sentence(answer, 401)
            assert answer.headers["www-authenticate"].startswith("Bearer")
        if header is None:
            continue
        break


def test_a_token_in_the_address_is_none(gateway: Gateway, tokens: Tokens) -> None:
    for name in ("token", "access_token", "authorization"):
        sentence(gateway.ask("GET", f"/v1/me?{name}={tokens.ada}", token=None), 401)


def test_a_revoked_token_ends_at_once(gateway: Gateway) -> None:
    place = ("--data", str(gateway.data))
    token = run_dhess("token", "add", "guest", "--scope", "read", *place).stdout.strip()
    assert gateway.ask("GET", "/v1/me", token=token).json()["scopes"] == ["read"]
    listed = run_dhess("token", "list", *place).stdout
    assert "guest" in listed
    assert token not in listed
    again = run_dhess("token", "add", "guest", *place, code=2)
    assert "already" in again.stderr
    run_dhess("token", "revoke", "guest", *place)
    sentence(gateway.ask("GET", "/v1/me", token=token), 401)
    assert "known: ada" in run_dhess("token", "revoke", "guest", *place, code=2).stderr


def test_only_hashes_are_kept(gateway: Gateway, tokens: Tokens, done: str) -> None:
    """No file of the gateway has a token, nor its log, nor what any process was started with."""
    gateway.ask("GET", f"/v1/me?token={tokens.ada}")
    commands = [path.read_bytes() for path in processes_of(gateway)]
    assert len(commands) >= 3
    files = [path.read_bytes() for path in gateway.data.rglob("*") if path.is_file()]
    for told in (*commands, *files, gateway.log.read_bytes()):
        for token in tokens:
            assert token.encode() not in told


def processes_of(gateway: Gateway) -> list[Any]:
    """Return the command lines of a gateway and all below it."""
    from pathlib import Path

    assert gateway.process is not None
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            text = stat.read_text()
        except OSError:
            continue
        parents[int(stat.parent.name)] = int(text.rpartition(")")[2].split()[1])
    found, before = {gateway.process.pid}, 0
    while len(found) > before:
        before = len(found)
        found |= {pid for pid, parent in parents.items() if parent in found}
    return [Path(f"/proc/{pid}/cmdline") for pid in found]


# ------------------------------------------------------------------------------------------ scopes


def test_who_may_read_may_not_change(gateway: Gateway, tokens: Tokens, done: str) -> None:
    look = {"source": "run.zarr"}
    for method, path in [
        ("GET", "/v1/me"), ("GET", "/v1/spec"), ("GET", "/v1/jobs"), ("GET", f"/v1/jobs/{done}"),
        ("GET", f"/v1/jobs/{done}/result"), ("POST", "/v1/info"), ("POST", "/v1/plan"),
    ]:  # fmt: skip
        body = {"json": look} if method == "POST" else {}
        assert gateway.ask(method, path, token=tokens.viewer, **body).status_code == 200
    for method, path in [
        ("POST", "/v1/jobs"), ("POST", f"/v1/jobs/{done}/cancel"),
        ("POST", f"/v1/jobs/{done}/retry"), ("DELETE", f"/v1/jobs/{done}"),
    ]:  # fmt: skip
        answer = gateway.ask(method, path, token=tokens.viewer)
        assert "'submit'" in sentence(answer, 403)


def test_only_own_jobs_are_changed(gateway: Gateway, tokens: Tokens, done: str) -> None:
    for method, path in [("POST", "/cancel"), ("POST", "/retry"), ("DELETE", "")]:
        answer = gateway.ask(method, f"/v1/jobs/{done}{path}", token=tokens.eve)
        assert "another submitter" in sentence(answer, 403)
    job = gateway.submit(source="run.zarr", measure="eigenvalue_min")
    gateway.wait(job)
    answer = gateway.ask("DELETE", f"/v1/jobs/{job}", token=tokens.admin)
    assert answer.status_code == 204


# ------------------------------------------------------------------------------------------ bodies


def post(gateway: Gateway, content: bytes, kind: str = "application/json") -> httpx.Response:
    return gateway.ask("POST", "/v1/jobs", content=content, headers={"Content-Type": kind})


@pytest.mark.parametrize(
    "content",
    [
        b"", b"{", b"{'source': 1}", b"\xff\xfe", b'{"source": NaN}', b'{"k": -Infinity}',
        b'{"source": "\\ud800"}', b'{"\\udfff": 1}', b'{"k": 01}', b'{"a": 1} x', b"\x80\x04]",
        b'{"k": ' + b"9" * 5000 + b"}",
    ],
)  # fmt: skip
def test_no_json(gateway: Gateway, content: bytes) -> None:
    assert "not valid JSON" in sentence(post(gateway, content), 400)


@pytest.mark.parametrize(
    "content",
    [
        b"[]", b'"text"', b"null", b"3", b'{"k": 1e999}', b'{"k": 123456789012345678901234567890}',
        b'{"source": ' + b"[" * 400_000 + b"]" * 400_000 + b"}",
        b'{"source": ' + b'{"a":' * 100 + b"1" + b"}" * 100 + b"}",
    ],
)  # fmt: skip
@pytest.mark.parametrize("path", ["/v1/jobs", "/v1/plan", "/v1/info"])
def test_json_that_is_no_job(gateway: Gateway, path: str, content: bytes) -> None:
    headers = {"Content-Type": "application/json"}
    sentence(gateway.ask("POST", path, content=content, headers=headers), 422)


@pytest.mark.parametrize(
    "kind",
    [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "",
        "application/json; charset=utf-16",
        "application/octet-stream",
        "application/jsonx",
    ],
)
def test_bodies_of_other_types(gateway: Gateway, kind: str) -> None:
    sentence(post(gateway, b'{"source": "run.zarr"}', kind), 415)
    for path in ("cancel", "retry"):
        headers = {"Content-Type": kind or "text/plain"}
        answer = gateway.ask("POST", f"/v1/jobs/{UNKNOWN}/{path}", headers=headers)
        sentence(answer, 415)


def test_a_body_that_is_too_large(gateway: Gateway) -> None:
    answer = post(gateway, b'{"source": "' + b"x" * 1_000_000 + b'"}')
    assert "1,000,000 bytes" in sentence(answer, 413)


def head(gateway: Gateway, token: str | None, *lines: str) -> bytes:
    first = ["POST /v1/jobs HTTP/1.1", f"Host: 127.0.0.1:{gateway.port}", "Connection: close"]
    auth = [f"Authorization: Bearer {token}"] if token else []
    return "\r\n".join([*first, *auth, "Content-Type: application/json", *lines, "", ""]).encode()


def test_a_large_body_that_does_not_say_so(gateway: Gateway, tokens: Tokens) -> None:
    """In chunks, without a length: no more is taken than may be."""
    chunk = b"10000\r\n" + b" " * 65536 + b"\r\n"
    begin = head(gateway, tokens.ada, "Transfer-Encoding: chunked")
    found = raw(gateway, begin, *[chunk] * 16)  # 1,048,576 bytes, and no end
    assert found.startswith(b"HTTP/1.1 413 ")


def test_a_length_that_is_announced_is_refused_before_it_comes(
    gateway: Gateway, tokens: Tokens
) -> None:
    found = raw(gateway, head(gateway, tokens.ada, "Content-Length: 99999999999"))
    assert found.startswith(b"HTTP/1.1 413 ")


def test_a_body_is_not_read_for_nobody(gateway: Gateway) -> None:
    """Without a token the answer comes before the body does."""
    found = raw(gateway, head(gateway, None, "Content-Length: 900000"))
    assert found.startswith(b"HTTP/1.1 401 ")


@pytest.mark.parametrize(
    "lines",
    [
        ["Content-Length: 2", "Transfer-Encoding: chunked"],
        ["Content-Length: 2", "Content-Length: 3"],
        ["Content-Length: -1"],
        ["Transfer-Encoding: gzip, chunked"],
        ["X: a\rb"],
    ],
)
def test_requests_that_two_would_read_in_two_ways(
    gateway: Gateway, tokens: Tokens, lines: list[str]
) -> None:
    found = raw(gateway, head(gateway, tokens.ada, *lines) + b"{}")
    assert found.split(b" ")[1] in (b"400", b"422", b"501")
    assert b"HTTP/1.1" not in found[8:]


# ------------------------------------------------------------------------------- pages of others


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "localhost.evil", "1.2.3.4"],
)
def test_a_name_that_was_made_to_lead_here(open_gateway: Gateway, host: str) -> None:
    for path in ("/", "/v1/me", "/health", "/page/app.js", "/openapi.json"):
        answer = open_gateway.ask("GET", path, headers={"Host": host})
        assert "--allow-host" in sentence(answer, 403)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:9", "[::1]:8765", "LOCALHOST:1"])
def test_names_of_this_machine(open_gateway: Gateway, host: str) -> None:
    assert open_gateway.ask("GET", "/v1/me", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"}, {"Origin": "null"}, {"Origin": "http://localhost:1"},
        {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"},
    ],
)  # fmt: skip
def test_a_page_of_another_site(
    open_gateway: Gateway, gateway: Gateway, headers: dict[str, str]
) -> None:
    for each in (open_gateway, gateway):
        for method, path in [("GET", "/v1/jobs"), ("POST", "/v1/jobs"), ("GET", "/metrics")]:
            sentence(each.ask(method, path, headers=headers), 403)


def test_the_own_page(open_gateway: Gateway) -> None:
    headers = {"Origin": open_gateway.url, "Sec-Fetch-Site": "same-origin"}
    assert open_gateway.ask("GET", "/v1/jobs", headers=headers).status_code == 200


def test_no_other_site_is_let_in(gateway: Gateway, open_gateway: Gateway) -> None:
    asked = {
        "Origin": "https://evil.example",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization, content-type",
    }
    for each in (gateway, open_gateway):
        answer = each.ask("OPTIONS", "/v1/jobs", token=None, headers=asked)
        assert answer.status_code == 403
        own = each.ask("OPTIONS", "/v1/jobs", token=None, headers={**asked, "Origin": each.url})
        assert own.status_code == 405
        for found in (answer, own):
            assert not [name for name in found.headers if name.startswith("access-control")]


def test_headers_of_every_answer(gateway: Gateway) -> None:
    answers = [gateway.ask(method, path, token=None) for method, path in operations(gateway)]
    answers += [
        gateway.ask("GET", path) for path in ("/", "/docs", "/v1/me", "/v1/jobs", "/nowhere")
    ]
    answers += [post(gateway, b" " * 1_000_001), gateway.ask("PUT", "/v1/jobs")]
    answers += [gateway.ask("GET", "/", headers={"Origin": "null"})]
    assert {200, 401, 403, 404, 405, 413} <= {each.status_code for each in answers}
    for each in answers:
        policy = each.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self';")
        assert "unsafe" not in policy
        assert each.headers["x-content-type-options"] == "nosniff"
        assert each.headers["referrer-policy"] == "no-referrer"
        assert each.headers["cross-origin-resource-policy"] == "same-origin"
        assert each.headers["cross-origin-opener-policy"] == "same-origin"
        assert "permissions-policy" in each.headers
        assert "server" not in each.headers
        assert "set-cookie" not in each.headers
        if each.url.path.startswith("/v1"):
            assert each.headers["cache-control"] == "no-store"


# ------------------------------------------------------------------------------------ hostile names


@pytest.mark.parametrize(
    "name",
    [
        "<script>alert(1)</script>.zarr", "a\r\nSet-Cookie: x=1", "\x1b[2J.zarr", "{{7*7}}.zarr",
        "' OR 1=1 --.zarr", "\u202egnp.zarr", "${jndi:ldap://x}.zarr", "x" * 5000,
    ],
)  # fmt: skip
@pytest.mark.parametrize("path", ["/v1/jobs", "/v1/plan", "/v1/info"])
def test_hostile_names_are_text(gateway: Gateway, path: str, name: str) -> None:
    begin = gateway.log.stat().st_size
    answer = gateway.ask("POST", path, json={"source": name})
    assert answer.status_code in (403, 422)
    sentence(answer, answer.status_code)
    assert "\x1b" not in answer.json()["detail"]
    assert len(answer.text) < 1000
    for told in (gateway.told(begin), *map(str, answer.headers.raw)):
        assert "\x1b" not in told
        assert "Set-Cookie" not in told


def test_hostile_queries(gateway: Gateway) -> None:
    for value in ("' OR '1'='1", "%00", "%ff", "<b>", "\ud7ff", "1,1" * 20):
        answer = gateway.ask("GET", "/v1/jobs", params={"submitter": value})
        assert answer.json()["jobs"] == []
        before = gateway.ask("GET", "/v1/jobs", params={"before": value})
        sentence(before, 422)


@pytest.mark.parametrize(
    "path",
    [
        "/page/../app.py", "/page/..%2fapp.py", "/page/%2e%2e/app.py", "/page//etc/passwd",
        "/page/..\\app.py", "/page/%00", "/page/", "/page", "//evil.example/x", "/page/x\u2028",
    ],
)  # fmt: skip
def test_files_beside_the_page(gateway: Gateway, path: str) -> None:
    found = raw(
        gateway,
        f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode(),
    )
    assert found.split(b" ")[1] in (b"400", b"404"), found[:200]
    assert b"FastAPI" not in found
