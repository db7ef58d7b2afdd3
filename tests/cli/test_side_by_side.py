"""The same command line through docker and through pier, on one daemon: output and exit code are equal."""

import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.program import comparable, docker, docker_version, pier
from tests.support.engines import Engine

pytestmark = [
    pytest.mark.root,
    pytest.mark.peer,
    pytest.mark.docker_cli,
    pytest.mark.skipif(docker_version() != "28", reason="words and formats are those of the docker CLI 28"),
]
UP, DOWN, VOLUME = "side-up", "side-down", "side-volume"
SCENARIOS = """
ps -a --no-trunc -f name=side-
ps -aq -f name=side-
ps -f name=side-up --format json
ps -as -f name=side-
ps -f name=side- --format '{{.ID}} {{.Names}} {{.Label "x"}} {{.LocalVolumes}} {{.State|upper}}'
ps -a -f name=side- --format 'table {{.Names}}\\t{{.Labels}}\\t{{.Networks}}\\t{{.Label "com.example.foo-bar"}}'
ps -q -f name=side- --format json
ps --format '{{.Nope}}'
ps -f name=side-up --format '{{json .}}'
ps -f name=side-up --format '{{json .Size}} {{json .Ports}} {{js .Ports}} {{urlquery .Ports}} {{html .Ports}}'
ps -f name=side-up --format '{{pad .Names 2 3}}|{{truncate .Names 1}}|{{title .State}}|{{join (split .Image "s") "/"}}'
ps -a -f exited=3 -f name=side- --format '{{println .Names}}{{len .Names}}'
ps -a -f health=none -f is-task=false -f isolation=default -f since=side-up --format '{{.Names}}'
ps -a -f ancestor=busybox -f network=bridge -f name=side-up --format '{{.Names}}'
ps -a -f publish=foo
ps -a -f expose=79-81 -f name=side- --format '{{.Names}}'
ps -a -f exited=x
ps -a -f is-task=x
ps -a -f before=no-such-container
container inspect -s side-up
container ls -f foo=bar
images busybox
images --no-trunc --digests busybox
images --format json busybox
inspect side-up
inspect -f '{{.Name}} {{.State.Status}} {{.Config.Env}} {{.Config.Cmd}} {{.HostConfig.Binds}}' side-up side-down
inspect -f '{{json .Config.Labels}} {{.HostConfig.RestartPolicy}} {{.Config.Volumes}}' side-up
inspect -f '{{range .Mounts}}{{.Type}} {{.Destination}}|{{end}}{{index .Config.Labels "x"}}' side-up
inspect -f '{{.State.Health}} {{.Config.Healthcheck}} {{.HostConfig.Memory}}' side-up
inspect -f '{{.Foo}}' side-up
inspect -f '{{.Id' side-up
inspect -f json side-up
inspect -f '{{json .Args}} {{json .Config}}' side-up
inspect --type volume no-such-volume
volume inspect side-volume
volume inspect -f json side-volume
volume inspect -f '{{json .Labels}}' side-volume
inspect side-volume
inspect -f json side-volume
image inspect busybox
network inspect -f '{{.Name}} {{.Driver}} {{.Scope}}' bridge
volume inspect no-such-volume
network rm no-such-network
port side-up
port side-up 81
top side-up -o pid,comm
logs side-up
logs --since foo side-up
logs no-such-container
exec side-up echo hi
exec side-up sh -c 'echo err >&2; exit 5'
exec -e A=b -w /tmp side-up sh -c 'echo $A; pwd'
exec --env-file / side-up env
exec -w /no-such-directory side-up true
exec side-down ls
run --rm busybox sh -c 'echo out; echo err >&2; exit 7'
run --rm busybox no-such-program
run --rm busybox /etc
run --rm -w /tmp -e X=1 -u 1 busybox sh -c 'pwd; echo $X; id -u'
run --rm -t busybox sh -c 'echo a; echo b >&2'
run --rm -it busybox true
run --rm --memory 1m busybox true
run --rm --network no-such-network busybox true
run --rm Busybox true
run --rm --name side-up busybox true
run --rm --env-file / busybox true
run --rm --label-file / busybox true
run --rm -v /:/ busybox true
run --rm -v name:/ busybox true
create --name side-up busybox
start -a side-down
start -a side-up side-down
stop no-such-container side-down
kill side-down
kill -s FOO side-up
pause side-down
unpause side-up
rename side-up side-down
rm side-up
rm -f no-such-container
tag no-such-image a:b
tag busybox A:b
history --format json busybox
load -i /no-such-file
cp /etc/passwd side-up:/etc/passwd/x
cp /etc/passwd side-up:/no/such/directory
cp side-up:/no-such-file /tmp
logs --until 2013-01-01 side-up
logs --tail foo side-up
top side-up -o foo
update --memory 1m side-up
update --restart foo side-up
container prune -f --filter foo=1
image prune -f --filter foo=1
system prune -f --filter foo=1
events --since foo
events --since 10m --until 0s -f type=container -f container=side-up --format '{{.Foo}}'
events --since 10m --until 0s -f type=volume -f volume=side-volume --format '{{.Action}} {{json .Actor}}'
update side-up
attach side-down
network create --gateway 1.2.3.4 side-net
"""


