"""Runs classic BPF programs as the kernel runs seccomp filters: what a filter says about a call that we cannot make."""

import struct

ALLOW, ERRNO = 0x7FFF0000, 0x00050000
X86_64, I386, AARCH64 = 0xC000003E, 0x40000003, 0xC00000B7
X32_BIT = 0x40000000
_WORD = 0xFFFFFFFF


def verdict(program: bytes, number: int, arguments: tuple[int, ...] = (), architecture: int = X86_64) -> int:
    """The action for a call; arguments are 64-bit words."""
    data = struct.pack("=iIQ6Q", _signed(number), architecture, 0, *(*arguments, 0, 0, 0, 0, 0, 0)[:6])
    code = [struct.unpack_from("=HBBI", program, offset) for offset in range(0, len(program), 8)]
    place = accumulator = 0
    while True:
        operation, true, false, value = code[place]
        place += 1
        match operation:
            case 0x20:  # load a word
                accumulator = struct.unpack_from("=I", data, value)[0]
            case 0x54:  # and
                accumulator &= value
            case 0x05:  # jump always
                place += value
            case 0x15 | 0x25 | 0x35 | 0x45:
                place += true if _holds(operation, accumulator, value) else false
            case 0x06:
                return value & _WORD
            case _:
                raise AssertionError(f"unknown instruction {operation:#x}")


def _holds(operation: int, accumulator: int, value: int) -> bool:
    return {
        0x15: accumulator == value,
        0x25: accumulator > value,
        0x35: accumulator >= value,
        0x45: bool(accumulator & value),
    }[operation]


def _signed(number: int) -> int:
    return number - (1 << 32) if number & 0x80000000 else number


class DeviceMachine:
    """Runs eBPF programs of type CGROUP_DEVICE, with the few instructions that we emit."""

    def __init__(self, program: bytes) -> None:
        self._code = [struct.unpack_from("=BBhi", program, offset) for offset in range(0, len(program), 8)]

    def allows(self, kind: str, major: int, minor: int, access: str) -> bool:
        """Whether the program lets the access through."""
        bits = sum({"m": 1, "r": 2, "w": 4}[letter] for letter in access)
        context = {0: {"b": 1, "c": 2}[kind] | bits << 16, 4: major, 8: minor}
        registers = [0] * 11
        place = 0
        while True:
            operation, pair, offset, value = self._code[place]
            place += 1
            target, source = pair & 15, pair >> 4
            if operation == 0x95:
                return registers[0] == 1
            if operation == 0x61:
                registers[target] = context[offset]
            elif operation == 0x57:
                registers[target] &= value
            elif operation == 0x77:
                registers[target] >>= value
            elif operation == 0xBF:
                registers[target] = registers[source]
            elif operation == 0xB7:
                registers[target] = value
            else:
                place += offset if self._jumps(operation, registers, target, source, value) else 0

    @staticmethod
    def _jumps(operation: int, registers: list[int], target: int, source: int, value: int) -> bool:
        if operation == 0x15:
            return registers[target] == value
        if operation == 0x56:
            return registers[target] & _WORD != value & _WORD
        assert operation == 0x5D
        return registers[target] != registers[source]
