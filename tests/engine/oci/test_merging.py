"""The image's configuration under the client's, and Docker's defaults."""

import pytest

from pier.engine.oci import defaults
from pier.engine.oci.merging import merge, program, replace_variables
from pier.spec.containers import ContainerConfig, HealthConfig, HostConfig
from pier.spec.errors import InvalidParameter
from pier.spec.image_config import Healthcheck, RunConfig
from tests.engine.oci.facts import HOST, SETTINGS

IMAGE = RunConfig(
    user="app",
    env=["PATH=/image", "A=image"],
    cmd=["serve"],
    entrypoint=["/entry"],
    working_dir="/srv",
    labels={"a": "image", "b": "image"},
    exposed_ports={"80/tcp": {}},
    volumes={"/data": {}},
    stop_signal="SIGINT",
    healthcheck=Healthcheck(test=["CMD", "true"], interval=5),
)


def test_the_images_values_fill_what_the_client_left_open() -> None:
    merged = merge(ContainerConfig(Image="x"), IMAGE)
    assert (merged.User, merged.WorkingDir, merged.StopSignal) == ("app", "/srv", "SIGINT")
    assert program(merged) == ("/entry", ("serve",))
    assert merged.Volumes == {"/data": {}}
    assert merged.Healthcheck == HealthConfig(Test=["CMD", "true"], Interval=5)


def test_the_clients_values_win() -> None:
    own = ContainerConfig(
        Env=["A=own"], Cmd=["other"], Labels={"a": "own"}, ExposedPorts={"81/tcp": {}}, WorkingDir="/x/../y"
    )
    merged = merge(own, IMAGE)
    assert merged.Env == ["A=own", "PATH=/image"]
    assert merged.Labels == {"a": "own", "b": "image"}
    assert merged.ExposedPorts == {"80/tcp": {}, "81/tcp": {}}
    assert merged.WorkingDir == "/y"
    assert program(merged) == ("/entry", ("other",))


def test_an_own_entrypoint_drops_the_images_command() -> None:
    assert program(merge(ContainerConfig(Entrypoint=["/own"]), IMAGE)) == ("/own", ())


def test_an_empty_entrypoint_takes_the_images_away() -> None:
    assert program(merge(ContainerConfig(Entrypoint=[""], Cmd=["ls", "-l"]), IMAGE)) == ("ls", ("-l",))
    with pytest.raises(InvalidParameter, match="no command specified"):
        merge(ContainerConfig(Entrypoint=[""]), IMAGE)


def test_no_command_anywhere_is_refused() -> None:
    with pytest.raises(InvalidParameter, match="no command specified"):
        merge(ContainerConfig(), None)


def test_a_bare_name_takes_a_variable_away() -> None:
    assert replace_variables(["A=1", "B=2"], ["A", "B=3", "C=4"]) == ["B=3", "C=4"]


def test_dockers_defaults_are_filled_in() -> None:
    asked = HostConfig(Memory=64 << 20)
    defaults.adapt(asked, HOST, SETTINGS)
    assert (asked.MemorySwap, asked.ShmSize, asked.IpcMode, asked.CgroupnsMode) == (
        128 << 20,
        64 << 20,
        "private",
        "host",
    )
    assert (asked.RestartPolicy.Name, asked.LogConfig.Type, asked.NetworkMode) == ("no", "json-file", "bridge")
    assert asked.MaskedPaths
    assert len(asked.MaskedPaths) == 14


def test_unmasked_paths_and_privileged_containers_stay_unmasked() -> None:
    bare, privileged = HostConfig(MaskedPaths=[], ReadonlyPaths=[]), HostConfig(Privileged=True)
    for asked in (bare, privileged):
        defaults.adapt(asked, HOST, SETTINGS)
    assert (bare.MaskedPaths, bare.ReadonlyPaths, privileged.MaskedPaths) == ([], [], None)
