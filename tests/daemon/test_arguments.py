"""The command line of the daemon: pflag's forms and texts, and flags that are refused by name."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pier.daemon import arguments, flags, refusals
from pier.daemon.flags import Kind
from pier.spec.errors import InvalidParameter, NotSupported, PierError


def test_all_forms_of_a_flag_are_read() -> None:
    forms = (["-H", "unix:///a"], ["-Hunix:///a"], ["-H=unix:///a"], ["--host", "unix:///a"], ["--host=unix:///a"])
    assert [arguments.parse(form) for form in forms] == [{"host": ["unix:///a"]}] * 5


def test_switches_go_into_one_word_and_take_values_only_with_an_equals_sign() -> None:
    assert arguments.parse(["-Dv"]) == {"debug": True, "version": True}
    assert arguments.parse(["--debug=false", "--init=1"]) == {"debug": False, "init": True}


def test_lists_and_maps_gather() -> None:
    words = ["--dns", "1.1.1.1", "--dns=8.8.8.8", "--log-opt", "max-size=1m", "--log-opt", "max-file=3"]
    assert arguments.parse(words) == {
        "dns": ["1.1.1.1", "8.8.8.8"],
        "log-opt": {"max-size": "1m", "max-file": "3"},
    }


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--no-such"], "unknown flag: --no-such"),
        (["-z"], "unknown shorthand flag: 'z' in -z"),
        (["--bip"], "flag needs an argument: --bip"),
        (["-H"], "flag needs an argument: 'H' in -H"),
        (["extra"], '"pierd" accepts no arguments: extra'),
        (["--", "extra"], '"pierd" accepts no arguments: extra'),
        (
            ["--debug=maybe"],
            'invalid argument "maybe" for "-D, --debug" flag: strconv.ParseBool: parsing "maybe": invalid syntax',
        ),
        (
            ["--shutdown-timeout", "soon"],
            'invalid argument "soon" for "--shutdown-timeout" flag: strconv.ParseInt: parsing "soon": invalid syntax',
        ),
        (
            ["--default-shm-size", "much"],
            'invalid argument "much" for "--default-shm-size" flag: invalid size: \'much\'',
        ),
    ],
)
def test_bad_words_get_pflags_texts(words: list[str], message: str) -> None:
    with pytest.raises(InvalidParameter) as caught:
        arguments.parse(words)
    assert caught.value.message == message


@pytest.mark.parametrize("refusal", refusals.REFUSALS, ids=lambda refusal: refusal.name)
def test_a_flag_that_pier_has_not_is_refused_by_its_name(refusal: refusals.Refusal) -> None:
    value = "" if refusal.kind is Kind.BOOL else "=x"
    value = "=false" if "true" in refusal.already else value
    with pytest.raises(NotSupported) as caught:
        arguments.parse([f"--{refusal.name}{value}"])
    assert caught.value.message.startswith(f"--{refusal.name} is not supported: ")
    for harmless in refusal.already:
        assert arguments.parse([f"--{refusal.name}={harmless}"]) == {}


# dockerd's documented flags, of its `--help` in the 29 series; those of code only and of Windows follow.
_DOCKERD = """
add-runtime allow-direct-routing authorization-plugin bip bip6 bridge bridge-accept-fwmark cdi-spec-dir cgroup-parent
config-file containerd containerd-namespace containerd-plugins-namespace cpu-rt-period cpu-rt-runtime cri-containerd
data-root debug default-address-pool default-cgroupns-mode default-gateway default-gateway-v6 default-ipc-mode
default-network-opt default-runtime default-shm-size default-ulimit dns dns-opt dns-search exec-opt exec-root
experimental feature firewall-backend fixed-cidr fixed-cidr-v6 group help host host-gateway-ip http-proxy https-proxy
icc init init-path insecure-registry ip ip-forward ip-forward-no-drop ip-masq ip6tables iptables ipv6 label
live-restore log-driver log-format log-level log-opt max-concurrent-downloads max-concurrent-uploads
max-download-attempts metrics-addr mtu network-control-plane-mtu no-new-privileges no-proxy node-generic-resource
pidfile raw-logs registry-mirror rootless seccomp-profile selinux-enabled shutdown-timeout storage-driver storage-opt
swarm-default-advertise-addr tls tlscacert tlscert tlskey tlsverify userland-proxy userland-proxy-path userns-remap
validate version default-stop-timeout nri-opts network-diagnostic-port restart
"""


@pytest.mark.parametrize("name", _DOCKERD.split())
def test_every_flag_of_dockerd_is_known(name: str) -> None:
    assert (name in flags.BY_NAME) != (name in refusals.BY_NAME)


def test_short_names_are_dockerds() -> None:
    assert set(flags.BY_SHORT) | set(refusals.BY_SHORT) == set("bDGHhlpsv")


def test_usage_lists_every_flag() -> None:
    text = flags.usage()
    assert all(f"--{flag.name}" in text for flag in flags.FLAGS)


@pytest.mark.parametrize(
    ("text", "size"), [("64m", 64 << 20), ("1.5g", 3 << 29), ("1024", 1024), ("64MiB", 64 << 20), ("2KB", 2048)]
)
def test_sizes_are_read_as_go_units_reads_them(text: str, size: int) -> None:
    assert arguments.size(text) == size


NAMES = [f"--{flag.name}" for flag in flags.FLAGS] + [f"-{flag.short}" for flag in flags.FLAGS if flag.short]


@given(
    st.lists(
        st.one_of(
            st.sampled_from(NAMES),
            st.text(max_size=12),
            st.builds("{}={}".format, st.sampled_from(NAMES), st.text(max_size=8)),
        ),
        max_size=5,
    )
)
def test_any_command_line_is_values_or_an_error_of_ours(words: list[str]) -> None:
    try:
        arguments.parse(words)
    except PierError:
        pass
