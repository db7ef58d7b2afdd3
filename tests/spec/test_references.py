"""Names of images as Docker reads them, and its texts for what is none."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pier.spec import references
from pier.spec.errors import InvalidParameter
from pier.spec.references import Reference

DIGEST = "sha256:" + "0" * 64


@pytest.mark.parametrize(
    ("text", "domain", "path", "tag", "digest"),
    [
        ("ubuntu", "docker.io", "library/ubuntu", None, None),
        ("ubuntu:22.04", "docker.io", "library/ubuntu", "22.04", None),
        ("me/app", "docker.io", "me/app", None, None),
        ("docker.io/ubuntu", "docker.io", "library/ubuntu", None, None),
        ("index.docker.io/library/ubuntu", "docker.io", "library/ubuntu", None, None),
        ("localhost/x", "localhost", "x", None, None),
        ("localhost:5000/x/y:z", "localhost:5000", "x/y", "z", None),
        ("ghcr.io/a/b@" + DIGEST, "ghcr.io", "a/b", None, DIGEST),
        ("a/b:c@" + DIGEST, "docker.io", "a/b", "c", DIGEST),
        ("[::1]:5000/x", "[::1]:5000", "x", None, None),
        ("Host/x", "Host", "x", None, None),
        ("a__b--c.d_e", "docker.io", "library/a__b--c.d_e", None, None),
    ],
)
def test_names_are_read_as_docker_reads_them(
    text: str, domain: str, path: str, tag: str | None, digest: str | None
) -> None:
    assert references.parse(text) == Reference(domain, path, tag, digest)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "invalid reference format"),
        (":tag", "invalid reference format"),
        ("a:", "invalid reference format"),
        ("a//b", "invalid reference format"),
        ("-a", "invalid reference format"),
        ("a b", "invalid reference format"),
        ("a:b:c", "invalid reference format"),
        ("a:" + "t" * 129, "invalid reference format"),
        ("a@sha256:12", "invalid reference format"),
        ("a/b\n", "invalid reference format"),
        ("é", "invalid reference format"),
        ("Ubuntu", "invalid reference format: repository name (library/Ubuntu) must be lowercase"),
        ("me/App:1", "invalid reference format: repository name (me/App) must be lowercase"),
        ("0" * 64, f"invalid repository name ({'0' * 64}), cannot specify 64-byte hexadecimal strings"),
        ("x/" + "a" * 256, "repository name must not be more than 255 characters"),
        ("a@sha512:" + "0" * 128, "unsupported digest algorithm"),
        ("a@sha256:" + "0" * 40, "invalid checksum digest length"),
    ],
)
def test_what_is_no_name_is_refused_in_dockers_words(text: str, message: str) -> None:
    with pytest.raises(InvalidParameter) as caught:
        references.parse(text)
    assert caught.value.message == message


@pytest.mark.parametrize(
    "text", ["ubuntu:latest", "me/app:1", "ghcr.io/a/b:c", "ubuntu@" + DIGEST, "localhost:5000/x:y"]
)
def test_familiar_names_come_back(text: str) -> None:
    assert references.parse(text).familiar == text
    assert references.parse(str(references.parse(text))) == references.parse(text)


def test_tags_and_digests_beside_a_name() -> None:
    assert references.parse_with_tag("a", "").tag == "latest"
    assert references.parse_with_tag("a", "1").tag == "1"
    assert references.parse_with_tag("a:x", DIGEST) == Reference("docker.io", "library/a", None, DIGEST)
    with pytest.raises(InvalidParameter, match=r"^invalid tag format$"):
        references.parse_with_tag("a", "b c")


@given(st.text(max_size=80))
def test_any_text_is_a_name_or_invalid(text: str) -> None:
    try:
        reference = references.parse(text)
    except InvalidParameter:
        return
    assert references.parse(reference.familiar) == reference


@given(st.from_regex(r"\A[a-z0-9]{1,5}([./:@A-Z_-]{1,2}[a-z0-9]{1,5}){0,6}\Z"))
def test_texts_like_names_are_names_or_invalid(text: str) -> None:
    try:
        reference = references.parse(text)
    except InvalidParameter:
        return
    assert references.parse(str(reference)) == reference
