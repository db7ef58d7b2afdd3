"""`docker run -i -t ubuntu bin/bash` from an empty store: the six steps that Docker documents, each looked at.

The image is not there, the program is relative. The engine lives in a network of its own, in which Docker Hub's names
lead to a registry with TLS and tokens.
"""

import platform
import time
from collections.abc import Callable, Iterator
from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest

from tests.journeys.at_home import DockerdAtHome, PierdAtHome
from tests.journeys.hub import Hub
from tests.journeys.layouts import Layout
from tests.journeys.world import HOME, OUTSIDE
from tests.network.rooms import Greeter
from tests.support.dockerd import Dockerd
from tests.support.engines import Engine
from tests.support.terminal import Terminal

pytestmark = [pytest.mark.root, pytest.mark.docker_cli]
ARCHITECTURE = {"x86_64": "amd64", "aarch64": "arm64"}[platform.machine()]
OTHER = {"amd64": "arm64", "arm64": "amd64"}[ARCHITECTURE]


@pytest.fixture(scope="module")
def layout(tmp_path_factory: pytest.TempPathFactory, bash_tar: Path) -> Layout:
    made = Layout(tmp_path_factory.mktemp("layout") / "ubuntu")
    made.write(bash_tar.read_bytes(), (OTHER, ARCHITECTURE), ["/bin/bash"])
    return made


@pytest.fixture
def hub(tmp_path: Path, layout: Layout) -> Iterator[Hub]:
    """Docker Hub with library/ubuntu:latest, in a world of its own: dockerd leaves a policy in its network."""
    running = Hub(tmp_path)
    try:
        running.publish(layout.root, "library/ubuntu:latest")
        yield running
    finally:
        running.close()


@pytest.fixture(params=["dockerd", "pierd"])
def engine_at_home(request: pytest.FixtureRequest, hub: Hub) -> Iterator[Engine]:
    """An engine with an empty store; what dockerd does is what is expected."""
    if request.param == "dockerd" and (missing := Dockerd.missing()):
        pytest.skip(missing)
    if request.param == "dockerd" and hub.world.home.command("iptables", "-t", "nat", "-S").code:
        pytest.skip("iptables does not work here")
    engine = PierdAtHome(hub) if request.param == "pierd" else DockerdAtHome(hub)
    try:
        engine.start()
        yield engine
    finally:
        engine.close()


@pytest.fixture
def outside(hub: Hub) -> Iterator[Greeter]:
    """A server in the world that tells each client which address it comes from."""
    server = hub.world.outside.do(lambda: Greeter(80, OUTSIDE))
    yield server
    server.close()


def test_the_six_steps(
    engine_at_home: Engine,
    hub: Hub,
    layout: Layout,
    outside: Greeter,
    open_terminal: Callable[[Engine], Terminal],
) -> None:
    engine = engine_at_home
    assert engine.docker("images", "-q").ok() == ""
    assert engine.docker("ps", "-a", "-q").ok() == ""
    terminal = open_terminal(engine)
    terminal.type("docker run -i -t ubuntu bin/bash; echo co''de=$?")
    screen = terminal.expect(":/# ")

    # 1. The image is not there: it is pulled, as by `docker pull ubuntu`.
    assert "Unable to find image 'ubuntu:latest' locally" in screen
    assert "latest: Pulling from library/ubuntu" in screen
    assert f"Digest: {layout.digest}" in screen
    assert "Status: Downloaded newer image for ubuntu:latest" in screen
    assert {query["scope"][0] for query in hub.asked} == {"repository:library/ubuntu:pull"}
    assert {query["service"][0] for query in hub.asked} == {"registry.docker.io"}
    assert engine.docker("image", "inspect", "-f", "{{.Architecture}} {{.RepoDigests}}", "ubuntu").ok() == (
        f"{ARCHITECTURE} [ubuntu@{layout.digest}]"
    )

    # 2. A container is created, as by `docker container create`.
    container = engine.docker("ps", "-q", "--no-trunc").ok()
    known = engine.api("GET", f"/containers/{container}/json").ok()
    assert (known["Path"], known["Args"], known["Config"]["Image"]) == ("bin/bash", [], "ubuntu")
    assert f"root@{container[:12]}:/# " in screen
    told = engine.docker("events", "--since", "0", "--until", f"{time.time():.9f}", "--format", "{{.Type}} {{.Action}}")
    steps = ["image pull", "container create", "container attach", "network connect", "container start"]
    assert [line for line in told.ok().splitlines() if line in steps] == steps

    # 3. It has a writable file system as its last layer.
    terminal.type("echo mine >/home/note; rm /etc/os-release; ls /home")
    terminal.expect("note")
    changes = engine.docker("diff", container).ok().splitlines()
    assert {"A /home/note", "D /etc/os-release"} <= set(changes)

    # 4. It has an interface on the default network with an address, and reaches the outside.
    network = known["NetworkSettings"]["Networks"]["bridge"]
    assert ip_address(network["IPAddress"]) in ip_network(f"{network['Gateway']}/24", strict=False)
    terminal.type(f"echo seen as $(cat </dev/tcp/{OUTSIDE}/80)")
    terminal.expect(f"seen as {HOME}")
    terminal.type('while read address name; do echo "$address is $name"; done </etc/hosts')
    terminal.expect(f"{network['IPAddress']} is {container[:12]}")

    # 5. /bin/bash is started and joined to the terminal.
    terminal.type("echo pid=$$ name=$0 tty=$(tty) size=$(stty size) $(cat /proc/1/comm)")
    terminal.expect("pid=1 name=bin/bash tty=/dev/pts/0 size=30 100 bash")

    # 6. `exit` ends the command; the container is stopped, not removed, and can be started again or removed.
    terminal.type("exit 4")
    terminal.expect("code=4")
    assert engine.docker("ps", "-a", "--format", "{{.ID}} {{.State}}").ok() == f"{container[:12]} exited"
    terminal.type(f"clear; docker start -a -i {container[:12]}; echo co''de=$?")
    terminal.expect(":/# ")
    terminal.type("cat /home/note; exit")
    assert "mine" in terminal.expect("code=0")
    assert engine.docker("rm", container).ok() == container
    assert engine.docker("ps", "-a", "-q").ok() == ""
    assert engine.docker("rmi", "ubuntu").ok().splitlines()[0] == "Untagged: ubuntu:latest"
