"""A create that cannot be is refused with Docker's words and kind; what the host lacks is discarded with a warning."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pier.engine.oci.validate import validate
from pier.runtime.facts import HostFacts
from pier.spec.containers import (
    CreateRequest,
    DeviceMapping,
    DeviceRequest,
    EndpointSettings,
    HealthConfig,
    HostConfig,
    LogConfig,
    Mount,
    NetworkingConfig,
    PortBinding,
    RestartPolicy,
    TmpfsOptions,
    Ulimit,
    VolumeOptions,
)
from pier.spec.endpoints import EndpointIPAMConfig
from pier.spec.errors import InvalidParameter, NotFound, NotSupported, PierError
from tests.engine.oci.facts import HOST, SETTINGS


def check(host: HostFacts = HOST, /, **fields: Any) -> list[str]:
    """Validate a create; fields of HostConfig and of the container's own configuration alike."""
    own = {name: value for name, value in fields.items() if name in CreateRequest.__struct_fields__}
    asked = HostConfig(**{name: value for name, value in fields.items() if name not in own})
    return validate(CreateRequest(**({"Image": "x", "HostConfig": asked} | own)), host, SETTINGS)


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"Memory": 1}, "Minimum memory limit allowed is 6MB"),
    ({"Memory": -5}, "Minimum memory limit allowed is 6MB"),
    (
        {"Memory": 8 << 20, "MemorySwap": 7 << 20},
        "Minimum memoryswap limit should be larger than memory limit, see usage",
    ),
    ({"MemorySwap": 8 << 20}, "You should always set the Memory limit when using Memoryswap limit, see usage"),
    ({"MemorySwappiness": 101}, "Invalid value: 101, valid memory swappiness range is 0-100"),
    ({"MemoryReservation": 5}, "Minimum memory reservation allowed is 6MB"),
    (
        {"Memory": 7 << 20, "MemoryReservation": 8 << 20},
        "Minimum memory limit can not be less than memory reservation limit, see usage",
    ),
    ({"NanoCpus": 5 * 10**9}, "Range of CPUs is from 0.01 to 2.00, as there are only 2 CPUs available"),
    ({"NanoCpus": -1}, "Range of CPUs is from 0.01 to 2.00, as there are only 2 CPUs available"),
    ({"NanoCpus": 10**9, "CpuPeriod": 10**5}, "Conflicting options: Nano CPUs and CPU Period cannot both be set"),
    ({"NanoCpus": 10**9, "CpuQuota": 10**5}, "Conflicting options: Nano CPUs and CPU Quota cannot both be set"),
    ({"CpuShares": -1}, "invalid CPU shares (-1): value must be a positive integer"),
    ({"CpuPeriod": 5}, "CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)"),
    ({"CpuQuota": 5}, "CPU cfs quota can not be less than 1ms (i.e. 1000)"),
    (
        {"CpuRealtimeRuntime": 200, "CpuRealtimePeriod": 100},
        "cpu real-time runtime cannot be higher than cpu real-time period",
    ),
    ({"CpusetCpus": "9"}, "Requested CPUs are not available - requested 9, available: 0-1"),
    ({"CpusetCpus": "a"}, "Invalid value a for cpuset cpus: invalid format: a"),
    ({"CpusetCpus": "1-0"}, "Invalid value 1-0 for cpuset cpus: invalid format: 1-0"),
    ({"CpusetMems": "9"}, "Requested memory nodes are not available - requested 9, available: 0"),
    ({"BlkioWeight": 5}, "Range of blkio weight is from 10 to 1000"),
    ({"IOMaximumIOps": 5}, "Invalid QoS settings: linux does not support Maximum IO Bandwidth or Maximum IO IOps"),
    ({"IpcMode": "foo"}, "invalid IPC mode: foo"),
    ({"PidMode": "container:"}, "invalid PID mode: container:"),
    ({"UTSMode": "foo"}, "invalid UTS mode: foo"),
    ({"UsernsMode": "foo"}, "invalid userns mode: foo"),
    ({"CgroupnsMode": "foo"}, "invalid cgroup namespace mode: foo"),
    ({"ShmSize": -1}, "SHM size can not be less than 0"),
    ({"OomScoreAdj": 1001}, "Invalid value 1001, range for oom score adj is [-1000, 1000]"),
    ({"Runtime": "nope"}, "unknown or invalid runtime name: nope"),
    ({"Isolation": "hyperv"}, "Invalid isolation: \"hyperv\" - linux only supports 'default'"),
    (
        {"RestartPolicy": RestartPolicy("foo")},
        "invalid restart policy: unknown policy 'foo'; use one of 'no', 'always', 'on-failure', or 'unless-stopped'",
    ),
    (
        {"RestartPolicy": RestartPolicy("always", 3)},
        "invalid restart policy: maximum retry count can only be used with 'on-failure'",
    ),
    (
        {"RestartPolicy": RestartPolicy("on-failure", -3)},
        "invalid restart policy: maximum retry count cannot be negative",
    ),
    (
        {"RestartPolicy": RestartPolicy("always"), "AutoRemove": True},
        "can't create 'AutoRemove' container with restart policy",
    ),
    ({"PortBindings": {"80/tcp": [PortBinding("", "99999")]}}, 'invalid port specification: "99999"'),
    ({"PortBindings": {"abc/tcp": [PortBinding("", "1")]}}, 'invalid port specification: "abc"'),
    ({"PortBindings": {"80/tcp": [PortBinding("", "90-80")]}}, 'invalid port specification: "90-80"'),
    ({"PortBindings": {"80/foo": [PortBinding("", "1")]}}, 'invalid port specification: "80/foo"'),
    ({"NetworkMode": "container:"}, "Invalid network mode: invalid container format container:<name|id>"),
    ({"Hostname": "x", "UTSMode": "host"}, "conflicting options: hostname and the UTS mode"),
    ({"Hostname": "x", "NetworkMode": "container:a"}, "conflicting options: hostname and the network mode"),
    ({"NetworkMode": "container:a", "Dns": ["1.1.1.1"]}, "conflicting options: dns and the network mode"),
    (
        {"NetworkMode": "container:a", "ExtraHosts": ["a:1.1.1.1"]},
        "conflicting options: custom host-to-IP mapping and the network mode",
    ),
    (
        {"NetworkMode": "container:a", "PublishAllPorts": True},
        "conflicting options: port publishing and the container type network mode",
    ),
    (
        {"NetworkMode": "container:a", "ExposedPorts": {"80/tcp": {}}},
        "conflicting options: port exposing and the container type network mode",
    ),
    (
        {"NetworkMode": "host", "MacAddress": "02:42:ac:11:00:02"},
        "conflicting options: mac-address and the network mode",
    ),
    ({"MacAddress": "zz"}, "invalid MAC address: zz"),
    ({"Hostname": "a b"}, "invalid hostname format: a b"),
    ({"Hostname": "a" * 65}, f"invalid hostname format: {'a' * 65}"),
    ({"WorkingDir": "rel"}, "the working directory 'rel' is invalid, it needs to be an absolute path"),
    ({"StopSignal": "FOO"}, "Invalid signal: FOO"),
    ({"Env": ["=x"]}, "invalid environment variable: =x"),
    ({"Env": [""]}, "invalid environment variable: "),
    ({"Healthcheck": HealthConfig(Interval=5)}, "Interval in Healthcheck cannot be less than 1ms"),
    ({"Healthcheck": HealthConfig(Retries=-1)}, "Retries in Healthcheck cannot be negative"),
    ({"SecurityOpt": ["foo"]}, 'invalid --security-opt 1: "foo"'),
    ({"SecurityOpt": ["foo=bar"]}, 'invalid --security-opt 2: "foo=bar"'),
    ({"SecurityOpt": ["no-new-privileges:maybe"]}, 'invalid --security-opt 2: "no-new-privileges:maybe"'),
    ({"CapAdd": ["FOO"]}, 'invalid CapAdd: unknown capability: "CAP_FOO"'),
    ({"CapDrop": ["FOO"]}, 'invalid CapDrop: unknown capability: "CAP_FOO"'),
    ({"Sysctls": {"kernel.foo": "1"}}, 'sysctl "kernel.foo" is not in a separate kernel namespace'),
    ({"Ulimits": [Ulimit("foo", 1, 1)]}, "invalid ulimit type: foo"),
    (
        {"Ulimits": [Ulimit("nofile", 1, 5)]},
        "ulimit soft limit must be less than or equal to hard limit: 5 > 1",
    ),
    ({"Devices": [DeviceMapping("/dev/null", "/dev/x", "rwx")]}, "invalid device mode: rwx"),
    ({"DeviceCgroupRules": ["foo"]}, "invalid device cgroup rule format: 'foo'"),
    (
        {"DeviceRequests": [DeviceRequest(Count=-1, Capabilities=[["gpu"]])]},
        'could not select device driver "" with capabilities: [[gpu]]',
    ),
    (
        {"StorageOpt": {"size": "1G"}},
        "--storage-opt is supported only for overlay over xfs with 'pquota' mount option",
    ),
    ({"LogConfig": LogConfig("nope")}, 'error looking up logging plugin nope: plugin "nope" not found'),
    ({"LogConfig": LogConfig("json-file", {"foo": "1"})}, "unknown log opt 'foo' for json-file log driver"),
    ({"LogConfig": LogConfig("json-file", {"max-file": "0"})}, "max-file cannot be less than 1"),
    ({"ExtraHosts": ["foo"]}, 'bad format for add-host: "foo"'),
    ({"ExtraHosts": ["a:b"]}, 'invalid IP address in add-host: "b"'),
    ({"Annotations": {"": "x"}}, "invalid Annotations: the empty string is not permitted as an annotation key"),
    ({"Tmpfs": {"rel": ""}}, "invalid mount path: 'rel' mount path must be absolute"),
    ({"Tmpfs": {"/": ""}}, "invalid specification: destination can't be '/'"),
    ({"Mounts": [Mount(Type="foo", Target="/x")]}, 'invalid mount config for type "foo": mount type unknown'),
    (
        {"Mounts": [Mount(Type="bind", Target="/x")]},
        'invalid mount config for type "bind": field Source must not be empty',
    ),
    (
        {"Mounts": [Mount(Type="bind", Source="rel", Target="/x")]},
        "invalid mount config for type \"bind\": invalid mount path: 'rel' mount path must be absolute",
    ),
    (
        {"Mounts": [Mount(Type="bind", Source="/a", Target="")]},
        'invalid mount config for type "bind": field Target must not be empty',
    ),
    (
        {"Mounts": [Mount(Type="bind", Source="/a", Target="/")]},
        "invalid mount config for type \"bind\": invalid specification: destination can't be '/'",
    ),
    (
        {"Mounts": [Mount(Type="bind", Source="/a", Target="/x", VolumeOptions=VolumeOptions())]},
        'invalid mount config for type "bind": field VolumeOptions must not be specified',
    ),
    (
        {"Mounts": [Mount(Type="volume", ReadOnly=True, Target="/x")]},
        'invalid mount config for type "volume": must not set ReadOnly mode when using anonymous volumes',
    ),
    (
        {"Mounts": [Mount(Type="tmpfs", Source="y", Target="/x")]},
        'invalid mount config for type "tmpfs": field Source must not be specified',
    ),
    (
        {"NetworkingConfig": NetworkingConfig({"a": EndpointSettings(IPAMConfig=EndpointIPAMConfig("x"))})},
        "invalid IPv4 address: x",
    ),
    ({"NetworkingConfig": NetworkingConfig({"a": None})}, "no EndpointSettings for a"),
]


