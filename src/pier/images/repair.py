"""Layers after a power loss: their blobs were on the disk, their trees perhaps not, so these are unpacked again
before anything uses them.
"""

import logging
import os

from pier.images.layers import Layer, Layers
from pier.images.workers import Job, Worker
from pier.spec.errors import PierError, SystemFailure
from pier.store.blobs import Blobs

_log = logging.getLogger(__name__)


def repair(layers: Layers, blobs: Blobs) -> list[str]:
    """Unpack every doubtful layer again; the diff ids of those that cannot be had any more."""
    lost: list[str] = []
    for layer in layers.doubtful():
        try:
            _renew(layer, layers, blobs)
        except (PierError, OSError) as error:
            _log.warning("layer %s is lost: %s", layer.diff_id, error)
            lost.append(layer.diff_id)
    return lost


def _renew(layer: Layer, layers: Layers, blobs: Blobs) -> None:
    with blobs.open(layer.blob) as stream, layers.workspace() as workspace:
        os.lseek(stream, 0, os.SEEK_SET)
        outcome = Worker.start(Job(layer=True), stream=stream, directory=workspace.directory).wait()
        if outcome.diff_id != layer.diff_id:
            raise SystemFailure(f"blob {layer.blob} holds {outcome.diff_id}")
        layers.renew(layer, workspace)
