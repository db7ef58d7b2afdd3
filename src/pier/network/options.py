"""What the daemon's flags say of its networks, and what the default bridge becomes by them."""

from dataclasses import dataclass
from ipaddress import IPv4Interface
from pathlib import Path

from pier.kernel import links
from pier.kernel.netlink import Netlink
from pier.network import bridges
from pier.network.definitions import Definition
from pier.network.pools import DEFAULT_POOLS, AddressPool, free_subnet


@dataclass(frozen=True, slots=True)
class Options:
    """`bridge` names one of the user's own; empty: the engine's.

    `pool` counts the slots made ahead, `mtu` 0 asks the host, `ip` is the host's address for ports that name none,
    `pools` are where subnets come from that nobody names.
    """

    instance: str
    leases: Path
    bridge: str = ""
    bip: str = ""
    pool: int = 8
    default_root: bool = False
    mtu: int = 0
    icc: bool = True
    ip: str = ""
    pools: tuple[AddressPool, ...] = DEFAULT_POOLS

    @property
    def bridge_name(self) -> str:
        """The default network's link."""
        return self.bridge or ("pier0" if self.default_root else f"pier-{self.instance}"[:15])


def default_bridge(host: Netlink, options: Options, old: Definition | None, identity: tuple[str, str]) -> Definition:
    """Return the network `bridge`.

    Its subnet is that of `--bip`, else the link's own, else the last one or a free one.
    """
    name = options.bridge_name
    interface = _interface(host, options, old)
    made_before = old is not None and old.bridge == name and old.made
    return Definition(
        id=identity[0],
        name="bridge",
        driver="bridge",
        created=identity[1],
        bridge=name,
        subnet=str(interface.network),
        gateway=str(interface.ip),
        mtu=options.mtu or bridges.outward_mtu(host),
        icc=options.icc,
        host_binding=options.ip,
        made=not options.bridge or made_before or links.find_link(host, name) is None,
    )


def _interface(host: Netlink, options: Options, old: Definition | None) -> IPv4Interface:
    name = options.bridge_name
    if options.bip:
        return bridges.parse_bip(options.bip)
    if present := bridges.address_of(host, name):
        return present
    taken = bridges.subnets_in_use(host, without=name)
    if old is not None and old.bridge == name and not any(old.interface.network.overlaps(one) for one in taken):
        return old.interface
    return bridges.interface_in(free_subnet(taken, options.pools))
