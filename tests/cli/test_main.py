"""The program: what it does before and after a command, and what it says when it cannot."""

from collections.abc import Callable
from pathlib import Path

import pytest

from pier.cli.main import run
from tests.client.fake import Answer, Asked, FakeDaemon

Start = Callable[..., FakeDaemon]


def test_no_command_shows_help_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["pier"]) == 0
    assert capsys.readouterr().err.startswith("Usage:  pier [OPTIONS] COMMAND\n")


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        (("foo",), 1, "pier: unknown command: pier foo\n\nRun 'pier --help' for more information\n"),
        (
            ("container", "foo"),
            1,
            (
                "pier: unknown command: pier container foo\n\nUsage:  pier container\n\n"
                "Run 'pier container --help' for more information\n"
            ),
        ),
        (
            ("container", "--foo"),
            125,
            (
                "unknown flag: --foo\n\nUsage:  pier container COMMAND\n\n"
                "Run 'pier container --help' for more information\n"
            ),
        ),
        (
            ("--foo", "ps"),
            125,
            (
                "unknown flag: --foo\n\nUsage:  pier [OPTIONS] COMMAND [ARG...]\n\n"
                "Run 'pier --help' for more information\n"
            ),
        ),
        (
            ("ps", "-Z"),
            125,
            (
                "unknown shorthand flag: 'Z' in -Z\n\nUsage:  pier ps [OPTIONS]\n\n"
                "Run 'pier ps --help' for more information\n"
            ),
        ),
        (
            ("ps", "x"),
            1,
            (
                "pier: 'pier ps' accepts no arguments\n\nUsage:  pier ps [OPTIONS]\n\n"
                "Run 'pier ps --help' for more information\n"
            ),
        ),
        (
            ("rm",),
            1,
            (
                "pier: 'pier rm' requires at least 1 argument\n\nUsage:  pier rm [OPTIONS] CONTAINER [CONTAINER...]\n\n"
                "See 'pier rm --help' for more information\n"
            ),
        ),
        (
            ("rename", "x"),
            1,
            (
                "pier: 'pier rename' requires 2 arguments\n\nUsage:  pier rename CONTAINER NEW_NAME\n\n"
                "Run 'pier rename --help' for more information\n"
            ),
        ),
        (
            ("port", "a", "b", "c"),
            1,
            (
                "pier: 'pier port' requires at least 1 and at most 2 arguments\n\n"
                "Usage:  pier port CONTAINER [PRIVATE_PORT[/PROTO]]\n\nRun 'pier port --help' for more information\n"
            ),
        ),
        (("--log-level", "foo", "ps"), 1, "Unable to parse logging level: foo\n"),
        (("-H", "unix:///nosuch", "ps"), 1, "Cannot connect to the Docker daemon at unix:///nosuch. "),
        (("-H", "foo://x", "ps"), 1, "Failed to initialize: unable to resolve docker endpoint: "),
        (("-c", "nosuch", "ps"), 1, 'Failed to initialize: unable to resolve docker endpoint: context "nosuch"'),
    ],
)
def test_mistakes_are_told_with_usage_and_code(
    arguments: tuple[str, ...], code: int, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["pier", *arguments]) == code
    assert capsys.readouterr().err.startswith(text)


def test_a_daemons_error_has_dockers_prefix(daemon: Start, capsys: pytest.CaptureFixture[str]) -> None:
    daemon(lambda _: Answer({"message": "something broke"}, 500))
    assert run(["pier", "ps"]) == 1
    assert capsys.readouterr() == ("", "Error response from daemon: something broke\n")


def test_several_objects_are_done_one_by_one(daemon: Start, capsys: pytest.CaptureFixture[str]) -> None:
    fake = daemon(lambda asked: Answer({"message": "No such container: b"}, 404) if "/b/" in asked.target else Answer())
    assert run(["pier", "stop", "-t", "3", "a", "b", "c"]) == 1
    assert capsys.readouterr() == ("a\nc\n", "Error response from daemon: No such container: b\n")
    assert fake.asked[1].target == "/v1.50/containers/a/stop?t=3"


def test_called_docker_it_speaks_as_docker(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["/usr/local/bin/docker", "foo"]) == 1
    assert capsys.readouterr().err.startswith("docker: unknown command: docker foo\n")


