"""Capability names, masks and the calls that set them."""

import os

import pytest

from pier.kernel import capabilities
from pier.kernel.capabilities import NAMES, NUMBER, mask, names


def test_names_stand_at_their_numbers() -> None:
    assert (NUMBER["CAP_CHOWN"], NUMBER["CAP_SYS_ADMIN"], NUMBER["CAP_CHECKPOINT_RESTORE"]) == (0, 21, 40)
    assert len(set(NAMES)) == 41


def test_masks_round_trip() -> None:
    chosen = ("CAP_CHOWN", "CAP_SYS_ADMIN", "CAP_BPF")
    assert names(mask(chosen)) == ("CAP_CHOWN", "CAP_SYS_ADMIN", "CAP_BPF")
    with pytest.raises(KeyError):
        mask(("CAP_NONE",))


def test_the_bounding_set_is_what_the_kernel_shows() -> None:
    with open("/proc/self/status") as status:
        shown = next(int(line.split()[1], 16) for line in status if line.startswith("CapBnd:"))
    assert mask(capabilities.bounding_set()) == shown & mask(NAMES)


@pytest.mark.root
def test_a_child_gives_capabilities_up_for_good() -> None:
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        keep = mask(("CAP_CHOWN", "CAP_SETPCAP"))
        capabilities.drop_bounding(keep, capabilities.last_capability())
        capabilities.set_capabilities(keep, keep, 0)
        with open("/proc/self/status", "rb") as status:
            os.write(writer, status.read())
        os._exit(0)
    os.close(writer)
    with open(reader) as status:
        shown = dict(line.rstrip("\n").split(":\t", 1) for line in status if line.startswith("Cap"))
    os.waitpid(child, 0)
    expected = f"{mask(('CAP_CHOWN', 'CAP_SETPCAP')):016x}"
    assert shown == {
        "CapInh": "0" * 16,
        "CapPrm": expected,
        "CapEff": expected,
        "CapBnd": expected,
        "CapAmb": "0" * 16,
    }
