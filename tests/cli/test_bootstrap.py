"""Base images from Debian's packages: what is streamed into the import, and what is refused before that."""

import io
import os
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from pier.cli.bases import busybox, debian, programs
from pier.cli.commands import bootstrap
from pier.cli.failure import Failure
from pier.cli.main import run
from tests.client.fake import Answer, FakeDaemon

Start = Callable[..., FakeDaemon]


def test_busybox_is_streamed_with_its_applets(
    daemon: Start,
    capsys: pytest.CaptureFixture[str],
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    program = tmp_path_factory.mktemp("bin") / "busybox"
    program.write_text("#!/bin/sh\necho busybox\necho sh\necho ls\n")
    program.chmod(0o755)
    os.utime(program, (1_600_000_000, 1_600_000_000))
    monkeypatch.setattr(busybox, "static_busybox", lambda: str(program))
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)
    fake = daemon(lambda _: Answer(b'{"Id":"sha256:abc"}\n', status=201))
    bodies = []
    for umask in (0o022, 0o077):
        before = os.umask(umask)
        try:
            assert run(["pier", "image", "bootstrap", "busybox", "-c", "ENV A=b"]) == 0
        finally:
            os.umask(before)
        assert capsys.readouterr().out == "sha256:abc\n"
        bodies.append(fake.asked[-1].body)
    assert bodies[0] == bodies[1]
    target = fake.asked[-1].target
    assert target.startswith("/v1.50/pier/v1/images/import?repo=busybox&tag=latest&")
    assert "&changes=CMD%20%5B%22sh%22%5D&changes=ENV%20A%3Db&" in target
    assert target.endswith("&created=1600000000")
    with tarfile.open(fileobj=io.BytesIO(bodies[0])) as archive:
        assert archive.getmember("bin/sh").linkname == "busybox"
        assert archive.getmember("bin/busybox").mode == 0o755
        assert archive.getmember("tmp").mode == 0o1777
        assert archive.getmember("root").mode == 0o700
        assert archive.getmember("etc/passwd").mode == 0o644
        assert {info.uid for info in archive} == {0}
        assert {info.mtime for info in archive} == {1_600_000_000}


MIRROR = "file:///nonexistent/mirror"
REFUSED = {
    "an image that is not known": (["alpine"], "cannot bootstrap alpine: known are busybox and debian:SUITE"),
    "a suite that is an option": (["debian:--help"], "invalid suite '--help'"),
    "a suite that leads out": (["debian:../x"], "invalid suite '../x'"),
    "a mirror that is an option": (["--mirror", "-x", "debian"], "invalid mirror '-x'"),
    "a mirror with a list's words": (["--mirror", "http://a b", "debian"], "invalid mirror 'http://a b'"),
    "a package that is an option": (["-p", "-x", "debian"], "invalid package name '-x'"),
    "packages for busybox": (["-p", "vim", "busybox"], "--package is for Debian images"),
    "a keyring that is not there": (["--mirror", MIRROR, "--keyring", "/none", "debian"], "no keyring /none"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_built_is_refused(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    arguments, words = REFUSED[name]
    assert run(["pier", "image", "bootstrap", *arguments]) == 1
    assert capsys.readouterr().err.splitlines()[-1].startswith(words)


def mirror(tmp_path: Path, release: str) -> str:
    """The address of a mirror that has this text as the Release file of bookworm."""
    place = tmp_path / "mirror" / "dists" / "bookworm"
    place.mkdir(parents=True)
    (place / "InRelease").write_text(release)
    return f"file://{tmp_path}/mirror"


def test_a_suite_that_the_mirror_has_not_is_named(tmp_path: Path) -> None:
    keyring = tmp_path / "keyring.gpg"
    keyring.touch()
    source = debian.Source(mirror(tmp_path, ""), "nosuch", str(keyring))
    with pytest.raises(Failure, match=r"^file://.* has no suite nosuch: there is no file://"):
        source.date()


@pytest.mark.parametrize("text", ["", "Date: Sat, 10 Jan 2026 10:00:00 UTC\n"])
def test_a_release_file_without_a_signature_is_refused(tmp_path: Path, text: str) -> None:
    keyring = tmp_path / "keyring.gpg"
    keyring.touch()
    source = debian.Source(mirror(tmp_path, text), "bookworm", str(keyring))
    with pytest.raises(Failure, match=r"^verifying the signature of bookworm on file:.* failed: "):
        source.date()


def test_the_date_of_a_release_file_is_read() -> None:
    assert debian.release_date("Suite: x\nDate: Sat, 10 Jan 2026 10:00:00 UTC\n") == 1_768_039_200
    for text in ("", "Date: \n", "Date: never\n"):
        with pytest.raises(Failure, match="date"):
            debian.release_date(text)


def test_packages_are_sorted_so_that_their_order_does_not_count() -> None:
    assert debian.packages_of(["vim,less", "curl", "vim"]) == ["curl", "less", "vim"]


def test_the_environment_may_give_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "12")
    assert bootstrap.epoch(5) == 12
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "x")
    with pytest.raises(Failure, match="invalid SOURCE_DATE_EPOCH 'x'"):
        bootstrap.epoch(5)


def test_a_program_that_fails_ends_the_import() -> None:
    failing = programs.stream(["sh", "-c", "echo data; echo no network >&2; exit 3"], {}, debian._explain)
    with pytest.raises(Failure, match="failed: no network"):
        list(failing)
    assert b"".join(programs.stream(["sh", "-c", "echo $WORD"], {"WORD": "data"}, str)) == b"data\n"
    with pytest.raises(Failure, match="nosuchprogram is not installed"):
        programs.run(["nosuchprogram"], "trying")
    with pytest.raises(Failure, match="nosuchprogram is not installed"):
        list(programs.stream(["nosuchprogram"], {}, str))


def test_what_is_cleaned_leaves_apts_configuration_for_the_tree() -> None:
    assert not any('"$1/tmp' in hook for hook in debian.CLEAN), (
        "without it mmdebstrap's apt cleans the host's own lists"
    )


def test_a_missing_package_is_named() -> None:
    assert debian._explain("I: x\nE: Unable to locate package nosuch\nE: more\n") == "the suite has no package nosuch"


def test_whoever_stops_reading_ends_the_program(tmp_path: Path) -> None:
    script = f"trap 'touch {tmp_path}/ended; exit 1' TERM; echo data; while :; do :; done"
    pieces = programs.stream(["bash", "-c", script], {}, str)
    assert next(iter(pieces)) == b"data\n"
    pieces.close()  # type: ignore[attr-defined]
    assert (tmp_path / "ended").exists()
