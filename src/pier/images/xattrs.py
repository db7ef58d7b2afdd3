"""Which extended attributes may come out of an archive or go into one.

Overlay's own attributes never do: they would let a layer point into another (`trusted.overlay.redirect`), or open
directories that lower layers close. SELinux labels belong to the host.
"""

import errno
import os

_OVERLAY = (b"trusted.overlay.", b"user.overlay.")
_ALLOWED = (b"user.", b"trusted.")
_EXACT = frozenset((b"security.capability", b"system.posix_acl_access", b"system.posix_acl_default"))
OPAQUE = b"trusted.overlay.opaque"
_IGNORED = frozenset((errno.ENOTSUP, errno.EPERM, errno.ERANGE, errno.EINVAL, errno.E2BIG))
_NONE = frozenset((errno.ENOTSUP, errno.ENODATA))


def allowed(name: bytes) -> bool:
    """Whether an attribute is content, and not the file system's or the host's."""
    return name in _EXACT or (name.startswith(_ALLOWED) and not name.startswith(_OVERLAY))


def apply(target: int | bytes, attributes: dict[bytes, bytes]) -> None:
    """Set what is allowed on a descriptor, or on a path whose last component is not followed.

    What the file system cannot hold is left out.
    """
    for name, value in attributes.items():
        if not allowed(name):
            continue
        try:
            if isinstance(target, int):
                os.setxattr(target, name, value)
            else:
                os.setxattr(target, name, value, follow_symlinks=False)
        except OSError as error:
            if error.errno not in _IGNORED:
                raise


def read(target: int | bytes) -> dict[bytes, bytes]:
    """The allowed attributes of a descriptor, or of a path whose last component is not followed."""
    found: dict[bytes, bytes] = {}
    try:
        names = os.listxattr(target) if isinstance(target, int) else os.listxattr(target, follow_symlinks=False)
        for name in sorted(map(os.fsencode, names)):
            if allowed(name):
                value = (
                    os.getxattr(target, name)
                    if isinstance(target, int)
                    else os.getxattr(target, name, follow_symlinks=False)
                )
                found[name] = value
    except OSError as error:
        if error.errno not in _NONE:
            raise
    return found
