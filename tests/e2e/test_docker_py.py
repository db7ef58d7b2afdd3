"""Every operation of docker-py on containers, images, networks, volumes and the daemon, against both engines."""

import gc
import io
import itertools
import json
import tarfile
import threading
import time
from collections.abc import Iterator

import docker
import pytest
from docker.errors import APIError, ImageNotFound, NotFound
from docker.models.containers import Container
from docker.types import IPAMConfig, IPAMPool, LogConfig, Mount

from tests.support.commands import wait_until
from tests.support.engines import Engine
from tests.support.registry import Registry
from tests.support.subnets import subnet

pytestmark = [
    pytest.mark.root,
    pytest.mark.peer,
    # docker-py leaves the sockets of streams to the garbage collector.
    pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture(scope="module")
def client(engine: Engine) -> Iterator[docker.DockerClient]:
    made = docker.DockerClient(base_url=engine.host, timeout=60)
    yield made
    made.close()
    gc.collect()


@pytest.fixture
def sleeper(client: docker.DockerClient) -> Iterator[Container]:
    made = client.containers.run("busybox", ["sh", "-c", "trap 'exit 3' TERM; while :; do sleep 1 & wait; done"],
                                 detach=True, labels={"of": "docker-py"})  # fmt: skip
    yield made
    made.remove(force=True, v=True)


def archive(**files: bytes) -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as tar:
        for name, text in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(text)
            tar.addfile(entry, io.BytesIO(text))
    return content.getvalue()


def names_in(pieces: Iterator[bytes]) -> list[str]:
    with tarfile.open(fileobj=io.BytesIO(b"".join(pieces))) as tar:
        return tar.getnames()


def test_the_daemon_tells_about_itself(client: docker.DockerClient) -> None:
    assert client.ping()
    assert client.version()["ApiVersion"]
    assert client.info()["OSType"] == "linux"
    assert {"Images", "Containers", "Volumes"} <= client.df().keys()


def test_stats_and_top(sleeper: Container) -> None:
    once = sleeper.stats(stream=False)
    assert once["pids_stats"]["current"] >= 1
    assert once["memory_stats"]["usage"] > 0
    stream = sleeper.stats(stream=True, decode=True)
    assert [found["id"] for found in itertools.islice(stream, 2)] == [sleeper.id] * 2
    stream.close()
    top = sleeper.top(ps_args="-eo pid,args")
    assert top["Titles"] == ["PID", "COMMAND"]
    assert any("trap" in row[1] for row in top["Processes"])


def test_archives_go_in_and_out(sleeper: Container) -> None:
    assert sleeper.put_archive("/tmp", archive(one=b"1", two=b"22"))
    pieces, stat = sleeper.get_archive("/tmp/two")
    assert (stat["name"], stat["size"]) == ("two", 2)
    assert names_in(pieces) == ["two"]
    assert {"Path": "/tmp/one", "Kind": 1} in sleeper.diff()
    assert "tmp/one" in names_in(sleeper.export())
    with pytest.raises(NotFound):
        sleeper.get_archive("/nowhere")


def test_a_container_is_paused_updated_renamed_restarted_and_killed(
    client: docker.DockerClient, sleeper: Container
) -> None:
    sleeper.pause()
    assert client.containers.get(sleeper.id).status == "paused"
    sleeper.unpause()
    sleeper.update(mem_limit="96m", memswap_limit="96m", restart_policy={"Name": "on-failure", "MaximumRetryCount": 2})
    sleeper.rename("renamed-by-py")
    sleeper.reload()
    assert sleeper.name == "renamed-by-py"
    assert sleeper.attrs["HostConfig"]["Memory"] == 96 << 20
    assert sleeper.attrs["HostConfig"]["RestartPolicy"] == {"Name": "on-failure", "MaximumRetryCount": 2}
    sleeper.update(restart_policy={"Name": "no"})
    sleeper.restart(timeout=0)
    sleeper.reload()
    assert sleeper.status == "running"
    sleeper.kill("SIGTERM")
    assert sleeper.wait()["StatusCode"] == 3


def test_conditions_of_wait(client: docker.DockerClient) -> None:
    made = client.containers.create("busybox", ["sh", "-c", "exit 5"], auto_remove=True)
    codes: list[int] = []
    waits = [
        threading.Thread(target=lambda word=word: codes.append(made.wait(condition=word)["StatusCode"]))
        for word in ("next-exit", "removed")
    ]
    for each in waits:
        each.start()
    made.start()
    for each in waits:
        each.join(60)
    assert codes
    assert set(codes) == {5}


def test_options_of_logs(client: docker.DockerClient) -> None:
    made = client.containers.run("busybox", ["sh", "-c", "echo out; echo err >&2; echo end"], detach=True)
    made.wait()
    assert made.logs(stdout=True, stderr=False) == b"out\nend\n"
    assert made.logs(stdout=False, stderr=True) == b"err\n"
    assert len(made.logs(tail=2).splitlines()) == 2
    stamp, _, text = made.logs(timestamps=True, stderr=False).splitlines()[0].partition(b" ")
    assert (len(stamp), text) == (30, b"out")
    assert made.logs(since=4_000_000_000) == b""
    assert made.logs(until=1) == b""
    made.remove()


def test_a_log_that_is_not_kept(client: docker.DockerClient) -> None:
    made = client.containers.run("busybox", "echo gone", detach=True, log_config=LogConfig(type="none"))
    made.wait()
    with pytest.raises(APIError):
        made.logs()
    made.remove()


def test_execs_are_inspected_and_resized(client: docker.DockerClient, sleeper: Container) -> None:
    made = client.api.exec_create(sleeper.id, ["sh", "-c", "read; stty size; exit 4"], stdin=True, tty=True)["Id"]
    stream = client.api.exec_start(made, tty=True, socket=True)._sock
    client.api.exec_resize(made, height=33, width=44)
    assert client.api.exec_inspect(made)["Running"]
    stream.sendall(b"\n")
    seen = b""
    while piece := stream.recv(4096):
        seen += piece
    stream.close()
    assert b"33 44" in seen
    wait_until(lambda: client.api.exec_inspect(made)["ExitCode"] == 4, "the exec's exit code")
    assert b"".join(sleeper.exec_run(["sh", "-c", "sleep 0.5; echo a"], stream=True).output) == b"a\n"
    assert not sleeper.exec_run("true", detach=True).output


def test_attach_streams_what_a_container_says(client: docker.DockerClient) -> None:
    made = client.containers.create("busybox", ["sh", "-c", "read line; echo got $line"], stdin_open=True)
    sent = made.attach_socket(params={"stdin": 1, "stream": 1})
    heard = made.attach(stdout=True, stream=True)
    made.start()
    sent._sock.sendall(b"it\n")
    assert b"".join(heard) == b"got it\n"
    sent.close()
    made.remove(force=True)


def test_a_terminal_of_a_container_is_resized(client: docker.DockerClient) -> None:
    made = client.containers.run("busybox", ["sh", "-c", "read; stty size"], tty=True, stdin_open=True, detach=True)
    made.resize(height=21, width=43)
    stream = made.attach_socket(params={"stdin": 1, "stream": 1})
    stream._sock.sendall(b"\n")
    made.wait()
    stream.close()
    assert b"21 43" in made.logs()
    made.remove()


def test_ports_are_published(client: docker.DockerClient) -> None:
    made = client.containers.run("busybox", "sleep 1000", detach=True, ports={"80/tcp": ("127.0.0.1", None)})
    made.reload()
    assert int(made.ports["80/tcp"][0]["HostPort"]) > 0
    assert client.api.port(made.id, 80)[0]["HostIp"] == "127.0.0.1"
    made.remove(force=True)


def test_a_commit_is_an_image_with_a_history(client: docker.DockerClient, sleeper: Container) -> None:
    sleeper.exec_run("touch /committed")
    image = sleeper.commit("by-py", tag="1", message="why", author="who", changes=["ENV A=b"])
    assert "A=b" in image.attrs["Config"]["Env"]
    assert image.history()[0]["Comment"] == "why"
    assert image.tag("by-py", "2")
    assert client.images.list(name="by-py")[0].tags
    with pytest.raises(APIError) as caught:
        client.images.remove(image.id)
    assert caught.value.status_code == 409
    saved = b"".join(image.save(named=True))
    client.images.remove("by-py:2")
    client.images.remove("by-py:1")
    with pytest.raises(ImageNotFound):
        client.images.get("by-py:1")
    assert [loaded.id for loaded in client.images.load(saved)] == [image.id]
    assert client.containers.run(image.id, "ls /committed", remove=True) == b"/committed\n"
    client.images.remove(image.id, force=True)


def test_an_image_in_use_stays(client: docker.DockerClient, sleeper: Container) -> None:
    with pytest.raises(APIError) as caught:
        client.images.remove(sleeper.image.id)
    assert caught.value.status_code == 409


def test_images_are_pushed_and_pulled(client: docker.DockerClient, registry: Registry) -> None:
    name = f"{registry.address}/from-py"
    assert client.images.get("busybox").tag(name, "1")
    pushed = [json.loads(line) for line in client.images.push(name, tag="1").splitlines()]
    assert not [line for line in pushed if "error" in line]
    client.images.remove(f"{name}:1")
    assert f"{name}:1" in client.images.pull(name, tag="1").tags
    assert client.images.get_registry_data(f"{name}:1").id.startswith("sha256:")
    client.images.remove(f"{name}:1")
    with pytest.raises(APIError):
        client.images.pull(name, tag="nothing")
    assert client.login("a", "b", registry=registry.address, reauth=True)["Status"] == "Login Succeeded"


def test_networks(client: docker.DockerClient) -> None:
    with subnet() as address:
        wanted = address.replace(".1/24", ".0/24")
        pool = IPAMPool(subnet=wanted, gateway=address.removesuffix("/24"))
        made = client.networks.create("by-py", ipam=IPAMConfig(pool_configs=[pool]), labels={"n": "1"})
        try:
            assert [found.name for found in client.networks.list(filters={"label": "n=1"})] == ["by-py"]
            inside = client.containers.run("busybox", "sleep 1000", detach=True, network="by-py")
            made.reload()
            assert [each.id for each in made.containers] == [inside.id]
            inside.remove(force=True)
        finally:
            made.remove()
    with pytest.raises(NotFound):
        client.networks.get("by-py")
    assert client.networks.prune()["NetworksDeleted"] is None


def test_volumes(client: docker.DockerClient) -> None:
    volume = client.volumes.create("py-volume", labels={"v": "1"})
    mount = Mount("/data", "py-volume")
    client.containers.run("busybox", "touch /data/kept", mounts=[mount], remove=True)
    assert client.containers.run("busybox", "ls /data", mounts=[mount], remove=True) == b"kept\n"
    assert client.volumes.get("py-volume").attrs["Labels"] == {"v": "1"}
    volume.remove()
    with pytest.raises(NotFound):
        client.volumes.get("py-volume")


def test_events_are_told_as_they_happen_and_from_the_past(client: docker.DockerClient) -> None:
    stream = client.events(decode=True, filters={"type": "container", "label": "told=1"})
    made = client.containers.run("busybox", "true", detach=True, labels={"told": "1"})
    made.wait()
    made.remove()
    told = [event["Action"] for event in itertools.islice(stream, 4)]
    stream.close()
    assert told == ["create", "start", "die", "destroy"]
    until = int(time.time()) + 1
    past = client.events(decode=True, since=1, until=until, filters={"label": "told=1", "event": "die"})
    assert [event["Actor"]["ID"] for event in past] == [made.id]


def test_prunes(client: docker.DockerClient) -> None:
    gone = client.containers.run("busybox", "true", detach=True, labels={"pruned": "1"})
    gone.wait()
    assert client.containers.prune(filters={"label": "pruned=1"})["ContainersDeleted"] == [gone.id]
    kept = client.volumes.create(labels={"pruned": "1"})
    assert client.volumes.prune(filters={"label": "pruned=2"})["VolumesDeleted"] in (None, [])
    kept.remove()
    client.api.import_image_from_data(archive(a=b"b"), repository="dangling", tag="1")
    image = client.images.get("dangling:1")
    client.api.import_image_from_data(archive(a=b"c"), repository="dangling", tag="1")
    assert {"Deleted": image.id} in client.images.prune(filters={"dangling": True})["ImagesDeleted"]
    client.images.remove("dangling:1")


def test_what_is_missing_or_wrong_is_refused(client: docker.DockerClient) -> None:
    for wrong in (
        lambda: client.containers.get("nobody"),
        lambda: client.images.get("nothing"),
        lambda: client.networks.get("nowhere"),
        lambda: client.api.exec_inspect("0" * 64),
    ):
        with pytest.raises(NotFound):
            wrong()
    with pytest.raises(APIError) as caught:
        client.containers.create("busybox", "true", name="not a name")
    assert caught.value.status_code == 400
