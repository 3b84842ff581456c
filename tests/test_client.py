"""The client on its own: which address, which token, and what comes of servers that misbehave."""

from __future__ import annotations

import io
import json
import socket
import ssl
import subprocess
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest

from dhess.client import Access, Client, Patience, RemoteError, UnreachableError
from dhess.client.access import checked, config_path
from dhess.client.events import events_of
from dhess.errors import DhessWarning, InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

SECRET = "dhess_do-not-tell-anybody"
JOB = "0123456789abcdef"

Answer = tuple[int, dict[str, str], bytes]


class Served(ThreadingHTTPServer):
    """A server on loopback that answers what it is told to, and remembers what it was asked."""

    daemon_threads = True

    def __init__(self, answer: Callable[[str], Answer]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answer = answer
        self.asked: list[tuple[str, dict[str, str]]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: Served

    def do_GET(self) -> None:
        self.server.asked.append((self.path, dict(self.headers)))
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        status, headers, body = self.server.answer(self.path)
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_request(self, *_: object) -> None:
        pass


@contextmanager
def served(answer: Callable[[str], Answer]) -> Iterator[Served]:
    with Served(answer) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def as_json(what: Any, status: int = 200, **headers: str) -> Answer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return status, {"Content-Type": "application/json", **named}, json.dumps(what).encode()


@pytest.fixture(autouse=True)
def nothing_known(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Neither the environment nor a file of whoever runs the tests says anything."""
    for name in ("SERVER", "TOKEN", "TOKEN_FILE", "CA"):
        monkeypatch.delenv(f"DHESS_{name}", raising=False)
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


def configured(text: str, mode: int = 0o600) -> Path:
    file = config_path()
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    file.chmod(mode)
    return file


# ------------------------------------------------------------------------------------- addresses


def test_by_default_a_gateway_of_this_machine() -> None:
    assert Access.of() == Access("http://127.0.0.1:8765")


@pytest.mark.parametrize(
    ("given", "usual"),
    [
        ("http://localhost:80", "http://localhost"),
        ("https://Gateway.example/dhess/", "https://gateway.example/dhess"),
        ("http://[::1]:8765", "http://[::1]:8765"),
    ],
)
def test_addresses(given: str, usual: str) -> None:
    assert checked(given) == usual


@pytest.mark.parametrize(
    "given",
    ["127.0.0.1:8765", "gateway.example", "ftp://a", "file:///etc/passwd", "http://", "http://a b",
     "http://a\r\nX: y", "http://a:b", "http://a:99999", "http://a/?q=1", "http://a/#b", "http://é"],
)  # fmt: skip
def test_what_is_no_address(given: str) -> None:
    with pytest.raises(InputError, match="is no address of a gateway; write it as http://127"):
        checked(given)


def test_a_password_in_an_address_is_refused_and_not_repeated() -> None:
    with pytest.raises(InputError, match="no user name and no password") as refused:
        checked("https://ada:lovelace@gateway.example")
    assert "lovelace" not in str(refused.value)


# ---------------------------------------------------------------------------------------- tokens


def test_what_is_given_goes_before_the_environment_and_that_before_the_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    configured('server = "https://file.example"\ntoken = "of-file"\nca = "ca.pem"')
    folder = config_path().parent
    assert Access.of() == Access("https://file.example", "of-file", str(folder / "ca.pem"))
    monkeypatch.setenv("DHESS_TOKEN", "of-environment")
    assert Access.of().token == "of-environment"
    (tmp_path / "token").write_text(f"{SECRET}\n")
    (tmp_path / "token").chmod(0o600)
    assert Access.of(token_file=str(tmp_path / "token")).token == SECRET
    assert Access.of(token="of-argument").token == "of-argument"
    monkeypatch.delenv("DHESS_TOKEN")
    monkeypatch.setenv("DHESS_TOKEN_FILE", str(tmp_path / "token"))
    assert Access.of().token == SECRET


@pytest.mark.parametrize("named", ["argument", "environment"])
def test_a_token_in_the_file_is_for_the_server_in_the_file(
    named: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    configured(f'server = "https://ours.example"\ntoken = "{SECRET}"\nca = "ca.pem"')
    if named == "environment":
        monkeypatch.setenv("DHESS_SERVER", "https://theirs.example")
    other = Access.of("https://theirs.example" if named == "argument" else None)
    assert other == Access("https://theirs.example")
    assert Access.of("https://OURS.example:443/").token == SECRET


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o660])
def test_a_file_with_a_token_that_others_can_read(mode: int, tmp_path: Path) -> None:
    file = configured(f'token = "{SECRET}"', mode)
    with pytest.raises(InputError, match=f"others can read it \\(mode {mode:04o}\\); run: chmod"):
        Access.of()
    file.unlink()
    token = tmp_path / "token"
    token.write_text(SECRET)
    token.chmod(mode)
    with pytest.raises(InputError, match=r"^token file .* others can read it"):
        Access.of(token_file=str(token))


def test_a_file_without_a_token_may_be_read_by_all() -> None:
    configured('server = "https://gateway.example"', 0o644)
    assert Access.of().server == "https://gateway.example"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('tokn = "a"', "unknown key 'tokn' in .*; did you mean 'token'?"),
        ("token = 5", "token in configuration file .* has to be text in quotes, and is a int"),
        (f'token = "{SECRET}', "is not valid TOML; write server ="),
        ('server = "gateway"', "server 'gateway' is no address"),
        (f'token = "{SECRET} b"', "the token is none that 'dhess token add' printed"),
    ],
)
def test_files_that_are_wrong(text: str, sentence: str) -> None:
    configured(text)
    with pytest.raises(InputError, match=sentence) as refused:
        Access.of()
    assert SECRET not in str(refused.value)


@pytest.mark.parametrize("token", ["a b", "a\r\nHost: b", "é", "\x1b[2J"])
def test_a_token_that_no_header_can_hold(token: str) -> None:
    with pytest.raises(InputError, match="copy it again"):
        Access.of(token=token)


def test_token_files_that_are_missing_or_empty(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read: No such file"):
        Access.of(token_file=str(tmp_path / "none"))
    (tmp_path / "empty").touch(0o600)
    with pytest.raises(InputError, match="is empty; put there what 'dhess token add' printed"):
        Access.of(token_file=str(tmp_path / "empty"))


def test_a_token_over_plain_http_is_warned_of() -> None:
    with pytest.warns(DhessWarning, match="goes to http://gateway.example over plain http"):
        Access.of("http://gateway.example", SECRET)
    for server in ("http://127.0.0.1", "http://localhost:1", "https://gateway.example"):
        Access.of(server, SECRET)
    Access.of("http://gateway.example")


def test_a_token_is_not_shown() -> None:
    client = Client("http://localhost", SECRET)
    assert SECRET not in repr(client)
    assert SECRET not in repr(client._transport.access)


# -------------------------------------------------------------------------------------- requests


def test_a_request() -> None:
    with served(lambda _: as_json({"id": JOB, "state": "done"})) as server:
        assert Client(server.url, SECRET).show(JOB) == {"id": JOB, "state": "done"}
    ((path, headers),) = server.asked
    assert path == f"/v1/jobs/{JOB}"
    assert headers["Authorization"] == f"Bearer {SECRET}"
    assert headers["Host"] == server.url.removeprefix("http://")


def test_no_header_without_a_token() -> None:
    with served(lambda _: as_json({})) as server:
        Client(server.url).me()
    assert "Authorization" not in server.asked[0][1]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_no_redirect_is_followed(status: int) -> None:
    with (
        served(lambda _: as_json({"id": JOB})) as thief,
        served(lambda path: (status, {"Location": f"{thief.url}{path}"}, b"")) as server,
    ):
        client = Client(server.url, SECRET)
        for call in (client.show, client.picture, lambda job: next(client.events(job))):
            with pytest.raises(RemoteError, match=f"sends us to {thief.url}") as refused:
                call(JOB)
            assert refused.value.status == status
        assert len(server.asked) == 3
    assert thief.asked == []


def test_proxies_are_for_servers_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    with served(lambda _: as_json({})) as proxy, served(lambda _: as_json({})) as server:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
            monkeypatch.setenv(name, proxy.url)
        Client(server.url, SECRET).me()
        assert proxy.asked == []
        Client("http://gateway.example").me()
        assert [path for path, _ in proxy.asked] == ["http://gateway.example/v1/me"]
    assert len(server.asked) == 1


@pytest.mark.parametrize("job", ["../jobs", "a/b", "a?b", "a%2fb", "", "a\nb", "é"])
def test_an_id_leads_nowhere_else(job: str) -> None:
    with pytest.raises(InputError, match="is no id of a job"):
        Client().show(job)


@pytest.mark.parametrize(
    ("status", "body", "sentence", "code", "passing"),
    [
        (401, {"detail": "no"}, "does not know our token", 2, False),
        (403, {"detail": "place '/etc' is not allowed"}, "^place '/etc' is not allowed$", 2, False),
        (404, {"detail": "no such job"}, "^no such job$", 2, False),
        (409, {"detail": "it runs"}, "^it runs$", 2, False),
        (422, {"detail": [{"msg": "wrong"}]}, "wrong", 2, False),
        (429, {"detail": "too many"}, "^too many$", 1, True),
        (503, {"detail": "not now"}, "^not now$", 1, True),
        (500, "nothing that we know", "the server answers 500 Internal Server Error", 1, True),
        (418, {"detail": "a\n\x1b[2Jb"}, r"^a \?\[2Jb$", 2, False),
    ],
)
def test_refusals(status: int, body: Any, sentence: str, code: int, passing: bool) -> None:
    with (
        served(lambda _: as_json(body, status, Retry_After="7")) as server,
        pytest.raises(RemoteError, match=sentence) as refused,
    ):
        Client(server.url, SECRET).show(JOB)
    error = refused.value
    assert (error.status, error.exit_code, error.passing) == (status, code, passing)
    assert error.retry_after is None or error.retry_after == 7
    assert SECRET not in str(error)


def test_another_service_that_speaks_json() -> None:
    with served(lambda _: as_json({"jobs": "none"})) as server:
        client = Client(server.url)
        for call, missing in (
            (client.show, "id and state"),
            (client.resolve, "jobs and next"),
            (client.log, "lines and next"),
        ):
            with pytest.raises(UnreachableError, match=f"it sent JSON without {missing}"):
                call(JOB[:12])


def test_a_server_that_is_no_gateway() -> None:
    with (
        served(lambda _: (200, {"Content-Type": "text/html"}, b"<html>")) as server,
        pytest.raises(UnreachableError, match=r"no gateway of dhess \(it sent text/html\)"),
    ):
        Client(server.url).me()


def test_an_answer_that_is_cut_off() -> None:
    with (
        served(lambda _: (200, {"Content-Length": "100"}, b"half")) as server,
        pytest.raises(UnreachableError, match="broke off") as lost,
    ):
        Client(server.url).picture(JOB)
    assert lost.value.begun


def test_nobody_listens() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and does not listen
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(UnreachableError, match=r"no server answers .*'dhess serve'") as lost:
            Client(url).me()
    assert not lost.value.begun
    assert lost.value.exit_code == 2


def test_nobody_answers() -> None:
    with socket.socket() as mute:
        mute.bind(("127.0.0.1", 0))
        mute.listen()
        url = f"http://127.0.0.1:{mute.getsockname()[1]}"
        with pytest.raises(UnreachableError, match=r"said nothing for 0\.2 s") as lost:
            Client(url, timeout=0.2).me()
    assert lost.value.begun


def test_certificates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    request = (
        "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost "
        "-addext subjectAltName=DNS:localhost -keyout key.pem -out cert.pem"
    )
    try:
        subprocess.run(request.split(), cwd=tmp_path, check=True, capture_output=True)
    except FileNotFoundError:
        pytest.skip("makes its certificate with openssl")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
    with served(lambda _: as_json({"name": "ada"})) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        url = f"https://localhost:{server.server_port}"
        trusting = Client(url, SECRET, ca=str(tmp_path / "cert.pem"))
        assert trusting.me() == {"name": "ada"}
        with pytest.raises(UnreachableError, match=r"is not trusted .*name the authority") as lost:
            Client(url, SECRET).me()
        assert not lost.value.passing
        # Of the right authority, and for another name.
        monkeypatch.setenv("DHESS_CA", str(tmp_path / "cert.pem"))
        with pytest.raises(UnreachableError, match="is not trusted"):
            Client(url.replace("localhost", "127.0.0.1"), SECRET).me()
    assert len(server.asked) == 1
    with pytest.raises(InputError, match=r"certificate '.*key\.pem' cannot be read"):
        Client(url, ca=str(tmp_path / "key.pem"))


# ---------------------------------------------------------------------------------------- events


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_events(end: str) -> None:
    lines = [": keep-alive", "", "event: job", "data: {", "data: }", "id: 3", "", "data:x", "", ""]
    stream = io.BytesIO(end.join(lines).encode())
    assert list(events_of(stream)) == [("job", "{\n}"), ("message", "x")]


def test_an_endless_line_is_not_kept() -> None:
    with pytest.raises(RemoteError, match="a line of more than 4,000,000 bytes"):
        list(events_of(io.BytesIO(b"data: " + b"x" * 5_000_000)))


def told(*views: tuple[int, str]) -> bytes:
    return b"".join(
        f"event: job\ndata: {json.dumps({'done': done, 'state': state})}\n\n".encode()
        for done, state in views
    )


def test_a_job_is_followed_through_everything_that_goes_wrong() -> None:
    """A stream that ends, one that is cut, a busy gateway, a view instead; then the last one."""
    done = {"done": 9, "state": "running"}
    script: list[Answer] = [
        (200, {}, told((1, "queued"), (2, "running"))),
        as_json(done | {"done": 3, "id": JOB}),
        (200, {"Content-Length": "9999"}, told((4, "running")) + b"event: jo"),
        as_json({"detail": "not yet"}, 503, Retry_After="1"),
        as_json({"detail": "slower"}, 429),
        as_json(done | {"done": 5, "id": JOB}),
        (200, {}, told((6, "running"), (7, "done"))),
    ]
    lost: list[str] = []
    with served(lambda _: script.pop(0)) as server:
        began = time.monotonic()
        views = list(Client(server.url).follow(JOB, lost=lambda error: lost.append(str(error))))
    assert [view["done"] for view in views] == [1, 2, 3, 4, 5, 6, 7]
    assert script == []
    assert lost == ["not yet"]  # one loss, until the gateway answers
    assert time.monotonic() - began > 1.0  # as it was asked to


def test_what_will_not_pass_is_not_waited_for() -> None:
    with (
        served(lambda _: as_json({"detail": "it was deleted"}, 404)) as server,
        pytest.raises(RemoteError, match="it was deleted"),
    ):
        Client(server.url).wait(JOB)
    assert len(server.asked) == 1


def test_patience_ends() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        client = Client(f"http://127.0.0.1:{taken.getsockname()[1]}")
        began = time.monotonic()
        with pytest.raises(UnreachableError, match="no server answers"):
            client.wait(JOB, patience=1.0)
        assert 0.9 < time.monotonic() - began < 5.0


def test_no_patience_is_one_attempt() -> None:
    calls = []

    def refused() -> None:
        calls.append(1)
        raise UnreachableError("gone")

    with pytest.raises(UnreachableError, match="gone"):
        Patience(0.0).persist(refused)
    assert len(calls) == 1


def test_pages_are_turned() -> None:
    pages = {
        "/v1/jobs?limit=200": {"jobs": [{"id": "a"}, {"id": "b"}], "next": "2 b"},
        "/v1/jobs?before=2+b&limit=200": {"jobs": [{"id": "c"}], "next": None},
        "/v1/jobs?state=done&limit=2": {"jobs": [{"id": "a"}, {"id": "b"}], "next": "2 b"},
    }
    with served(lambda path: as_json(pages[path])) as server:
        client = Client(server.url)
        assert [job["id"] for job in client.jobs()] == ["a", "b", "c"]
        assert [job["id"] for job in client.jobs(state="done", limit=2)] == ["a", "b"]


@pytest.mark.parametrize(
    ("prefix", "expected"),
    [("ABCD0", f"abcd0{'0' * 11}"), ("f" * 16, "f" * 16), (" abcd1 ", f"abcd1{'0' * 11}")],
)
def test_ids_may_be_shortened(prefix: str, expected: str) -> None:
    jobs = [{"id": f"{start}{'0' * 11}"} for start in ("abcd0", "abcd1")]
    with served(lambda _: as_json({"jobs": jobs, "next": None})) as server:
        assert Client(server.url).resolve(prefix) == expected


@pytest.mark.parametrize(
    ("prefix", "sentence"),
    [
        ("abcd", r"2 jobs begin with 'abcd' \(abcd00{11}, abcd10{11}\); add digits"),
        ("abce", "no job at http://127.0.0.1:[0-9]+ begins with 'abce'"),
        ("abc", "'abc' is no id of a job, which has 16 digits"),
        ("../x", "'../x' is no id"),
        ("f" * 17, "is no id"),
    ],
)
def test_ids_that_cannot_be_told(prefix: str, sentence: str) -> None:
    jobs = [{"id": f"{start}{'0' * 11}"} for start in ("abcd0", "abcd1")]
    with (
        served(lambda _: as_json({"jobs": jobs, "next": None})) as server,
        pytest.raises((InputError, RemoteError), match=sentence) as refused,
    ):
        Client(server.url).resolve(prefix)
    assert refused.value.exit_code == 2
