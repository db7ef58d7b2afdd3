"""Devices of a container: the nodes to make and the rules of who may use what; pure.

Source: moby `daemon/pkg/oci/devices_linux.go` and `defaults.go`.
"""

import re

from pier.engine.oci.facts import ContainerFacts, DeviceNode
from pier.spec.containers import DeviceMapping
from pier.spec.errors import InvalidParameter
from pier.spec.runtime_resources import DeviceRule, LinuxDevice

# what Docker writes into every configuration: nothing but the harmless ones, and never FUSE
DEFAULT_RULES = (
    DeviceRule(allow=False, access="rwm"),
    *(
        DeviceRule(allow=True, type="c", major=major, minor=minor, access="rwm")
        for major, minor in ((1, 5), (1, 3), (1, 9), (1, 8), (5, 0), (5, 1))
    ),
    DeviceRule(allow=False, type="c", major=10, minor=229, access="rwm"),
)
_EVERYTHING = (DeviceRule(allow=True, access="rwm"),)
_RULE = re.compile(r"([acb]) ([0-9]{1,10}|\*):([0-9]{1,10}|\*) ([rwm]{1,3})", re.ASCII)
_MAXIMUM = 2**32 - 1


def devices(facts: ContainerFacts) -> tuple[tuple[LinuxDevice, ...], tuple[DeviceRule, ...]]:
    """Nodes to make, and rules in the order in which they apply."""
    mappings = facts.host_config.Devices or ()
    if facts.host_config.Privileged:
        nodes = [_node(device, device.path) for device in facts.host_devices]
        for mapping in mappings:
            if mapping.PathOnHost != mapping.PathInContainer:
                nodes += [node for node, _ in _mapped(mapping, facts)]
        return tuple(nodes), _EVERYTHING
    pairs = [pair for mapping in mappings for pair in _mapped(mapping, facts)]
    rules = [*DEFAULT_RULES, *(rule for _, rule in pairs)]
    rules += [parse_rule(text) for text in facts.host_config.DeviceCgroupRules or ()]
    return tuple(node for node, _ in pairs), tuple(rules)


def parse_rule(text: str) -> DeviceRule:
    """One `--device-cgroup-rule`. InvalidParameter in Docker's words."""
    match = _RULE.fullmatch(text)
    if match is None:
        raise InvalidParameter(f"invalid device cgroup rule format: '{text}'")
    kind, major, minor, access = match.groups()
    return DeviceRule(
        allow=True, type=kind, major=_device_number(major, text), minor=_device_number(minor, text), access=access
    )


def _device_number(text: str, rule: str) -> int | None:
    if text == "*":
        return None
    if int(text) > _MAXIMUM:
        raise InvalidParameter(f"invalid device cgroup rule format: '{rule}'")
    return int(text)


def check_mapping(mapping: DeviceMapping) -> None:
    """InvalidParameter for permissions that are no letters of `rwm`, or a relative path in the container."""
    if mapping.CgroupPermissions and not set(mapping.CgroupPermissions) <= set("rwm"):
        raise InvalidParameter(f"invalid device mode: {mapping.CgroupPermissions}")
    if not mapping.PathOnHost.startswith("/"):
        raise InvalidParameter(f"'{mapping.PathOnHost}' is not an absolute path")
    if mapping.PathInContainer and not mapping.PathInContainer.startswith("/"):
        raise InvalidParameter(f"'{mapping.PathInContainer}' is not an absolute path")


def _mapped(mapping: DeviceMapping, facts: ContainerFacts) -> list[tuple[LinuxDevice, DeviceRule]]:
    """One mapping's nodes with their rules; a directory brings all devices below it."""
    found = facts.devices.get(mapping.PathOnHost, ())
    if not found:
        raise InvalidParameter(
            f'error gathering device information while adding custom device "{mapping.PathOnHost}": '
            "no such file or directory"
        )
    inside = mapping.PathInContainer or mapping.PathOnHost
    pairs = []
    for device in found:
        below = device.path.removeprefix(mapping.PathOnHost) if device.path.startswith(f"{mapping.PathOnHost}/") else ""
        path = inside + below
        access = mapping.CgroupPermissions or "rwm"
        rule = DeviceRule(allow=True, type=device.type, major=device.major, minor=device.minor, access=access)
        pairs.append((_node(device, path), rule))
    return pairs


def _node(device: DeviceNode, path: str) -> LinuxDevice:
    return LinuxDevice(
        path=path,
        type=device.type,
        major=device.major,
        minor=device.minor,
        file_mode=device.mode,
        uid=device.uid,
        gid=device.gid,
    )
