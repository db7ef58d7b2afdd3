"""The wire types of networks in Docker's API 1.50."""

from typing import ClassVar, TypeAlias

import msgspec

from pier.spec.endpoints import EndpointSettings


class IPAMConfig(msgspec.Struct):
    """One subnet of a network."""

    GO_NAME: ClassVar[str] = "network.IPAMConfig"

    Subnet: str = ""
    IPRange: str = ""
    Gateway: str = ""
    AuxiliaryAddresses: dict[str, str] | None = None


class IPAM(msgspec.Struct):
    """How addresses are given."""

    GO_NAME: ClassVar[str] = "network.IPAM"

    Driver: str = ""
    Options: dict[str, str] | None = None
    Config: list[IPAMConfig] | None = None


class ConfigReference(msgspec.Struct):
    """A network whose configuration another one takes."""

    GO_NAME: ClassVar[str] = "network.ConfigReference"

    Network: str = ""


# a field that is called as its type hides the type inside the class body
_IPAM: TypeAlias = IPAM


class NetworkCreateRequest(msgspec.Struct):
    """The body of `POST /networks/create`."""

    GO_NAME: ClassVar[str] = "network.CreateRequest"

    Name: str = ""
    CheckDuplicate: bool | None = None
    Driver: str = ""
    Scope: str = ""
    EnableIPv4: bool | None = None
    EnableIPv6: bool | None = None
    IPAM: _IPAM | None = None
    Internal: bool = False
    Attachable: bool = False
    Ingress: bool = False
    ConfigOnly: bool = False
    ConfigFrom: ConfigReference | None = None
    Options: dict[str, str] | None = None
    Labels: dict[str, str] | None = None


class NetworkConnect(msgspec.Struct):
    """The body of `POST /networks/{id}/connect`."""

    GO_NAME: ClassVar[str] = "network.ConnectOptions"

    Container: str = ""
    EndpointConfig: EndpointSettings | None = None


class NetworkDisconnect(msgspec.Struct):
    """The body of `POST /networks/{id}/disconnect`."""

    GO_NAME: ClassVar[str] = "network.DisconnectOptions"

    Container: str = ""
    Force: bool = False