@pytest.fixture(scope="module")
def prepared(engine: Engine) -> Iterator[Engine]:
    """A running container with ports, labels and volumes, and one that has ended."""
    up = ["run", "-d", "--name", UP, "-p", "127.0.0.1::80", "-l", "x=y", "-v", "/data", "busybox"]
    engine.docker(*up, "sh", "-c", "echo one; echo two; true && exec sleep 1000").ok()
    engine.docker("run", "--name", DOWN, "busybox", "sh", "-c", "exit 3")
    engine.docker("volume", "create", "--label", "a=<b>&", VOLUME).ok()
    yield engine
    engine.docker("rm", "-f", "-v", UP, DOWN)
    engine.docker("volume", "rm", VOLUME)


@pytest.mark.parametrize("line", SCENARIOS.strip().split("\n"))
def test_pier_says_what_docker_says(prepared: Engine, line: str) -> None:
    arguments = shlex.split(line.replace("\\\\", "\\"))
    assert comparable(pier(prepared, *arguments)) == comparable(docker(prepared, *arguments))


@pytest.mark.parametrize("size", [0, 300_000])
def test_stdin_reaches_the_container_and_ends(prepared: Engine, size: int) -> None:
    data = "x" * size
    results = [program(prepared, "run", "--rm", "-i", "busybox", "wc", "-c", stdin=data) for program in (docker, pier)]
    assert [result.ok().strip() for result in results] == [str(size)] * 2
    assert pier(prepared, "exec", "-i", UP, "cat", stdin=data).ok() == data


def test_much_output_arrives_whole(prepared: Engine) -> None:
    result = pier(prepared, "run", "--rm", "busybox", "sh", "-c", "head -c 3000000 /dev/zero | tr '\\0' x")
    assert len(result.ok()) == 3_000_000


def test_files_are_copied_in_and_out(prepared: Engine, tmp_path: Path) -> None:
    source = tmp_path / "source"
    (source / "inner").mkdir(parents=True)
    (source / "inner" / "file").write_text("text")
    (source / "link").symlink_to("inner/file")
    (source / "program").write_text("#!/bin/sh\n")
    (source / "program").chmod(0o755)
    pier(prepared, "cp", str(source), f"{UP}:/tmp/copied").ok()
    pier(prepared, "cp", f"{source}/.", f"{UP}:/tmp/copied/again").ok()
    listing = pier(prepared, "exec", UP, "find", "/tmp/copied", "-type", "f").ok()
    names = ("inner/file", "program", "again/inner/file", "again/program")
    assert sorted(listing.split()) == sorted(f"/tmp/copied/{name}" for name in names)
    for number, program in enumerate((docker, pier)):
        program(prepared, "cp", f"{UP}:/tmp/copied", str(tmp_path / f"out{number}")).ok()
    first, second = (
        sorted((str(path.relative_to(tmp_path / name)), path.lstat().st_mode) for path in (tmp_path / name).rglob("*"))
        for name in ("out0", "out1")
    )
    assert first == second
    assert (tmp_path / "out1" / "again" / "link").readlink() == Path("inner/file")
    assert pier(prepared, "cp", f"{UP}:/no-such-file", str(tmp_path)).code == 1