def test_the_version_is_printed_without_a_daemon(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["pier", "--version"]) == 0
    assert capsys.readouterr().out.startswith("Pier version ")


def test_ps_asks_for_what_the_flags_say(daemon: Start, capsys: pytest.CaptureFixture[str]) -> None:
    fake = daemon(lambda _: Answer([]))
    assert run(["pier", "ps", "-a", "-n", "2", "-s", "-f", "name=x"]) == 0
    assert fake.asked[1].target.startswith("/v1.50/containers/json?filters=%7B%22name%22:%7B%22x%22:true%7D%7D&all=1")
    assert fake.asked[1].target.endswith("&limit=2&size=1")
    expected = "CONTAINER ID   IMAGE     COMMAND   CREATED   STATUS    PORTS     NAMES     SIZE\n"
    assert capsys.readouterr().out == expected


def test_prune_asks_first(daemon: Start, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    import io

    fake = daemon(lambda _: Answer({"ContainersDeleted": ["x"], "SpaceReclaimed": 2000}))
    monkeypatch.setattr("sys.stdin", io.StringIO("n\n"))
    assert run(["pier", "container", "prune"]) == 0
    assert fake.asked == []
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
    assert run(["pier", "container", "prune"]) == 0
    question = "WARNING! This will remove all stopped containers.\nAre you sure you want to continue? [y/N] "
    assert capsys.readouterr().out == question * 2 + "Deleted Containers:\nx\n\nTotal reclaimed space: 2kB\n"


def answer_inspect(asked: Asked) -> Answer:
    if asked.target.endswith("/containers/a/json"):
        return Answer({"Id": "1", "State": {"Running": True}, "Config": {"Env": None}})
    return Answer({"message": f"nothing at {asked.target}"}, 404)


def test_inspect_shows_what_it_finds_and_says_what_it_does_not(
    daemon: Start, capsys: pytest.CaptureFixture[str]
) -> None:
    daemon(answer_inspect)
    assert run(["pier", "inspect", "a", "b"]) == 1
    out, err = capsys.readouterr()
    assert out.startswith('[\n    {\n        "Id": "1",\n')
    assert err == "Error: No such object: b\n"
    assert run(["pier", "inspect", "a", "-f", "{{.Config.Env}}{{.State.Running}}"]) == 0
    assert capsys.readouterr().out == "[]true\n"
    assert run(["pier", "inspect", "a", "-f", "{{.Id"]) == 64


def test_a_cid_file_is_written_only_for_a_container(
    daemon: Start, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "cid"
    fake = daemon(
        lambda asked: (
            Answer({"Id": "abc", "Warnings": ["beware"]}, 201)
            if "name=b" in asked.target
            else Answer({"message": "no"}, 500)
        )
    )
    assert run(["pier", "create", "--cidfile", str(path), "busybox"]) == 1
    assert not path.exists()
    assert run(["pier", "create", "--cidfile", str(path), "--name", "b", "busybox"]) == 0
    assert path.read_text() == "abc"
    assert run(["pier", "create", "--cidfile", str(path), "busybox"]) == 1
    assert len([asked for asked in fake.asked if asked.method == "POST"]) == 2
    assert "container ID file found" in capsys.readouterr().err


@pytest.mark.parametrize(
    "missing",
    [
        "No such image: busybox:1",
        "image with reference busybox:1 was found but does not match the specified platform: wanted a/b, actual: c/d",
    ],
)
def test_a_missing_image_is_pulled_once(daemon: Start, capsys: pytest.CaptureFixture[str], missing: str) -> None:
    pulled: list[str] = []

    def answer(asked: Asked) -> Answer:
        if "/images/create" in asked.target:
            pulled.append(asked.target)
            return Answer(b'{"status":"Pulling from library/busybox","id":"1"}\n')
        return Answer({"Id": "abc"}, 201) if pulled else Answer({"message": missing}, 404)

    daemon(answer)
    assert run(["pier", "create", "busybox:1"]) == 0
    assert pulled == ["/v1.50/images/create?fromImage=busybox&tag=1"]
    out, err = capsys.readouterr()
    assert out == "abc\n"
    assert err == "Unable to find image 'busybox:1' locally\n1: Pulling from library/busybox\n"
    pulled.clear()
    assert run(["pier", "create", "--pull", "never", "busybox:1"]) == 1
    assert pulled == []
