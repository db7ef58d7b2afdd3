"""Exit codes and messages of `docker run`: the container's own, 125, 126, 127 and 128 + signal. The same on dockerd."""

import pytest

from tests.support.engines import Engine

pytestmark = [pytest.mark.root, pytest.mark.docker_cli, pytest.mark.peer]


@pytest.mark.parametrize("code", [0, 1, 3, 255])
def test_the_containers_code_is_the_clients(engine: Engine, code: int) -> None:
    assert engine.docker("run", "--rm", "busybox", "sh", "-c", f"exit {code}").code == code


def test_a_signal_gives_128_and_its_number(engine: Engine) -> None:
    # Process 1 ignores signals that it does not handle; with an init in front the shell dies of it.
    assert engine.docker("run", "--rm", "--init", "busybox", "sh", "-c", "kill -TERM $$").code == 143
    assert engine.docker("run", "--rm", "--init", "busybox", "sh", "-c", "kill -KILL $$").code == 137


def test_a_missing_program_gives_127(engine: Engine) -> None:
    result = engine.docker("run", "--rm", "busybox", "no-such-program")
    assert result.code == 127
    assert 'exec: "no-such-program": executable file not found in $PATH' in result.stderr


def test_a_missing_path_gives_127(engine: Engine) -> None:
    result = engine.docker("run", "--rm", "busybox", "/no/such/program")
    assert result.code == 127
    assert "no such file or directory" in result.stderr


def test_a_file_without_the_execute_bit_gives_126(engine: Engine) -> None:
    result = engine.docker("run", "--rm", "busybox", "/etc/passwd")
    assert result.code == 126
    assert "permission denied" in result.stderr


def test_a_directory_gives_126(engine: Engine) -> None:
    result = engine.docker("run", "--rm", "busybox", "/etc")
    assert result.code == 126
    assert "permission denied" in result.stderr or "is a directory" in result.stderr


def test_an_unknown_user_gives_125_or_126_and_its_name(engine: Engine) -> None:
    result = engine.docker("run", "--rm", "-u", "nosuchuser", "busybox", "true")
    assert result.code in (125, 126)
    assert "unable to find user nosuchuser: no matching entries in passwd file" in result.stderr


def test_a_failed_start_leaves_a_created_container_with_its_code(engine: Engine) -> None:
    engine.docker("run", "--name", "unstartable", "busybox", "no-such-program")
    state = engine.api("GET", "/containers/unstartable/json").ok()["State"]
    assert (state["Status"], state["ExitCode"], state["Running"], state["Pid"]) == ("created", 127, False, 0)
    assert "executable file not found" in state["Error"]
    engine.docker("rm", "unstartable").ok()


def test_an_unknown_flag_gives_125(engine: Engine) -> None:
    result = engine.docker("run", "--no-such-flag", "busybox")
    assert result.code == 125
    assert "unknown flag: --no-such-flag" in result.stderr


def test_a_name_in_use_gives_125_and_says_by_whom(engine: Engine) -> None:
    container = engine.docker("create", "--name", "taken", "busybox").ok()
    result = engine.docker("run", "--name", "taken", "busybox")
    engine.docker("rm", "taken").ok()
    assert result.code == 125
    assert (
        f'Conflict. The container name "/taken" is already in use by container "{container}". '
        "You have to remove (or rename) that container to be able to reuse that name."
    ) in result.stderr


def test_wait_gives_the_code_after_the_end(engine: Engine) -> None:
    engine.docker("run", "-d", "--name", "waited", "busybox", "sh", "-c", "exit 9").ok()
    assert engine.docker("wait", "waited").ok() == "9"
    assert engine.docker("wait", "waited").ok() == "9"
    state = engine.api("GET", "/containers/waited/json").ok()["State"]
    engine.docker("rm", "waited").ok()
    assert (state["Status"], state["ExitCode"], state["OOMKilled"]) == ("exited", 9, False)


def test_an_image_of_another_platform_counts_as_missing(engine: Engine) -> None:
    answer = engine.api("POST", "/containers/create?platform=linux/arm64", {"Image": "busybox"}, version="1.41")
    assert answer.status == 404
    assert answer.message == (
        "image with reference busybox was found but does not match the specified platform: "
        "wanted linux/arm64, actual: linux/amd64"
    )
    assert engine.docker("run", "--rm", "--platform", "linux/amd64", "busybox", "echo", "mine").ok() == "mine"
