"""What the image and the compose file say, read without an engine, and the scripts, run."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.deploy.manifests import yaml

ROOT = Path(__file__).parents[2]
IMAGE = ROOT / "deploy" / "image"
SERVICES = ("certificates", "first-token", "scheduler", "worker", "gateway")


def compose() -> Any:
    return yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))


def service(name: str) -> Any:
    return compose()["services"][name]


def certificates(folder: Path, *more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["sh", IMAGE / "certificates", folder, *more], capture_output=True, text=True, check=False
    )


def told_by_openssl(*words: str | Path) -> str:
    return subprocess.run(["openssl", *words], capture_output=True, text=True, check=True).stdout


def test_the_services_are_these() -> None:
    assert tuple(compose()["services"]) == SERVICES


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_may_do_little(name: str) -> None:
    found = service(name)
    assert found["user"] == "10001:10001"
    assert found["read_only"] is True
    assert found["cap_drop"] == ["ALL"]
    assert found["security_opt"] == ["no-new-privileges:true"]
    assert found["mem_limit"]
    assert found["pids_limit"]
    assert "privileged" not in found


def test_only_the_gateway_is_published_and_to_this_host_alone() -> None:
    published = {name: service(name).get("ports") for name in SERVICES if "ports" in service(name)}
    assert published == {"gateway": ["127.0.0.1:${DHESS_PORT:-8765}:8765"]}
    inward = {"internal": True, "driver_opts": {"com.docker.network.bridge.inhibit_ipv4": "true"}}
    assert compose()["networks"]["cluster"] == inward
    networks = {name: service(name).get("networks") for name in SERVICES}
    assert networks["scheduler"] == networks["worker"] == ["cluster"]
    assert {service(name)["network_mode"] for name in ("certificates", "first-token")} == {"none"}


def test_each_service_sees_its_own_key_only() -> None:
    for name in SERVICES:
        keys = [v for v in service(name).get("volumes", []) if v.startswith("tls-")]
        part = [f"tls-{name}:/tls/{name}:ro"] if name in {"scheduler", "worker", "gateway"} else []
        assert name == "certificates" or keys == part
    holds = {name for name in SERVICES if "client" in str(service(name).get("volumes"))}
    assert holds == {"first-token", "gateway"}


def test_what_must_run_is_started_again() -> None:
    for name in ("scheduler", "worker", "gateway"):
        assert service(name)["restart"] == "unless-stopped"
    assert "--death-timeout 60" in service("worker")["command"]
    environment = service("worker")["environment"]
    assert environment["MALLOC_TRIM_THRESHOLD_"] == environment["MALLOC_MMAP_THRESHOLD_"]


def test_no_secret_stands_in_the_files() -> None:
    for path in [ROOT / "docker-compose.yml", *(ROOT / "deploy").rglob("*.*")]:
        if path.suffix not in {".pyc", ".png"}:
            text = path.read_text(encoding="utf-8")
            assert "PRIVATE KEY" not in text
            assert not re.search("dhess_[A-Za-z0-9_-]{30}", text), path


def test_the_image_runs_as_nobody_special() -> None:
    text = (ROOT / "deploy" / "Dockerfile").read_text(encoding="utf-8")
    assert "\nUSER 10001:10001\n" in text
    assert "\nHEALTHCHECK " in text
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").split("\n")
    assert "*" in ignored  # all but what is named


@pytest.mark.parametrize(
    "name", ["entrypoint", "certificates", "first-token", "slim.sh", "compile.sh"]
)
def test_scripts_parse(name: str) -> None:
    subprocess.run(["sh", "-n", IMAGE / name], check=True)


@pytest.mark.parametrize("name", ["flattest", "slope"])
def test_jobs_that_ship_are_jobs(name: str) -> None:
    import dhess

    assert (
        dhess.Job.load(IMAGE / f"{name}.toml").spec.source == "/samples/jacksboro.zarr::elevation"
    )


def test_certificates_are_made_once_and_for_their_use(tmp_path: Path) -> None:
    first = certificates(tmp_path)
    assert first.returncode == 0, first.stderr
    files = sorted(path for path in tmp_path.rglob("*") if path.is_file())
    assert [str(path.relative_to(tmp_path)) for path in files] == [
        f"{part}/{name}.pem"
        for part in ("gateway", "scheduler", "worker")
        for name in ("ca", "cert", "key")
    ]
    assert {path.stat().st_mode & 0o777 for path in files} == {0o600}
    ca = tmp_path / "scheduler" / "ca.pem"
    for part, purposes in {"gateway": {"sslclient"}, "worker": {"sslclient", "sslserver"}}.items():
        cert = tmp_path / part / "cert.pem"
        for purpose in ("sslclient", "sslserver"):
            done = subprocess.run(
                ["openssl", "verify", "-purpose", purpose, "-CAfile", ca, cert],
                capture_output=True, check=False,
            )  # fmt: skip
            assert (done.returncode == 0) == (purpose in purposes)
    before = told_by_openssl("x509", "-in", ca, "-noout", "-fingerprint")
    again = certificates(tmp_path)
    assert "are good" in again.stdout
    assert told_by_openssl("x509", "-in", ca, "-noout", "-fingerprint") == before


@pytest.mark.parametrize("spoil", ["missing", "foreign"])
def test_certificates_that_do_not_fit_are_made_anew(tmp_path: Path, spoil: str) -> None:
    assert certificates(tmp_path / "one").returncode == 0
    cert = tmp_path / "one" / "worker" / "cert.pem"
    if spoil == "missing":
        cert.unlink()
    else:
        assert certificates(tmp_path / "two").returncode == 0
        cert.write_bytes((tmp_path / "two" / "worker" / "cert.pem").read_bytes())
    assert "made" in certificates(tmp_path / "one").stdout
    told_by_openssl("verify", "-CAfile", tmp_path / "one" / "gateway" / "ca.pem", cert)


def test_certificates_for_a_few_days_are_refused(tmp_path: Path) -> None:
    done = certificates(tmp_path, "30")
    assert (done.returncode, done.stderr) == (2, "30 days are too few; give more than 30\n")
