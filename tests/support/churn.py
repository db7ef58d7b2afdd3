"""Clients that make, start and remove containers as fast as an engine does it."""

import json
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

from tests.support.api import UnixConnection


def churn(path: str, count: int, clients: int = 8) -> tuple[list[str], float]:
    """Run `count` containers of busybox through their lives by so many clients; their ids, and the seconds it took."""
    begin = time.perf_counter()
    with ThreadPoolExecutor(clients) as pool:
        shares = [count // clients + (number < count % clients) for number in range(clients)]
        made = [identity for share in pool.map(lambda share: _lives(path, share), shares) for identity in share]
    return made, time.perf_counter() - begin


def _lives(path: str, count: int) -> list[str]:
    """Create, start, wait and remove, `count` times over one connection."""
    made = []
    with closing(UnixConnection(path, 60)) as connection:
        for _ in range(count):
            created = _ask(connection, "POST", "/containers/create", {"Image": "busybox", "Cmd": ["true"]})
            identity = json.loads(created)["Id"]
            _ask(connection, "POST", f"/containers/{identity}/start")
            _ask(connection, "POST", f"/containers/{identity}/wait")
            _ask(connection, "DELETE", f"/containers/{identity}")
            made.append(identity)
    return made


def _ask(connection: UnixConnection, method: str, target: str, body: object = None) -> bytes:
    payload = json.dumps(body) if body is not None else None
    connection.request(method, f"/v1.41{target}", payload, {"Content-Type": "application/json"})
    answer = connection.getresponse()
    content = answer.read()
    assert answer.status < 400, content
    return content
