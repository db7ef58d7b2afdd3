"""The detach keys: a sequence of bytes in a terminal's input by which a client leaves, the container unharmed."""


class DetachKeys:
    """Finds the sequence. Bytes that may begin it are held back until they do not, as Docker holds them."""

    def __init__(self, keys: bytes) -> None:
        self._keys = keys
        self._held = 0

    def feed(self, data: bytes) -> tuple[bytes, bool]:
        """(What to pass on, whether the sequence is complete); what follows a complete one is dropped."""
        keys = self._keys
        if not keys or (not self._held and keys[0] not in data):
            return data, False
        passed = bytearray()
        for byte in data:
            if byte == keys[self._held]:
                self._held += 1
                if self._held == len(keys):
                    self._held = 0
                    return bytes(passed), True
                continue
            passed += keys[: self._held]
            self._held = 0
            if byte == keys[0]:
                self._held = 1
            else:
                passed.append(byte)
        return bytes(passed), False
