"""Bodies decode as Go decodes them, and fail in Docker's words."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pier.spec.containers import ContainerConfig, CreateRequest, HostConfig
from pier.spec.errors import InvalidParameter
from pier.spec.go_json import decode, to_builtins


def message(body: str) -> str:
    with pytest.raises(InvalidParameter) as raised:
        decode(body.encode(), CreateRequest)
    return raised.value.message


def test_null_leaves_the_zero_value_everywhere() -> None:
    body = b'{"Image": null, "Tty": null, "Env": null, "HostConfig": {"Memory": null, "RestartPolicy": null}}'
    request = decode(body, CreateRequest)
    assert request.Image == ""
    assert request.Tty is False
    assert request.Env is None
    assert request.HostConfig == HostConfig()


def test_keys_match_in_any_case_and_unknown_ones_are_dropped() -> None:
    request = decode(b'{"image": "x", "HOSTCONFIG": {"memory": 5}, "Nonsense": [1]}', CreateRequest)
    assert request.Image == "x"
    assert request.HostConfig is not None
    assert request.HostConfig.Memory == 5


def test_null_inside_lists_and_maps_is_the_items_zero_value() -> None:
    request = decode(b'{"Labels": {"a": null}, "Env": [null, "A=1"], "ExposedPorts": {"80/tcp": null}}', CreateRequest)
    assert request.Labels == {"a": ""}
    assert request.Env == ["", "A=1"]
    assert request.ExposedPorts == {"80/tcp": None}


def test_a_command_may_be_one_string() -> None:
    assert decode(b'{"Cmd": "true", "Entrypoint": ["a"]}', CreateRequest).Cmd == ["true"]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ('{"Tty": "yes"}', "json: cannot unmarshal string into Go struct field CreateRequest.Tty of type bool"),
        (
            '{"HostConfig": {"Memory": "1"}}',
            "json: cannot unmarshal string into Go struct field HostConfig.HostConfig.Memory of type int64",
        ),
        (
            '{"HostConfig": {"Memory": 1.5}}',
            "json: cannot unmarshal number 1.5 into Go struct field HostConfig.HostConfig.Memory of type int64",
        ),
        (
            '{"HostConfig": {"BlkioWeight": 70000}}',
            "json: cannot unmarshal number 70000 into Go struct field HostConfig.HostConfig.BlkioWeight of type uint16",
        ),
        (
            '{"HostConfig": {"Ulimits": [{"Name": 1}]}}',
            "json: cannot unmarshal number into Go struct field Ulimit.HostConfig.Ulimits.Name of type string",
        ),
        ('{"Env": {"a": 1}}', "json: cannot unmarshal object into Go struct field CreateRequest.Env of type []string"),
        ('{"Cmd": 5}', "json: cannot unmarshal number into Go struct field CreateRequest.Cmd of type string"),
        (
            '{"Healthcheck": {"Interval": "1s"}}',
            (
                "json: cannot unmarshal string into Go struct field HealthConfig.Healthcheck.Interval "
                "of type time.Duration"
            ),
        ),
        ("[]", "json: cannot unmarshal array into Go value of type container.CreateRequest"),
        ("", "got EOF while reading request body"),
        ("{", "unexpected EOF"),
        ('{"Image":}', "invalid character '}' looking for beginning of value"),
        ('{"x":tru}', "invalid character '}' in literal true (expecting 'e')"),
        ('{"a" 1}', "invalid character '1' after object key"),
        ('{"a":1,}', "invalid character '}' looking for beginning of object key string"),
        ('{"Cmd":["a" "b"]}', "invalid character '\"' after array element"),
        ('{"a":01}', "invalid character '1' after object key:value pair"),
        ('{"a":"\n"}', "invalid character '\\n' in string literal"),
    ],
)
def test_a_bad_body_is_refused_in_dockers_words(body: str, expected: str) -> None:
    assert message(body) == f"invalid JSON: {expected}"


def test_content_after_the_document_is_refused() -> None:
    assert message('{"Image":"x"} x') == "unexpected content after JSON"


def test_deep_nesting_is_refused_and_not_a_crash() -> None:
    assert "invalid JSON" in message('{"a":' + "[" * 100_000)


def test_a_lone_surrogate_becomes_the_replacement_character() -> None:
    assert decode(b'{"Image": "a\\ud800b"}', CreateRequest).Image == "a\ufffdb"


def test_print_leaves_out_what_docker_leaves_out_and_keeps_null_lists() -> None:
    printed = to_builtins(ContainerConfig(Image="x"))
    assert printed["Cmd"] is None
    assert "Healthcheck" not in printed
    assert "StopSignal" not in printed
    assert "Runtime" not in to_builtins(HostConfig())
    assert to_builtins(HostConfig(Runtime="runc"))["Runtime"] == "runc"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from([*HostConfig.__struct_fields__, "x"]), inner),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from(CreateRequest.__struct_fields__), JSON))
def test_any_document_is_a_request_or_refused_for_its_types(document: dict[str, object]) -> None:
    assert "cannot unmarshal" in (refusal(json.dumps(document).encode()) or "cannot unmarshal")


@given(st.binary(max_size=60))
def test_any_bytes_are_a_request_or_refused(body: bytes) -> None:
    assert refusal(body) != ""


@given(st.text(alphabet='{}[]",:0123456789.eE+-truefalsn\\u \n', max_size=40))
def test_near_json_is_a_request_or_refused(text: str) -> None:
    assert refusal(text.encode()) != ""


def refusal(body: bytes) -> str | None:
    """Why a body is refused; None when it is a request."""
    try:
        decode(body, CreateRequest)
    except InvalidParameter as error:
        return error.message
    return None
