"""Stand-ins for images of Docker Hub: Debians of this host's own packages, under the names that the tests use."""

import io
import platform
import tarfile
from pathlib import Path

from tests.journeys.hub import Hub
from tests.journeys.layouts import Layout
from tests.support import debian

ARCHITECTURE = {"x86_64": "amd64", "aarch64": "arm64"}[platform.machine()]
PYTHON = ("library/python:3.13-alpine", "library/python:3.14-alpine", "library/python:latest")
REGISTRY = ("library/registry:2",)
# As in the image of that name: everybody may push, unless REGISTRY_AUTH says otherwise. Debian's own wants passwords.
CONFIGURATION = b"""\
version: 0.1
storage: {filesystem: {rootdirectory: /var/lib/registry}, delete: {enabled: true}}
http: {addr: ":5000"}
"""


class StandIns:
    """Layouts of Python and of the registry, made once under `directory` and published to as many hubs as there are."""

    def __init__(self, directory: Path) -> None:
        python = debian.make_debian(directory / "python.tar", "python3", links={"usr/bin/python": "python3"})
        registry = debian.make_debian(directory / "registry.tar", "docker-registry")
        with tarfile.open(registry, "a") as archive:
            entry = tarfile.TarInfo("registry.yml")
            entry.size = len(CONFIGURATION)
            archive.addfile(entry, io.BytesIO(CONFIGURATION))
        self._layouts = {
            PYTHON: _layout(directory / "python", python, ["python"]),
            REGISTRY: _layout(directory / "registry", registry, ["docker-registry", "serve", "/registry.yml"]),
        }

    def publish(self, hub: Hub) -> None:
        """Push each under its names."""
        for names, layout in self._layouts.items():
            for name in names:
                hub.publish(layout.root, name)


def _layout(root: Path, tar: Path, command: list[str]) -> Layout:
    layout = Layout(root)
    layout.write(tar.read_bytes(), (ARCHITECTURE,), command)
    return layout
