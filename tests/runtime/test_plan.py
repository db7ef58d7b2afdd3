"""config.json becomes a plan: which steps, in which order, and what is refused."""

import stat
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pier.kernel import mount as m
from pier.kernel import namespaces as ns
from pier.kernel.cgroup import Layout
from pier.runtime import filesystem as fs
from pier.runtime import identity, isolation, masks
from pier.runtime.config import Config, Process
from pier.runtime.detach import DetachKeys
from pier.runtime.failures import exec_failed, start_failed
from pier.runtime.namespace_plan import Given, Host
from pier.runtime.options import parse_options
from pier.runtime.plan import InitPlan, plan, plan_exec
from pier.runtime.steps import Failure, Step
from tests.runtime.bundles import bind, config

V1 = Layout({"memory": "/sys/fs/cgroup/memory", "cpu": "/sys/fs/cgroup/cpu,cpuacct"}, "/sys/fs/cgroup/unified", ())
V2 = Layout({}, "/sys/fs/cgroup", ("memory", "cpu"))


def planned(document: dict[str, Any], layout: Layout = V1, **changes: Any) -> InitPlan:
    """The plan of a document."""
    facts: Any = {
        "lowers": ["/low"], "upper": "/up", "work": "/work", "directory": "/run/c", "writes": [], "device_program": "",
        **changes.pop("facts", {}),
    }  # fmt: skip
    given_ = Given(facts, "/pier/c", netns=False, seccomp=False, tied=True)._replace(**changes)
    return plan(cast("Config", document), given_, Host(40, layout))


def kinds(steps: tuple[Step, ...]) -> list[type[Step]]:
    """The steps' classes."""
    return [type(step) for step in steps]


def test_the_order_is_runcs() -> None:
    document = config("true", rlimits=[{"type": "RLIMIT_NOFILE", "soft": 1, "hard": 2}])
    steps = planned(document)
    assert kinds(steps.before) == [isolation.CreateCgroup, isolation.WriteSelf]
    order = [kind for kind in kinds(steps.setup) if kind is not fs.DeviceNode]
    assert order.index(isolation.Fork) < order.index(isolation.NewNamespaces) < order.index(isolation.SlaveMounts)
    assert order.index(isolation.SlaveMounts) < order.index(fs.OverlayRoot) < order.index(fs.Filesystem)
    assert order.index(masks.ReadOnly) < order.index(masks.Mask) < order.index(fs.PivotRoot)
    assert order[-3:] == [fs.PivotRoot, identity.Session, identity.Rlimit]
    assert kinds(steps.finish) == [
        identity.BoundingSet, identity.User, identity.CapabilitySets, identity.WorkingDirectory, identity.Execute,
    ]  # fmt: skip


def test_a_filter_goes_first_without_no_new_privileges_and_last_with_it() -> None:
    early = planned(config("true"), seccomp=True).finish
    assert kinds(early)[0] is identity.SeccompFilter
    late = planned(config("true", noNewPrivileges=True), seccomp=True).finish
    assert kinds(late)[0] is identity.NoNewPrivileges
    assert identity.SeccompFilter not in kinds(late)
    assert cast("identity.Execute", late[-1]).late_filter is not None


def test_sources_are_taken_before_the_namespaces_change() -> None:
    document = config("true")
    document["mounts"].append(bind("/host", "/data", "ro", "rslave"))
    steps = planned(document).setup
    source = next(index for index, step in enumerate(steps) if isinstance(step, fs.BindSource))
    assert source < kinds(steps).index(isolation.Fork)
    attached = next(step for step in steps if isinstance(step, fs.Bind))
    assert attached.options.set == m.MOUNT_ATTR_RDONLY
    assert (attached.options.propagation, attached.options.propagation_tree) == (m.MS_SLAVE, True)


def test_namespaces_are_new_or_joined() -> None:
    document = config("true")
    document["linux"]["namespaces"] = [{"type": "pid"}, {"type": "mount"}, {"type": "ipc", "path": "/proc/7/ns/ipc"}]
    steps = planned(document, netns=True).setup
    assert isolation.JoinNetwork() in steps
    assert isolation.JoinNamespace("/proc/7/ns/ipc", ns.CLONE_NEWIPC) in steps
    assert isolation.Fork(ns.CLONE_NEWPID, "/sys/fs/cgroup/unified/pier/c") in steps
    assert isolation.NewNamespaces(ns.CLONE_NEWNS) in steps


def test_an_unknown_namespace_is_refused() -> None:
    document = config("true")
    document["linux"]["namespaces"].append({"type": "dreams"})
    with pytest.raises(Failure, match="dreams"):
        planned(document)


