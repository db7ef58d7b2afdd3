"""Every endpoint that Docker documents has an answer: a real one, or the one of a feature that is off; never 404."""

import pytest

from pier.api.endpoints import router

# Docker's API reference (swagger.yaml), and what its router has beyond that.
DOCUMENTED = {
    "GET": """
/containers/json /containers/{id}/json /containers/{id}/top /containers/{id}/logs /containers/{id}/changes
/containers/{id}/export /containers/{id}/stats /containers/{id}/attach/ws /containers/{id}/archive /images/json
/images/{name}/json /images/{name}/attestations /images/{name}/history /images/search /images/{name}/get
/images/get /networks /networks/{id} /volumes /volumes/{name} /exec/{id}/json /swarm /swarm/unlockkey /nodes
/nodes/{id} /services /services/{id} /services/{id}/logs /tasks /tasks/{id} /tasks/{id}/logs /secrets
/secrets/{id} /configs /configs/{id} /plugins /plugins/privileges /plugins/{name}/json /info /version /_ping
/events /system/df /distribution/{name}/json
""",
    "POST": """
/containers/create /containers/{id}/resize /containers/{id}/start /containers/{id}/stop
/containers/{id}/restart /containers/{id}/kill /containers/{id}/update /containers/{id}/rename
/containers/{id}/pause /containers/{id}/unpause /containers/{id}/attach /containers/{id}/wait /containers/prune
/build /build/prune /images/create /images/{name}/push /images/{name}/tag /images/prune /commit /images/load
/networks/create /networks/{id}/connect /networks/{id}/disconnect /networks/prune /volumes/create
/volumes/prune /containers/{id}/exec /exec/{id}/start /exec/{id}/resize /swarm/init /swarm/join /swarm/leave
/swarm/update /swarm/unlock /nodes/{id}/update /services/create /services/{id}/update /secrets/create
/secrets/{id}/update /configs/create /configs/{id}/update /plugins/pull /plugins/{name}/enable
/plugins/{name}/disable /plugins/{name}/upgrade /plugins/create /plugins/{name}/push /plugins/{name}/set /auth
/session
""",
    "DELETE": """
/containers/{id} /images/{name} /networks/{id} /volumes/{name} /nodes/{id} /services/{id} /secrets/{id}
/configs/{id} /plugins/{name}
""",
    "HEAD": """
/containers/{id}/archive /_ping
""",
    "PUT": """
/containers/{id}/archive /volumes/{name}
""",
}
UNDOCUMENTED = {
    "GET": "/containers/{id}/checkpoints /debug/vars /debug/pprof/ /debug/pprof/cmdline /networks/",
    "POST": "/containers/{id}/checkpoints /build/cancel /grpc",
    "DELETE": "/containers/{id}/checkpoints/{checkpoint}",
}
ENDPOINTS = [
    (method, path) for table in (DOCUMENTED, UNDOCUMENTED) for method, paths in table.items() for path in paths.split()
]


def test_the_table_is_dockers() -> None:
    assert sum(len(paths.split()) for paths in DOCUMENTED.values()) == 108


@pytest.mark.parametrize(("method", "path"), ENDPOINTS)
def test_every_endpoint_of_docker_has_a_route(method: str, path: str) -> None:
    concrete = path.replace("{id}", "abc").replace("{name}", "reg.example/a").replace("{checkpoint}", "c")
    if path.startswith("/containers"):
        concrete = concrete.replace("reg.example/a", "abc")
    for version in ("", "/v1.50"):
        assert router().find(method, version + concrete).route.method == method


@pytest.mark.parametrize(
    ("method", "path", "name"),
    [
        ("GET", "/images/a/json/json", "a/json"),
        ("GET", "/images/get/json", "get"),
        ("DELETE", "/images/reg:5000/a/b", "reg:5000/a/b"),
        ("GET", "/networks/a/b", "a/b"),
    ],
)
def test_names_with_slashes_find_their_route(method: str, path: str, name: str) -> None:
    assert router().find(method, path).variables["name"] == name
