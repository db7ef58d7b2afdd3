"""Base images from Debian's packages: what is streamed into the import."""

import io
import tarfile
from collections.abc import Callable

import pytest

from pier.cli.commands import bootstrap
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
    monkeypatch.setattr(bootstrap, "_static_busybox", lambda: str(program))
    fake = daemon(lambda _: Answer(b'{"status":"sha256:abc"}\n'))
    assert run(["pier", "image", "bootstrap", "busybox", "-c", "ENV A=b"]) == 0
    assert capsys.readouterr().out == "sha256:abc\n"
    target = fake.asked[-1].target
    assert target.startswith("/v1.50/images/create?fromSrc=-&repo=busybox&tag=latest&")
    assert target.endswith("&changes=CMD%20%5B%22sh%22%5D&changes=ENV%20A%3Db")
    with tarfile.open(fileobj=io.BytesIO(fake.asked[-1].body)) as archive:
        assert archive.getmember("bin/sh").linkname == "busybox"
        assert archive.getmember("bin/busybox").mode == 0o755
        assert archive.getmember("tmp").mode == 0o1777
        assert {info.uid for info in archive} == {0}


def test_an_image_that_is_not_known_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["pier", "image", "bootstrap", "alpine"]) == 1
    assert capsys.readouterr().err.startswith("cannot bootstrap alpine: known are busybox, debian:bookworm")


def test_a_program_that_fails_ends_the_import(monkeypatch: pytest.MonkeyPatch) -> None:
    report = bootstrap._Report(quiet=True)
    with pytest.raises(bootstrap.Failure, match="sh failed: no network"):
        list(bootstrap._piped(["sh", "-c", "echo data; echo no network >&2; exit 3"], report))
    assert b"".join(bootstrap._piped(["echo", "data"], report)) == b"data\n"
    with pytest.raises(bootstrap.Failure, match="nosuchprogram is not installed"):
        bootstrap._run(["nosuchprogram"], "trying")