def test_the_hosts_dev_is_left_as_it_is() -> None:
    document = config("true")
    document["mounts"].append(bind("/dev", "/dev"))
    steps = kinds(planned(document).setup)
    assert fs.DeviceNode not in steps
    assert fs.Links not in steps


def test_devices_are_made_with_their_numbers() -> None:
    document = config("true")
    device = {"path": "/dev/fuse", "type": "c", "major": 10, "minor": 229, "fileMode": 0o600, "uid": 3, "gid": 4}
    document["linux"]["devices"] = [device]
    assert fs.DeviceNode("/dev/fuse", stat.S_IFCHR | 0o600, 10 << 8 | 229, 3, 4) in planned(document).setup
    document["linux"]["devices"] = [{**device, "type": "x"}]
    with pytest.raises(Failure, match="not a valid device type"):
        planned(document)


def test_the_view_of_groups_follows_the_host() -> None:
    document = config("true")
    trees = planned(document).setup[0]
    assert getattr(trees, "trees") == (  # noqa: B009
        ("memory", "/sys/fs/cgroup/memory/pier/c"),
        ("cpu,cpuacct", "/sys/fs/cgroup/cpu,cpuacct/pier/c"),
    )
    assert getattr(planned(document, V2).setup[0], "trees") == (("", "/sys/fs/cgroup/pier/c"),)  # noqa: B009


def test_init_is_put_before_the_program() -> None:
    steps = planned(config("prog", "arg"), facts={"init_binary": "/usr/bin/tini"})
    execute = cast("identity.Execute", steps.finish[-1])
    assert execute.arguments == (b"/sbin/docker-init", b"--", b"prog", b"arg")
    assert any(isinstance(step, fs.Bind) and step.destination == "/sbin/docker-init" for step in steps.setup)


def test_an_exec_joins_and_makes_nothing() -> None:
    process: Process = {"args": ["ls"], "env": ["A=1", "broken", "B="], "cwd": "/x"}
    steps = plan_exec(process, Given({}, "/pier/c", False, False, True), Host(40, V2))
    assert kinds(steps.before) == [isolation.EnterCgroup, isolation.JoinPids, isolation.Fork]
    assert kinds(steps.setup) == [isolation.JoinContainer, identity.Session]
    assert cast("identity.Execute", steps.finish[-1]).environment == ((b"A", b"1"), (b"B", b""))


def test_every_step_describes_itself() -> None:
    steps = planned(config("true", tty=True))
    for step in (*steps.before, *steps.setup, *steps.finish):
        assert step.describe().startswith(type(step).__name__)


@pytest.mark.parametrize(
    ("options", "set_", "clear"),
    [
        (["ro"], m.MOUNT_ATTR_RDONLY, 0),
        (["ro", "rw"], 0, m.MOUNT_ATTR_RDONLY),
        (["nosuid", "nodev"], m.MOUNT_ATTR_NOSUID | m.MOUNT_ATTR_NODEV, 0),
        (["noatime"], m.MOUNT_ATTR_NOATIME, m.MOUNT_ATTR__ATIME),
        (["defaults"], 0, 0),
    ],
)
def test_attributes_are_sorted_out(options: list[str], set_: int, clear: int) -> None:
    parsed = parse_options(options)
    assert (parsed.set, parsed.clear, parsed.data) == (set_, clear, ())


def test_what_is_no_attribute_is_data() -> None:
    parsed = parse_options(["size=64k", "mode=755", "newinstance", "rro", "rbind", "tmpcopyup"])
    assert parsed.data == (("size", "64k"), ("mode", "755"), ("newinstance", None))
    assert (parsed.set_tree, parsed.bind, parsed.recursive, parsed.copy_up) == (m.MOUNT_ATTR_RDONLY, True, True, True)


@given(st.lists(st.binary(min_size=1, max_size=4), max_size=20))
def test_detach_keys_lose_no_byte_that_is_not_theirs(pieces: list[bytes]) -> None:
    keys = DetachKeys(b"\x10\x11")
    text = b"".join(pieces)
    passed = b""
    for piece in pieces:
        part, found = keys.feed(piece)
        passed += part
        if found:
            assert text.startswith(passed + b"\x10\x11")
            return
    assert b"\x10\x11" not in text
    assert text in (passed, passed + b"\x10")


def test_failures_have_dockers_codes() -> None:
    assert start_failed('exec: "x": executable file not found in $PATH', "x").code == 127
    assert start_failed('exec: "/x": permission denied', "/x").code == 126
    assert start_failed("error mounting: not a directory", "x").message.endswith("is the expected type")
    assert start_failed("sethostname: invalid argument", "x").code == 128
    assert exec_failed('exec: "x": executable file not found in $PATH').code == 126
