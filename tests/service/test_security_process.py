"""The gateway as a process: where it listens, who else may, and how it ends."""

from __future__ import annotations

import json
import signal
import socket
import ssl
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from dhess.cli import main
from tests.service.gateway import DHESS, PATIENCE, Gateway, add_token, run_dhess
from tests.service.test_security import processes_of
from tests.stores import quartic, store

if TYPE_CHECKING:
    from collections.abc import Iterator


def refused(capsys: pytest.CaptureFixture[str], *args: str) -> str:
    """Return the one line that a command says when it is refused."""
    assert main(args) == 2
    told = capsys.readouterr().err
    assert told.startswith("dhess: error: ")
    assert told.count("\n") == 1
    return told


@pytest.mark.parametrize("options", [["--host", "0.0.0.0"], ["--allow-host", "dhess.example"]])
def test_others_need_a_token(
    tmp_path: Path, options: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    told = refused(capsys, "serve", "--data", str(tmp_path / "data"), "--port", "0", *options)
    assert "dhess token add" in told


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--host", "no.such.host.invalid"], "needs a token"),
        (["--serve-cert", "missing.pem", "--serve-key", "k"], "cannot be read"),
        (["--serve-cert", __file__], "both"),
        (["--max-body", "much"], "--max-body"),
        (["--tls-ca", "a.pem"], "TLS"),
        (["--scheduler", "tcp://127.0.0.1:1", "--workers", "2"], "--workers"),
        (["--workers", "0"], "0"),
        (["--data", "/proc/nowhere"], "--data"),
    ],
)
def test_options_that_cannot_be(
    tmp_path: Path, options: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert told in refused(capsys, "serve", "--data", str(tmp_path), "--port", "0", *options)


def test_a_port_that_is_taken(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        told = refused(capsys, "serve", "--data", str(tmp_path), "--port", port)
    assert f"127.0.0.1:{port}" in told


@pytest.mark.parametrize("name", ["local", "", "a b", "-x", "é", "x" * 65, "a/b", "a\nb"])
def test_names_that_no_token_has(
    tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    told = refused(capsys, "token", "add", "--data", str(tmp_path), "--", name)
    assert "cannot name a token" in told


def test_no_such_scope(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place = ("--data", str(tmp_path))
    told = refused(capsys, "token", "add", "ada", "--scope", "submitt", *place)
    assert "did you mean 'submit'" in told
    assert main(["token", "list", *place]) == 0
    assert "no token" in capsys.readouterr().err


def test_the_folder_is_its_users_alone(tmp_path: Path) -> None:
    assert main(["token", "add", "ada", "--data", str(tmp_path / "data")]) == 0
    assert (tmp_path / "data").stat().st_mode & 0o777 == 0o700


def test_one_gateway_per_folder(gateway: Gateway, capsys: pytest.CaptureFixture[str]) -> None:
    told = refused(capsys, "serve", "--data", str(gateway.data), "--port", "0")
    assert "another gateway" in told
    assert gateway.ask("GET", "/health").status_code == 200


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Gateway]:
    """A gateway that a test may end."""
    store(quartic(), tmp_path / "run.zarr")
    with Gateway(tmp_path, ["--workers", "1", "--memory-limit", "1GB"]) as running:
        yield running


def pids_of(gateway: Gateway) -> list[int]:
    return [int(path.parent.name) for path in processes_of(gateway)]


def gone(pids: list[int], seconds: float) -> list[int]:
    """Wait for processes to end; return those that have not."""
    deadline = time.monotonic() + seconds
    while (left := [pid for pid in pids if is_there(pid)]) and time.monotonic() < deadline:
        time.sleep(0.1)
    return left


def is_there(pid: int) -> bool:
    try:
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_it_ends_in_order(own: Gateway, number: int, code: int) -> None:
    """With a job that runs and a stream that is open: nothing is left, and the job goes on."""
    job = own.submit(source="run.zarr", chunks=3, resources={"window": 1})
    own.wait(job, "running")
    pids = pids_of(own)
    assert len(pids) >= 5
    url = f"{own.url}/v1/jobs/{job}/events"
    with httpx.stream("GET", url, timeout=PATIENCE, trust_env=False) as stream:
        lines = stream.iter_lines()
        assert next(lines) == "event: job"
        began = time.monotonic()
        assert own.end(number) == code
        list(lines)
    assert time.monotonic() - began < 40
    assert gone(pids, 5) == []
    assert not list(own.data.rglob("*.lock.*"))
    assert "Traceback" not in own.told()
    own.start()
    assert own.wait(job)["state"] == "done"


def test_nothing_outlives_a_gateway_that_was_killed(own: Gateway) -> None:
    pids = pids_of(own)
    own.end(signal.SIGKILL)
    assert gone(pids, 30) == []


@pytest.mark.parametrize("delay", [0.0, 0.3])
def test_ctrl_c_while_it_starts(tmp_path: Path, delay: float) -> None:
    process = subprocess.Popen(
        [DHESS, "serve", "--data", str(tmp_path / "data"), "--port", "0"],
        stderr=subprocess.PIPE, cwd=tmp_path,
    )  # fmt: skip
    with process:
        deadline = time.monotonic() + PATIENCE
        while not (tmp_path / "data" / "ledger.sqlite").exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(delay)
        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130, told
    assert b"Traceback" not in told, told.decode()


def test_log_lines_are_json_without_secrets(tmp_path: Path) -> None:
    """And https, options from the environment, a host that is allowed."""
    cert, key = certificate(tmp_path)
    token = add_token(tmp_path / "data", "ada", "read")
    environment = {
        "DHESS_SERVE_SERVE_CERT": cert, "DHESS_SERVE_SERVE_KEY": key,
        "DHESS_SERVE_ALLOW_HOST": "dhess.example b.example", "DHESS_SERVE_LOG_FORMAT": "json",
        "DHESS_SERVE_ROOT": "/srv/a s3://bucket/b", "DHESS_SERVE_SCHEDULER": "tcp://127.0.0.1:1",
    }  # fmt: skip
    with Gateway(tmp_path, environment=environment) as running:
        with httpx.Client(verify=trusted(cert), trust_env=False) as client:
            url = f"https://127.0.0.1:{running.port}"
            headers = {"Authorization": f"Bearer {token}"}
            found = client.get(f"{url}/v1/spec?password=hunter2", headers=headers).json()
            for host, status in (("dhess.example", 200), ("b.example:1", 200), ("c.example", 403)):
                answer = client.get(f"{url}/v1/me", headers={**headers, "Host": host})
                assert answer.status_code == status
        assert running.end() == 0
        assert found["roots"][:2] == ["/srv/a", "s3://bucket/b"]
        told = running.told()
    lines = [json.loads(line) for line in told.splitlines() if line.startswith("{")]
    shown = [line for line in lines if line.get("route") == "/v1/spec"]
    assert len(shown) == 1
    assert shown[0]["status"] == 200
    assert shown[0]["caller"] == "ada"
    assert shown[0]["method"] == "GET"
    assert "hunter2" not in told
    assert token not in told


def certificate(folder: Path) -> tuple[str, str]:
    """Make a certificate for 127.0.0.1."""
    import datetime as dt
    import ipaddress

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "dhess")])
    now = dt.datetime.now(dt.UTC)
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .sign(key, hashes.SHA256())
    )
    cert, secret = folder / "cert.pem", folder / "key.pem"
    cert.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    secret.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return str(cert), str(secret)


def trusted(cert: str) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=cert)


def test_the_first_token_closes_an_open_gateway_at_once(tmp_path: Path) -> None:
    with Gateway(tmp_path, ["--scheduler", str(tmp_path / "nowhere.json")]) as gateway:
        assert gateway.ask("GET", "/v1/me").json()["open"] is True
        run_dhess("token", "add", "ada", "--data", str(gateway.data))
        assert gateway.ask("GET", "/v1/me").status_code == 401
        told = run_dhess("token", "revoke", "ada", "--data", str(gateway.data)).stderr
        assert "no token is left" in told
        # Who says nothing, or only half of what they want, does not keep a connection.
        ends = []
        for said in (b"", b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\nX-"):
            end = socket.create_connection(("127.0.0.1", gateway.port), PATIENCE)
            end.sendall(said)
            ends.append(end)
        for end in ends:
            with end:
                assert end.recv(100) == b""
        assert gateway.ask("GET", "/health").status_code == 200
