"""docker-py and aiodocker, as they are, against both engines."""

import asyncio
import io
import tarfile
from collections.abc import Iterator

import aiodocker
import docker
import pytest
from docker.errors import APIError, ContainerError, ImageNotFound, NotFound

from tests.support.engines import Engine

pytestmark = [
    pytest.mark.root,
    pytest.mark.peer,
    # docker-py leaves the sockets of execs to the garbage collector.
    pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture
def client(engine: Engine) -> Iterator[docker.DockerClient]:
    made = docker.DockerClient(base_url=engine.host, timeout=60)
    yield made
    made.close()


def test_run_returns_the_output(client: docker.DockerClient) -> None:
    assert client.containers.run("busybox", ["echo", "from docker-py"], remove=True) == b"from docker-py\n"


def test_a_failing_command_raises_with_its_code(client: docker.DockerClient) -> None:
    with pytest.raises(ContainerError) as caught:
        client.containers.run("busybox", ["sh", "-c", "echo why >&2; exit 7"], remove=True)
    assert (caught.value.exit_status, caught.value.stderr) == (7, b"why\n")


def test_missing_things_raise_their_errors(client: docker.DockerClient) -> None:
    with pytest.raises(NotFound):
        client.containers.get("nobody")
    with pytest.raises(ImageNotFound):
        client.images.get("nothing")
    with pytest.raises(NotFound):
        client.volumes.get("nowhere")


def test_the_life_of_a_container(client: docker.DockerClient) -> None:
    container = client.containers.run(
        "busybox", "sleep 100000", detach=True, name="py", labels={"a": "b"}, mem_limit="64m", environment={"K": "v"}
    )
    assert container.status == "created"
    container.reload()
    assert (container.status, container.labels) == ("running", {"a": "b"})
    # The library loses what comes in one piece with the answer's head, so the program waits until it listens.
    code, output = container.exec_run(["sh", "-c", "sleep 1; echo $K; exit 2"])
    assert (code, output) == (2, b"v\n")
    _, streams = container.exec_run(["sh", "-c", "echo out; echo err >&2"], demux=True)
    assert streams == (b"out\n", b"err\n")
    assert [found.name for found in client.containers.list(filters={"label": "a=b"})] == ["py"]
    container.pause()
    container.unpause()
    container.rename("py2")
    container.stop(timeout=0)
    assert container.wait()["StatusCode"] == 137
    container.remove()
    with pytest.raises(NotFound):
        container.reload()


def test_logs_can_be_followed(client: docker.DockerClient) -> None:
    container = client.containers.run("busybox", ["sh", "-c", "echo one; sleep 0.2; echo two"], detach=True)
    assert b"".join(container.logs(stream=True, follow=True)) == b"one\ntwo\n"
    assert container.logs(tail=1) == b"two\n"
    container.remove()


def test_a_name_in_use_is_a_conflict(client: docker.DockerClient) -> None:
    container = client.containers.create("busybox", name="once")
    with pytest.raises(APIError) as caught:
        client.containers.create("busybox", name="once")
    container.remove()
    assert caught.value.status_code == 409


def test_an_attached_socket_carries_both_ways(client: docker.DockerClient) -> None:
    container = client.containers.create("busybox", "cat", stdin_open=True, tty=True)
    stream = container.attach_socket(params={"stdin": 1, "stdout": 1, "stream": 1})
    container.start()
    stream._sock.sendall(b"hello\n")
    seen = b""
    while seen.count(b"hello") < 2:  # the terminal's echo, and what cat says
        seen += stream._sock.recv(100)
    stream.close()
    container.remove(force=True)


def test_volumes_and_events(client: docker.DockerClient) -> None:
    volume = client.volumes.create("from-py", labels={"x": "y"})
    assert [found.name for found in client.volumes.list(filters={"label": "x=y"})] == ["from-py"]
    written = client.containers.run(
        "busybox", "touch /v/f", volumes={"from-py": {"bind": "/v", "mode": "rw"}}, remove=True
    )
    assert written == b""
    assert (
        client.containers.run("busybox", "ls /v", volumes={"from-py": {"bind": "/v", "mode": "ro"}}, remove=True)
        == b"f\n"
    )
    volume.remove()


def test_an_archive_is_imported_as_an_image(client: docker.DockerClient) -> None:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as archive:
        entry = tarfile.TarInfo("hello")
        entry.size = 2
        archive.addfile(entry, io.BytesIO(b"hi"))
    client.api.import_image_from_data(content.getvalue(), repository="from-data", tag="1")
    image = client.images.get("from-data:1")
    assert image.tag("from-data", tag="2")
    client.images.remove("from-data:1")
    client.images.remove("from-data:2")
    with pytest.raises(ImageNotFound):
        client.images.get(image.id)


def test_aiodocker_runs_a_container(engine: Engine) -> None:
    async def life() -> tuple[str, int, list[str]]:
        async with aiodocker.Docker(url=engine.host) as client:
            config = {"Image": "busybox", "Cmd": ["sh", "-c", "echo async; exit 3"]}
            container = await client.containers.create_or_replace("aio", config)
            await container.start()
            ended = await container.wait()
            lines = await container.log(stdout=True)
            await container.delete()
            return container.id, ended["StatusCode"], lines

    identity, code, lines = asyncio.run(life())
    assert (len(identity), code, lines) == (64, 3, ["async\n"])
