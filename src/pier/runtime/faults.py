"""Named points for tests of the floors above the kernel's: see `pier.kernel.faults`."""

from pier.kernel.faults import point

__all__ = ["point"]
