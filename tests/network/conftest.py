"""Networks on a bridge, a table and a data root of the test's own."""

import hashlib
import secrets
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pier.network.networks import Networks
from pier.network.options import Options
from pier.store.records import Records
from tests.support.subnets import subnet


@pytest.fixture
def records(tmp_path: Path) -> Iterator[Records]:
    store = Records.open(tmp_path / "records.sqlite")
    yield store
    store.close()


@pytest.fixture
def options(tmp_path: Path, free_subnet: str) -> Options:
    instance = hashlib.sha256(bytes(tmp_path)).hexdigest()[:8]
    return Options(instance=instance, leases=tmp_path / "leases", bip=free_subnet, pool=2)


@pytest.fixture
def lan() -> Iterator[str]:
    """Three numbers of another free /24, such as 172.29.8."""
    with subnet() as address:
        yield address.rsplit(".", 1)[0]


@pytest.fixture
def make_networks(records: Records, options: Options) -> Iterator[Callable[..., Networks]]:
    """Make networks as a daemon's start would; every one made is closed, with its containers released."""
    made: list[Networks] = []

    def make(chosen: Options = options) -> Networks:
        networks = Networks(
            records,
            chosen,
            now=lambda: datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            random_hex=lambda digits: secrets.token_hex(digits)[:digits],
        )
        made.append(networks)
        networks.start()
        return networks

    yield make
    for networks in reversed(made):
        for definition in networks.list():
            for lease in networks.connected(definition.id):
                networks.release(lease.container_id)
        networks.close()


@pytest.fixture
def networks(make_networks: Callable[..., Networks]) -> Networks:
    made = make_networks()
    made.restore({})
    return made
