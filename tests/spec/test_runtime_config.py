"""The OCI document has the specification's names and comes back as it went."""

import json

from pier.spec.oci_version import OCI_VERSION
from pier.spec.runtime_config import (
    IdMapping,
    Linux,
    Namespace,
    Process,
    Seccomp,
    Spec,
    Syscall,
    SyscallArgument,
    User,
    decode,
    encode,
)
from pier.spec.runtime_resources import BlockIO, LinuxResources, Memory, ThrottleDevice

SPEC = Spec(
    oci_version=OCI_VERSION,
    process=Process(cwd="/", args=("sh",), user=User(uid=0, gid=0, additional_gids=(0, 10)), no_new_privileges=True),
    linux=Linux(
        namespaces=(Namespace(type="network", path="/proc/1/ns/net"),),
        uid_mappings=(IdMapping(container_id=0, host_id=1000, size=1),),
        resources=LinuxResources(
            memory=Memory(limit=1, disable_oom_killer=False),
            block_io=BlockIO(throttle_read_iops_device=(ThrottleDevice(major=8, minor=0, rate=5),)),
        ),
        seccomp=Seccomp(
            default_action="SCMP_ACT_ERRNO",
            syscalls=(
                Syscall(names=("a",), action="SCMP_ACT_ALLOW", args=(SyscallArgument(index=0, value=0, op="x"),)),
            ),
        ),
        masked_paths=("/proc/kcore",),
    ),
)


def test_a_document_round_trips() -> None:
    assert decode(encode(SPEC)) == SPEC


def test_names_are_the_specifications() -> None:
    document = json.loads(encode(SPEC))
    assert document["ociVersion"] == OCI_VERSION
    assert document["process"]["user"] == {"uid": 0, "gid": 0, "additionalGids": [0, 10]}
    assert document["process"]["noNewPrivileges"] is True
    assert document["linux"]["uidMappings"] == [{"containerID": 0, "hostID": 1000, "size": 1}]
    assert document["linux"]["resources"]["memory"] == {"limit": 1, "disableOOMKiller": False}
    assert document["linux"]["resources"]["blockIO"]["throttleReadIOPSDevice"] == [{"major": 8, "minor": 0, "rate": 5}]
    assert document["linux"]["seccomp"]["syscalls"][0]["args"] == [{"index": 0, "value": 0, "op": "x"}]


def test_what_is_empty_is_left_out() -> None:
    assert set(json.loads(encode(Spec(oci_version="1")))) == {"ociVersion"}
