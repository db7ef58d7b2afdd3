"""daemon.json and its marriage with the command line: dockerd's rules and texts."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pier.daemon import configuration, settings
from pier.daemon.settings import Settings
from pier.spec.errors import InvalidParameter, NotSupported, PierError


def load(path: Path, document: object, *words: str) -> Settings:
    path.write_text(document if isinstance(document, str) else json.dumps(document))
    return configuration.load(["--config-file", str(path), *words])


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "daemon.json"


def test_the_file_says_what_flags_say(file: Path) -> None:
    document = {
        "debug": True,
        "hosts": ["unix:///tmp/a.sock"],
        "data-root": "/srv/pier",
        "bip": "10.9.8.1/24",
        "registry-mirrors": ["https://mirror.example"],
        "insecure-registries": ["reg.example:5000", "10.0.0.0/8"],
        "labels": ["rack=7"],
        "log-opts": {"max-size": "10m"},
        "default-ulimits": {"nofile": {"Name": "nofile", "Soft": 1024, "Hard": 2048}},
        "default-shm-size": "128m",
        "max-concurrent-downloads": 7,
        "live-restore": True,
        "iptables": False,
        "exec-opts": ["native.cgroupdriver=cgroupfs"],
    }
    flags = [
        "-D", "-H", "unix:///tmp/a.sock", "--data-root=/srv/pier", "--bip=10.9.8.1/24", "--label=rack=7",
        "--registry-mirror=https://mirror.example", "--insecure-registry=reg.example:5000",
        "--insecure-registry=10.0.0.0/8", "--log-opt=max-size=10m", "--default-ulimit=nofile=1024:2048",
        "--default-shm-size=128m", "--max-concurrent-downloads=7", "--live-restore", "--iptables=false",
        "--exec-opt=native.cgroupdriver=cgroupfs",
    ]  # fmt: skip
    assert load(file, document) == load(file, "", *flags)


def test_an_empty_file_is_the_defaults(file: Path) -> None:
    assert load(file, "") == load(file, "{}") == Settings(config_file=file)


def test_a_missing_file_matters_only_when_it_is_named(file: Path) -> None:
    with pytest.raises(InvalidParameter, match=f"open {file}: no such file or directory"):
        configuration.load(["--config-file", str(file)])
    assert configuration.read(file, required=False) is None


def test_a_directive_given_twice_is_refused(file: Path) -> None:
    with pytest.raises(InvalidParameter) as caught:
        load(file, {"debug": False}, "--debug")
    assert caught.value.message == (
        f"unable to configure the Docker daemon with file {file}: the following directives are specified both as a "
        "flag and in the configuration file: debug: (from flag: true, from file: false)"
    )


def test_an_unknown_directive_is_named(file: Path) -> None:
    with pytest.raises(InvalidParameter, match="the following directives don't match any configuration option: colour"):
        load(file, {"colour": "blue"})


def test_a_directive_that_pier_has_not_is_refused_by_name(file: Path) -> None:
    with pytest.raises(NotSupported, match="selinux-enabled is not supported: "):
        load(file, {"selinux-enabled": True})
    with pytest.raises(NotSupported, match="runtime kata: runtimeType is not supported: "):
        load(file, {"runtimes": {"kata": {"runtimeType": "io.containerd.kata.v2"}}})


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ("{", "unable to configure"),
        ("[]", "unable to configure"),
        ({"debug": "yes"}, "debug: cannot unmarshal string into a value of type bool"),
        ({"bip": 1}, "bip: cannot unmarshal number into a value of type string"),
        ({"dns": "1.1.1.1"}, "dns: cannot unmarshal string into a value of type list"),
        ({"dns": [1]}, "dns: cannot unmarshal array into a value of type list"),
        ({"shutdown-timeout": True}, "shutdown-timeout: cannot unmarshal bool into a value of type int"),
        ({"log-opts": {"a": 1}}, "log-opts: cannot unmarshal object into a value of type map"),
        ({"default-shm-size": "x"}, "default-shm-size: invalid size: 'x'"),
        ({"default-ulimits": {"nofile": 3}}, "default-ulimits: nofile needs"),
    ],
)
def test_a_malformed_file_is_one_clear_error(file: Path, document: object, words: str) -> None:
    with pytest.raises(InvalidParameter) as caught:
        load(file, document)
    assert words in caught.value.message


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--bip", "10.0.0.1"], "invalid --bip 10.0.0.1"),
        (["--bip", "here"], "invalid CIDR address: here"),
        (["--bip", "10.0.0.0/24"], "10.0.0.0 is no host's address"),
        (["--bip", "10.0.0.1/31"], "prefix of /30 or shorter"),
        (["--bip", "10.0.0.1/24", "-b", "br0"], "you specified -b & --bip"),
        (["-b", "a-name-much-too-long"], "invalid bridge name"),
        (["--dns", "ns.example"], "ns.example is not an ip address"),
        (["--dns-search", "a b"], "a b is not a valid domain"),
        (["--label", "rack"], "bad attribute format: rack"),
        (["--label", "rack=1", "--label", "rack=2"], "conflict labels for rack=2 and rack=1"),
        (["--registry-mirror", "mirror.example"], 'invalid mirror: "mirror.example"'),
        (["--insecure-registry", "-x"], "insecure registry -x is not valid"),
        (["--bridge", "none"], "--bridge none is not supported"),
        (["--log-level", "loud"], "invalid --log-level: loud"),
        (["--log-format", "xml"], "invalid --log-format: xml"),
        (["--log-driver", "syslog"], "invalid --log-driver: syslog"),
        (["--log-opt", "max-size=big"], "invalid value for max-size"),
        (["--log-opt", "size=1m"], "unknown log opt 'size'"),
        (["--default-ulimit", "nofile"], "invalid ulimit argument: nofile"),
        (["--default-ulimit", "nofile=9:1"], "ulimit soft limit must be less than or equal to hard limit: 9 > 1"),
        (["--default-ipc-mode", "host"], "invalid --default-ipc-mode: host"),
        (["--max-concurrent-downloads", "0"], "invalid max-concurrent-downloads: 0"),
        (["--mtu", "3"], "invalid --mtu: 3"),
    ],
)
def test_values_out_of_range_are_refused(file: Path, flags: list[str], words: str) -> None:
    with pytest.raises(InvalidParameter) as caught:
        load(file, "{}", *flags)
    assert words in caught.value.message


def test_a_reload_takes_what_docker_reloads_and_leaves_the_rest(file: Path) -> None:
    before = load(file, {"debug": False, "bip": "10.0.0.1/24", "labels": ["a=1"]})
    file.write_text(json.dumps({"debug": True, "bip": "10.7.7.1/24", "labels": ["a=2"], "shutdown-timeout": 3}))
    after, changes = configuration.reloaded(before, ["--config-file", str(file)])
    assert (after.debug, after.bip, after.labels, after.shutdown_timeout) == (True, "10.0.0.1/24", ("a=2",), 3)
    assert changes == {"debug": "True", "labels": "('a=2',)", "shutdown_timeout": "3"}


@given(st.binary(max_size=60))
def test_any_file_is_values_or_an_error_of_ours(document: bytes) -> None:
    try:
        settings.from_values(configuration.from_document(document, Path("/x/daemon.json")))
    except PierError:
        pass


JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=6)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=6), inner, max_size=3)),
    max_leaves=6,
)


@given(st.dictionaries(st.sampled_from(sorted(configuration.flags.BY_DIRECTIVE)), JSON, max_size=4))
def test_any_value_of_a_directive_is_taken_or_refused(document: dict[str, object]) -> None:
    try:
        settings.from_values(configuration.from_document(json.dumps(document).encode(), Path("/x/daemon.json")))
    except PierError:
        pass
