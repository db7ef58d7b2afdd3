"""Fixtures of the escapes."""

from pathlib import Path

import pytest

from tests.security.stage import TOOLS, Canary, make_tools
from tests.support.pierd import Pierd


@pytest.fixture
def canary(tmp_path: Path) -> Canary:
    """A directory of the host that must stay as it is."""
    return Canary(tmp_path / "host-canary")


@pytest.fixture(scope="module")
def tools(pierd: Pierd) -> str:
    """The name of an image in which `stage.inside` runs Python."""
    make_tools(pierd)
    return TOOLS
