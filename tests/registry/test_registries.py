"""Which addresses stand for a registry, and where clear text is allowed."""

import asyncio
import subprocess
from pathlib import Path

import pytest

from pier.registry.registries import Registries, bare_host
from pier.spec.errors import InvalidParameter, SystemFailure


def bases(domain: str, **settings: list[str]) -> list[str]:
    """The addresses that would be tried, in order."""

    async def ask() -> list[str]:
        return [endpoint.base for endpoint in await Registries(**settings).endpoints(domain)]  # type: ignore[arg-type]

    return asyncio.run(ask())


def test_the_hub_is_reached_over_tls_only() -> None:
    assert bases("docker.io") == ["https://registry-1.docker.io"]


def test_mirrors_serve_the_hub_only_and_first() -> None:
    mirrors = ["https://mirror.example", "http://127.0.0.1:5000/"]
    assert bases("docker.io", mirrors=mirrors) == [
        "https://mirror.example",
        "http://127.0.0.1:5000",
        "https://registry-1.docker.io",
    ]
    assert bases("quay.io", mirrors=mirrors) == ["https://quay.io"]


@pytest.mark.parametrize("domain", ["127.0.0.1:5000", "127.8.9.1", "localhost:5000", "[::1]:5000"])
def test_this_machine_counts_as_listed(domain: str) -> None:
    assert bases(domain) == [f"https://{domain}", f"http://{domain}"]


@pytest.mark.parametrize(
    ("listed", "domain"),
    [
        ("registry.example:5000", "registry.example:5000"),
        ("10.0.0.0/8", "10.1.2.3:5000"),
        ("registry.example", "registry.example:1"),
    ],
)
def test_a_listed_registry_may_be_asked_in_clear(listed: str, domain: str) -> None:
    assert bases(domain, insecure=[listed]) == [f"https://{domain}", f"http://{domain}"]


@pytest.mark.parametrize("domain", ["10.0.0.1:5000", "registry.example", "evil.localhost", "128.0.0.1", "[::2]"])
def test_others_may_not(domain: str) -> None:
    assert bases(domain, insecure=["registry.example:5000", "11.0.0.0/8"]) == [f"https://{domain}"]


@pytest.mark.parametrize("mirror", ["mirror.example", "ftp://x", "https://x/path", "https://u@x", "https://"])
def test_a_mirror_that_is_none_is_refused(mirror: str) -> None:
    with pytest.raises(InvalidParameter):
        Registries([mirror])


def test_an_insecure_network_that_is_none_is_refused() -> None:
    with pytest.raises(InvalidParameter):
        Registries(insecure=["10.0.0.0/99"])


@pytest.mark.parametrize(("host", "bare"), [("a:1", "a"), ("[::1]:5", "::1"), ("[::1]", "::1"), ("A.b", "a.b")])
def test_a_host_without_its_port(host: str, bare: str) -> None:
    assert bare_host(host) == bare


def test_own_authorities_are_read_and_bad_ones_named(tmp_path: Path) -> None:
    directory = tmp_path / "host:5000"
    directory.mkdir()
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    command += ["-subj", "/CN=x", "-keyout", str(tmp_path / "key"), "-out", str(directory / "ca.crt")]
    subprocess.run(command, check=True, capture_output=True)
    registries = Registries(certificate_directories=[tmp_path])
    subjects = [entry["subject"] for entry in registries.tls("host:5000", verify=True).get_ca_certs()]
    assert ((("commonName", "x"),),) in subjects
    (directory / "bad.crt").write_text("nonsense")
    with pytest.raises(SystemFailure, match="host:5000"):
        Registries(certificate_directories=[tmp_path]).tls("host:5000", verify=True)
