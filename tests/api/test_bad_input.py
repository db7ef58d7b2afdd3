"""No input to any endpoint gives a 500 or a traceback: malformed bodies, wrong types, bad queries, odd names."""

import itertools
import json
from urllib.parse import quote

import pytest

from tests.api.test_endpoints import ENDPOINTS
from tests.support.pierd import Pierd

pytestmark = pytest.mark.root

BODIES: list[tuple[bytes, str]] = [
    (b"", ""),
    (b"{", "application/json"),
    (b"[]", "application/json"),
    (b"null", "application/json"),
    (b'"text"', "application/json"),
    (
        b'{"Name": 1, "Image": [], "Cmd": {}, "HostConfig": 7, "Driver": {}, "Container": 3, "Labels": []}',
        "application/json",
    ),
    (b'{"a": 1e999}', "application/json"),
    (b"[" * 20000, "application/json"),
    (b"\xff\xfe\x00", "application/json"),
    (b"{} {}", "application/json"),
    (b"{}", "text/plain"),
    (b"x" * 1000, "application/x-tar"),
]
QUERIES = [
    "",
    "?filters=x",
    '?filters={"a":1}',
    '?filters={"no-such":["x"]}',
    '?filters={"until":["x"]}',
    '?filters={"dangling":["maybe"]}',
    "?all=maybe&limit=x&size=x&t=x&h=x&w=x&tail=x&since=x&until=x",
    "?limit=99999999999999999999&t=-99999999999999999999",
    "?fromImage=UPPER&tag=x&platform=what/ever/is/this",
    "?fromSrc=-&repo=UPPER",
    "?fromSrc=-&changes=FROM%20x",
    "?repo=%20&tag=%20&name=../x&condition=x&signal=NOSUCH&detachKeys=x",
    "?%ff=%ff",
    "?names=x&path=../../etc&platform=x&type=x&term=&container=x&remote=x&version=x",
]
NAMES = ["abc", "no%2Fsuch", "UPPER", "%00", "%ff", "..", "a" * 300, "%20", "sha256:abc", "a@sha256:0", "é"]
# Docker's statuses for what a client may do wrong, and for what an engine has not.
FINE = frozenset({200, 201, 204, 304, 400, 401, 403, 404, 405, 409, 501, 503})


def quoted(text: str) -> str:
    return text.replace('"', "%22").replace("{", "%7B").replace("}", "%7D").replace("é", "%C3%A9")


def judge(pierd: Pierd, method: str, target: str, raw: bytes, media_type: str) -> str | None:
    """What is wrong with the answer, if anything."""
    headers = {"Content-Type": media_type} if media_type else {}
    answer = pierd.api(method, target, raw=raw, headers=headers, timeout=20)
    if answer.status not in FINE or b"Traceback" in answer.body:
        return f"{method} {target} {raw[:60]!r}: {answer.status} {answer.body[:300]!r}"
    if answer.status >= 400 and method != "HEAD" and set(json.loads(answer.body)) != {"message"}:
        return f"{method} {target}: {answer.body[:300]!r} is no message"
    return None


def targets(method: str, path: str) -> list[str]:
    """The endpoint's path with each odd name and each odd query, not all of both."""
    plain = path.replace("{id}", "abc").replace("{name}", "abc").replace("{checkpoint}", "c")
    named = {path.replace("{id}", name).replace("{name}", name).replace("{checkpoint}", "c") for name in NAMES}
    endless = (method, path) == ("GET", "/events")
    queries = [query for query in QUERIES if not endless or "until" in query]
    return [*sorted(quoted(each) for each in named if not endless), *(plain + quoted(query) for query in queries)]


@pytest.mark.parametrize(("method", "path"), ENDPOINTS)
def test_no_input_is_a_server_error(pierd: Pierd, method: str, path: str) -> None:
    # The daemon's whole volumes, networks and images would be fair game for a prune: they are, here.
    bodies = BODIES if method in ("POST", "PUT") else [(b"", "")]
    plain, *others = targets(method, path)
    pairs = [*((plain, body) for body in bodies), *itertools.product(others, [bodies[0], bodies[-1]])]
    wrong = [said for target, (raw, kind) in pairs if (said := judge(pierd, method, target, raw, kind)) is not None]
    assert not wrong, "\n".join(wrong)


def test_the_daemon_logged_no_traceback(pierd: Pierd) -> None:
    assert "Traceback" not in pierd.log()


def test_manifests_in_answers_are_refused_and_not_passed_over(pierd: Pierd) -> None:
    for target in ("/images/json?manifests=1", "/images/busybox/json?manifests=1"):
        answer = pierd.api("GET", target, version="1.50")
        assert answer.status == 501
        assert answer.json()["message"] == "the parameter manifests is not supported yet"


@pytest.mark.parametrize(
    ("platform", "status"),
    [
        ('{"os":"linux","architecture":"s390x"}', 404),
        ("linux/s390x", 404),
        ("{", 400),
        ('{"architecture":"arm64"}', 400),
        ("linux/amd64/v1/x", 400),
    ],
)
def test_a_platform_that_is_not_here_removes_nothing(pierd: Pierd, platform: str, status: int) -> None:
    answer = pierd.api("DELETE", f"/images/busybox?force=1&platforms={quote(platform)}", version="1.50")
    assert answer.status == status
    assert pierd.api("GET", "/images/busybox/json").status == 200
