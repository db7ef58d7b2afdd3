"""Images that must not be removed: by their ids, durable, apart from the images' own records and labels.

A lock belongs to the image and not to a name. It is asked for under the images' lock, so that no removal under way
misses it.
"""

from pier.store.records import Delete, Put, Records

KIND = "image-lock"


class Locks:
    """The locked images of a data root."""

    def __init__(self, records: Records) -> None:
        self._records = records
        self._locked = frozenset(records.load(KIND))

    def has(self, image_id: str) -> bool:
        """Whether the image is locked."""
        return image_id in self._locked

    def set(self, image_id: str, *, locked: bool) -> bool:
        """Lock or unlock, durably; whether that changed anything. It waits for the disk."""
        if self.has(image_id) == locked:
            return False
        self._records.write(Put(KIND, image_id, b"{}") if locked else Delete(KIND, image_id)).result()
        self._locked = self._locked | {image_id} if locked else self._locked - {image_id}
        return True