@pytest.mark.parametrize(("fields", "text"), REFUSED, ids=[text[:40] for _, text in REFUSED])
def test_bad_input_is_refused_in_dockers_words(fields: dict[str, Any], text: str) -> None:
    with pytest.raises(InvalidParameter) as raised:
        check(**fields)
    assert raised.value.message == text


def endpoint(**settings: Any) -> NetworkingConfig:
    return NetworkingConfig({"n": EndpointSettings(**settings)})


@pytest.mark.parametrize(
    ("fields", "kind", "text"),
    [
        ({"CpuCount": 5}, NotSupported, "HostConfig.CpuCount is not supported"),
        ({"Cgroup": "container:x"}, NotSupported, "HostConfig.Cgroup is not supported"),
        ({"Links": ["a:b"]}, NotSupported, "HostConfig.Links is not supported"),
        ({"ArgsEscaped": True}, NotSupported, "ArgsEscaped is not supported"),
        ({"Mounts": [Mount(Type="image", Source="x", Target="/x")]}, NotSupported, "mounts of images"),
        (
            {"Mounts": [Mount(Type="volume", Source="x", Target="/x", VolumeOptions=VolumeOptions(Subpath="a"))]},
            NotSupported,
            "subpath",
        ),
        ({"VolumeDriver": "nope"}, NotFound, 'plugin "nope" not found'),
        ({"SecurityOpt": ["apparmor=foo"]}, InvalidParameter, "AppArmor is not enabled on this host"),
        ({"SecurityOpt": ["label=level:s0"]}, InvalidParameter, "SELinux labels are not supported"),
        ({"SecurityOpt": ["seccomp=nojson"]}, InvalidParameter, "Decoding seccomp profile failed"),
        ({"CapAdd": ["SYS_RESOURCE"]}, InvalidParameter, "not available in the current environment"),
        ({"Ulimits": [Ulimit("nofile", 5000, 5)]}, InvalidParameter, "raising it needs CAP_SYS_RESOURCE"),
        (
            {"Mounts": [Mount(Type="tmpfs", Target="/x", TmpfsOptions=TmpfsOptions(SizeBytes=-1))]},
            InvalidParameter,
            "cannot be negative",
        ),
        ({"CgroupParent": "../x"}, NotSupported, "HostConfig.CgroupParent is not supported"),
        ({"Dns": ["x"]}, InvalidParameter, "bad nameserver address x"),
        ({"DnsSearch": ["a b"]}, InvalidParameter, "invalid DnsSearch entry"),
        ({"Env": ["A=\0"]}, InvalidParameter, "can't contain null"),
        ({"Image": "", "HostConfig": None}, InvalidParameter, "config cannot be empty"),
        ({"Runtime": "kata"}, InvalidParameter, "unknown or invalid runtime name: kata"),
        ({"Runtime": "io.containerd.runc.v2"}, InvalidParameter, "unknown or invalid runtime name: io.containerd"),
        ({"LogConfig": LogConfig("json-file", {"tag": "x"})}, NotSupported, "log opt 'tag'"),
        ({"LogConfig": LogConfig("", {"compress": "true"})}, NotSupported, "log opt 'compress'"),
        ({"NetworkingConfig": endpoint(Aliases=["a 1.2.3.4\nb"])}, InvalidParameter, "invalid alias for network n"),
        ({"NetworkingConfig": endpoint(Links=["a:b"])}, NotSupported, "Links of network n"),
        ({"NetworkingConfig": endpoint(DriverOpts={"x": "y"})}, NotSupported, "driver option x of network n"),
        (
            {"NetworkingConfig": endpoint(IPAMConfig=EndpointIPAMConfig(IPv6Address="fd00::1"))},
            NotSupported,
            "IPAMConfig.IPv6Address of network n",
        ),
    ],
)
def test_what_pier_refuses_beyond_docker_is_named(fields: dict[str, Any], kind: type[PierError], text: str) -> None:
    with pytest.raises(kind) as raised:
        check(**fields)
    assert text in raised.value.message


