"""Device rules of an OCI configuration as what the kernel enforces: lines for cgroup v1's files, or an eBPF program for
v2.

*Theory of operation*: rules are applied in order to an `Allowed` set, as the kernel does on v1: «a» empties it and sets
what holds for devices not named; other rules add or take away single entries. Everything starts denied, so a list
without the usual first «deny all» is no deny-list (GHSA-g54h-m393-cpwq). Both ways out print the same set.
"""

import struct

BLOCK, CHARACTER = "b", "c"
# what runc lets every container use beside its rules: making nodes, the harmless ones, its terminals
DEFAULT_RULES: tuple[tuple[bool, str, int, int, str], ...] = (
    (True, "c", -1, -1, "m"),
    (True, "b", -1, -1, "m"),
    (True, "c", 1, 3, "rwm"),  # null
    (True, "c", 1, 8, "rwm"),  # random
    (True, "c", 1, 7, "rwm"),  # full
    (True, "c", 5, 0, "rwm"),  # tty
    (True, "c", 1, 5, "rwm"),  # zero
    (True, "c", 1, 9, "rwm"),  # urandom
    (True, "c", 136, -1, "rwm"),  # pseudo-terminals
    (True, "c", 5, 2, "rwm"),  # ptmx
)
_BITS = {"m": 1, "r": 2, "w": 4}
_TYPES = {BLOCK: 1, CHARACTER: 2}
_ALL = 7

# opcodes of eBPF, and the registers that the program uses
_LOAD_WORD, _AND, _SHIFT_RIGHT, _COPY, _SET, _EXIT = 0x61, 0x57, 0x77, 0xBF, 0xB7, 0x95
_JUMP_NOT_EQUAL_32, _JUMP_NOT_EQUAL_REGISTER = 0x56, 0x5D
_RESULT, _SCRATCH, _TYPE, _ACCESS, _MAJOR, _MINOR = 0, 1, 2, 3, 4, 5


class Allowed:
    """The devices a group may use: `default` for those not named, and the entries that differ from it."""

    __slots__ = ("default", "entries")

    def __init__(self) -> None:
        self.default = False
        self.entries: dict[tuple[str, int, int], int] = {}

    def apply(self, allow: bool, kind: str, major: int, minor: int, access: str) -> None:
        """One rule; -1 is any number, `kind` "a" is every device."""
        if kind in ("a", ""):
            self.default = allow
            self.entries = {}
            return
        key = (kind, major, minor)
        bits = access_bits(access)
        if allow != self.default:
            self.entries[key] = self.entries.get(key, 0) | bits
        elif key in self.entries:
            self.entries[key] &= ~bits
            if not self.entries[key]:
                del self.entries[key]


def access_bits(access: str) -> int:
    """Letters of `rwm` as the kernel's bits; none means all."""
    bits = 0
    for letter in access:
        bits |= _BITS[letter]
    return bits or _ALL


def allowed(rules: tuple[tuple[bool, str, int, int, str], ...], *, with_defaults: bool = True) -> Allowed:
    """The set that the rules, then runc's additions, amount to."""
    result = Allowed()
    for rule in rules:
        result.apply(*rule)
    if with_defaults and not result.default:
        for rule in DEFAULT_RULES:
            result.apply(*rule)
    return result


def v1_lines(devices: Allowed) -> tuple[tuple[str, str], ...]:
    """(file, line) pairs for the v1 group, in the order to write them."""
    whole, single = ("devices.allow", "devices.deny") if devices.default else ("devices.deny", "devices.allow")
    lines = [(whole, "a")]
    for (kind, major, minor), bits in devices.entries.items():
        letters = "".join(letter for letter in "rwm" if bits & _BITS[letter])
        lines.append((single, f"{kind} {_number(major)}:{_number(minor)} {letters}"))
    return tuple(lines)


def program(devices: Allowed) -> bytes:
    """The eBPF program (type CGROUP_DEVICE) that answers 1 for an access in the set."""
    code = [
        _instruction(_LOAD_WORD, _TYPE, _SCRATCH, 0, 0),
        _instruction(_COPY, _ACCESS, _TYPE, 0, 0),
        _instruction(_AND, _TYPE, 0, 0, 0xFFFF),
        _instruction(_SHIFT_RIGHT, _ACCESS, 0, 0, 16),
        _instruction(_LOAD_WORD, _MAJOR, _SCRATCH, 4, 0),
        _instruction(_LOAD_WORD, _MINOR, _SCRATCH, 8, 0),
    ]
    for (kind, major, minor), bits in devices.entries.items():
        code += _entry(_TYPES[kind], major, minor, bits, default=devices.default)
    code += _answer(devices.default)
    return b"".join(code)


def _entry(kind: int, major: int, minor: int, bits: int, *, default: bool) -> list[bytes]:
    """Answer the opposite of the default when this entry matches; otherwise fall through to the next."""
    body: list[tuple[int, int, int, int]] = [(_JUMP_NOT_EQUAL_32, _TYPE, 0, kind)]
    if major >= 0:
        body.append((_JUMP_NOT_EQUAL_32, _MAJOR, 0, major))
    if minor >= 0:
        body.append((_JUMP_NOT_EQUAL_32, _MINOR, 0, minor))
    body.append((_COPY, _SCRATCH, _ACCESS, 0))
    body.append((_AND, _SCRATCH, 0, bits))
    # an allowed entry must cover the whole access; a denied one already bites when it touches it
    body.append((0x15, _SCRATCH, 0, 0) if default else (_JUMP_NOT_EQUAL_REGISTER, _SCRATCH, _ACCESS, 0))
    end = len(body) + 2
    code = []
    for place, (opcode, target, source, value) in enumerate(body):
        jumps = opcode & 0x07 in (0x05, 0x06)
        code.append(_instruction(opcode, target, source, end - place - 1 if jumps else 0, value))
    return code + _answer(not default)


def _answer(allow: bool) -> list[bytes]:
    return [_instruction(_SET, _RESULT, 0, 0, int(allow)), _instruction(_EXIT, 0, 0, 0, 0)]


def _instruction(opcode: int, target: int, source: int, offset: int, value: int) -> bytes:
    return struct.pack("=BBhI", opcode, target | source << 4, offset, value & 0xFFFFFFFF)


def _number(number: int) -> str:
    return "*" if number < 0 else str(number)
