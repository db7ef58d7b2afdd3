"""Platforms, manifests, configurations, digests and credentials: values or InvalidParameter, nothing else."""

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pier.spec import credentials, digests, image_config, manifests, platforms
from pier.spec.errors import InvalidParameter, NotFound
from pier.spec.manifests import Descriptor, Index, PlatformField
from pier.spec.platforms import Platform

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda children: (
        st.lists(children, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "schemaVersion",
                    "mediaType",
                    "config",
                    "layers",
                    "manifests",
                    "digest",
                    "size",
                    "rootfs",
                    "diff_ids",
                    "history",
                    "architecture",
                    "os",
                    "Env",
                    "Cmd",
                    "Labels",
                    "ExposedPorts",
                    "Healthcheck",
                    "created",
                ]
            ),
            children,
            max_size=5,
        )
    ),
    max_leaves=12,
)


@given(JSON | st.binary(max_size=40), st.sampled_from([*manifests.MANIFESTS, *manifests.INDEXES, "text/html", ""]))
def test_any_manifest_is_read_or_invalid(document: object, media_type: str) -> None:
    raw = document if isinstance(document, bytes) else json.dumps(document).encode()
    try:
        manifests.parse(raw, media_type)
    except InvalidParameter:
        pass


@given(JSON | st.binary(max_size=40))
def test_any_configuration_is_read_or_invalid(document: object) -> None:
    raw = document if isinstance(document, bytes) else json.dumps(document).encode()
    try:
        config = image_config.parse(raw)
    except InvalidParameter:
        return
    assert config.run is config.config
    image_config.parse(image_config.render(config))


@pytest.mark.parametrize(
    "raw", [b"[" * 100_000, b'{"a":' * 100_000, b"1" * 10_000, b'{"config":{"StopTimeout":1e400}}']
)
def test_bombs_of_json_are_invalid(raw: bytes) -> None:
    with pytest.raises(InvalidParameter):
        image_config.parse(raw)
    with pytest.raises(InvalidParameter):
        manifests.parse(raw, manifests.OCI_MANIFEST)


def test_an_image_says_nothing_about_the_host() -> None:
    raw = {
        "config": {"Labels": {"io.pier.run": "x", "a": "b"}, "HostConfig": {"Privileged": True}, "SecurityOpt": ["x"]}
    }
    config = image_config.parse(json.dumps(raw).encode())
    assert config.run.labels == {"a": "b"}
    assert b"Privileged" not in image_config.render(config)


def test_old_images_give_commands_as_text_and_null() -> None:
    raw = {"config": {"Cmd": "sh", "Entrypoint": None, "Env": None, "User": None, "Volumes": {"/a": {}}}}
    run = image_config.parse(json.dumps(raw).encode()).run
    assert (run.cmd, run.entrypoint, run.env, run.user, run.volumes) == (["sh"], None, None, "", {"/a": {}})
    assert image_config.parse(b"{}").run.cmd is None


def test_too_many_layers_are_refused() -> None:
    raw = json.dumps({"rootfs": {"type": "layers", "diff_ids": ["sha256:" + "0" * 64] * 501}}).encode()
    with pytest.raises(InvalidParameter, match="max depth exceeded"):
        image_config.parse(raw)


@pytest.mark.parametrize(
    ("text", "platform"),
    [
        ("linux/amd64", Platform("linux", "amd64")),
        ("linux/x86_64", Platform("linux", "amd64")),
        ("Linux/aarch64/v8", Platform("linux", "arm64")),
        ("linux/arm", Platform("linux", "arm", "v7")),
        ("linux/arm/v6", Platform("linux", "arm", "v6")),
        ("arm64", Platform("linux", "arm64")),
        ("s390x", Platform("linux", "s390x")),
        ("windows/amd64", Platform("windows", "amd64")),
    ],
)
def test_platforms_are_normalised(text: str, platform: Platform) -> None:
    assert platforms.parse(text) == platform


@pytest.mark.parametrize("text", ["", "linux/", "a/b/c/d", "linux/a b", "nonsense", "/", "linux/amd64/v1/x"])
def test_what_is_no_platform_is_refused(text: str) -> None:
    with pytest.raises(InvalidParameter):
        platforms.parse(text)


def test_the_best_entry_of_an_index_is_chosen() -> None:
    def entry(
        number: int, architecture: str, variant: str = "", media_type: str = manifests.OCI_MANIFEST
    ) -> Descriptor:
        platform = PlatformField(architecture, "linux", variant)
        return Descriptor(media_type, "sha256:" + str(number) * 64, 1, platform)

    index = Index(2, [entry(1, "arm", "v6"), entry(2, "arm", "v7"), entry(3, "amd64", "", "x"), entry(4, "amd64")])
    amd64, arm64 = (manifests.best(index, Platform("linux", architecture)) for architecture in ("amd64", "arm64"))
    assert amd64 is not None
    assert amd64.digest[7] == "4"
    assert arm64 is not None
    assert arm64.digest[7] == "2"
    assert manifests.best(index, Platform("linux", "s390x")) is None
    with pytest.raises(NotFound, match=r"^no matching manifest for linux/s390x in the manifest list entries$"):
        raise manifests.no_match(Platform("linux", "s390x"))


def test_chain_ids_follow_the_specification() -> None:
    one, two = "sha256:" + "1" * 64, "sha256:" + "2" * 64
    assert digests.chain_id(()) == ""
    assert digests.chain_id((one,)) == one
    assert digests.chain_id((one, two)) == digests.of(f"{one} {two}".encode())
    assert digests.chain_id((one, two, one)) == digests.of(f"{digests.of(f'{one} {two}'.encode())} {one}".encode())


def test_credentials_are_read_and_never_shown() -> None:
    header = base64.urlsafe_b64encode(
        json.dumps({"username": "a", "password": "secret", "serveraddress": "x"}).encode()
    )
    found = credentials.decode_header(header.decode())
    assert found is not None
    assert (found.username, found.password) == ("a", "secret")
    assert "secret" not in repr(found)
    auth = base64.b64encode(b"b:c").decode()
    other = credentials.decode_header(base64.b64encode(json.dumps({"auth": auth}).encode()).decode())
    assert other is not None
    assert (other.username, other.password) == ("b", "c")
    assert credentials.decode_header("") is None


@given(st.text(max_size=60))
def test_any_header_is_credentials_or_invalid(header: str) -> None:
    try:
        credentials.decode_header(header)
    except InvalidParameter:
        pass