def test_ordinary_requests_pass_without_warnings() -> None:
    assert check() == []
    assert check(Memory=64 << 20, NanoCpus=10**9, CpusetCpus="0,1", PidsLimit=-7, MemorySwap=-1, CpuQuota=-5) == []
    assert check(ExtraHosts=["a:1.2.3.4", "b:::1", "c:host-gateway", "d=[::1]"], Dns=["::1"]) == []
    assert check(PortBindings={"80": [PortBinding("127.0.0.1", "8000-8010")]}, CapAdd=["ALL"]) == []


def test_warnings_are_dockers() -> None:
    assert check(OomKillDisable=True) == [
        (
            "OOM killer is disabled for the container, but no memory limit is set, "
            "this can result in the system running out of resources."
        )
    ]
    assert check(NetworkMode="host", PortBindings={"80/tcp": [PortBinding("", "1")]}) == [
        "Published ports are discarded when using host network mode"
    ]


def test_what_the_host_lacks_is_discarded_with_a_warning() -> None:
    poor = replace(HOST, controllers=frozenset({"memory", "cpu", "cpuset"}))
    asked = HostConfig(Memory=64 << 20, BlkioWeight=500, PidsLimit=5, OomKillDisable=True, MemorySwappiness=5)
    warnings = validate(CreateRequest(Image="x", HostConfig=asked), poor, SETTINGS)
    assert len(warnings) == 5
    assert all("Your kernel does not support" in warning for warning in warnings)
    assert (asked.BlkioWeight, asked.PidsLimit, asked.MemorySwap, asked.MemorySwappiness) == (0, None, -1, None)


TEXTS = st.text(max_size=6) | st.sampled_from(["host", "container:", "a:b", "0-1", "1.2.3.4", "/x"])


@given(
    st.fixed_dictionaries(
        {},
        optional={
            **dict.fromkeys(("NetworkMode", "IpcMode", "PidMode", "CpusetCpus", "CpusetMems"), TEXTS),
            **dict.fromkeys(("Dns", "ExtraHosts", "SecurityOpt", "CapAdd", "DeviceCgroupRules"), st.lists(TEXTS)),
            **dict.fromkeys(("Memory", "MemorySwap", "NanoCpus", "CpuPeriod", "ShmSize"), st.integers(-10, 10**12)),
            **dict.fromkeys(("Tmpfs", "Sysctls"), st.dictionaries(TEXTS, TEXTS)),
            **dict.fromkeys(("Hostname", "WorkingDir", "StopSignal", "MacAddress"), TEXTS),
            "Env": st.lists(TEXTS),
        },
    )
)
def test_any_request_passes_or_is_refused(fields: dict[str, Any]) -> None:
    try:
        assert isinstance(check(**fields), list)
    except PierError as error:
        assert error.message.strip()  # noqa: PT017
