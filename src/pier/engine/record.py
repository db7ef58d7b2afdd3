"""The record of a container: the one document that the store keeps of it, and the only truth about it in memory.

`endpoints` holds a container's networks: the wishes of its create, and while it is connected what the network chose.
`ports` are those exposed or published now, `sandbox` the id of its network namespace. Records are values. A change
makes a new one (`transitions` for the state), and the projection writes it.
"""

from typing import Literal

import msgspec

from pier.spec.containers import ContainerConfig, EndpointSettings, HostConfig, Mount, MountPoint, PortBinding

Status = Literal["created", "running", "paused", "restarting", "removing", "exited", "dead"]


class State(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where a container is in its life; times in ns since 1970, 0 for never."""

    status: Status = "created"
    pid: int = 0
    exit_code: int = 0
    error: str = ""
    oom_killed: bool = False
    started_at: int = 0
    finished_at: int = 0
    restart_count: int = 0
    stopped_by_user: bool = False

    @property
    def running(self) -> bool:
        """Docker's `Running`: a container between two restarts counts, so that stop and rm treat it as live."""
        return self.status in ("running", "paused", "restarting")


class Mounted(msgspec.Struct, frozen=True, omit_defaults=True):
    """A mount of a container: how it shows (`point`), and what `--mount` asked for beyond that.

    `anonymous` volumes go with `rm -v`; `copies` asks for the image's content in an empty volume,
    `makes_source` for a bind's missing directory to be made.
    """

    point: MountPoint
    anonymous: bool = False
    copies: bool = False
    makes_source: bool = False
    request: Mount | None = None


class Record(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """All that is known of a container. `half_made` is true while a create is under way: a start of the daemon
    undoes it. `mac` is the address that the client wished for its network, which each start takes up again.
    """

    id: str
    name: str
    created: int
    image_id: str
    layers: tuple[str, ...] = ()
    path: str
    args: tuple[str, ...] = ()
    config: ContainerConfig
    host_config: HostConfig
    endpoints: dict[str, EndpointSettings] = {}
    ports: dict[str, list[PortBinding] | None] = {}
    sandbox: str = ""
    mounts: tuple[Mounted, ...] = ()
    state: State = State()
    half_made: bool = False
    mac: str = ""

    @property
    def short_id(self) -> str:
        """The twelve digits that people see."""
        return self.id[:12]


_DECODER = msgspec.json.Decoder(Record)
# what `decode` raises
UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
_ENCODER = msgspec.json.Encoder()


def encode(record: Record) -> bytes:
    """The record as the store keeps it."""
    return _ENCODER.encode(record)


def decode(document: bytes) -> Record:
    """The record of a stored document; one of `UNREADABLE` when it is none."""
    return _DECODER.decode(document)


class _Remains(msgspec.Struct):
    """What tells people most of a container, for when the rest of its record cannot be read."""

    name: str = ""
    created: int = 0
    image_id: str = ""


def unreadable(id_: str, document: bytes, why: str) -> Record:
    """What stands for a container whose document cannot be decoded: dead, with what can still be told of it."""
    try:
        remains = msgspec.json.decode(document, type=_Remains)
    except UNREADABLE:
        remains = _Remains()
    return Record(
        id=id_,
        name=remains.name or id_[:12],
        created=remains.created,
        image_id=remains.image_id,
        path="",
        config=ContainerConfig(),
        host_config=HostConfig(),
        state=State(status="dead", error=f"the container's record cannot be read: {why}"),
    )


def replaced(record: Record, **changes: object) -> Record:
    """The record with some fields changed."""
    return msgspec.structs.replace(record, **changes)
