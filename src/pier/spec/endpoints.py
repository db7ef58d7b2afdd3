"""Wire types of a container's place in networks: requests at create and connect, and what inspect shows."""

import msgspec

from pier.spec.go_types import Int


class EndpointIPAMConfig(msgspec.Struct, omit_defaults=True):
    """The addresses that a client asks for."""

    IPv4Address: str = ""
    IPv6Address: str = ""
    LinkLocalIPs: list[str] | None = None


class EndpointSettings(msgspec.Struct):
    """One network of a container: the client's wishes first, then what the engine chose."""

    IPAMConfig: EndpointIPAMConfig | None = None
    Links: list[str] | None = None
    Aliases: list[str] | None = None
    MacAddress: str = ""
    DriverOpts: dict[str, str] | None = None
    GwPriority: Int = 0
    NetworkID: str = ""
    EndpointID: str = ""
    Gateway: str = ""
    IPAddress: str = ""
    IPPrefixLen: Int = 0
    IPv6Gateway: str = ""
    GlobalIPv6Address: str = ""
    GlobalIPv6PrefixLen: Int = 0
    DNSNames: list[str] | None = None


class NetworkingConfig(msgspec.Struct):
    """The networks named at create; a null value means default settings."""

    EndpointsConfig: dict[str, EndpointSettings | None] | None = None
