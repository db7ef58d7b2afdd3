"""Go templates: what docker prints for the same text and data."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pier.cli.templates.lexer import TemplateError
from pier.cli.templates.template import Template
from pier.cli.templates.values import encode, show, typed

DATA = {
    "Name": "/web",
    "Id": "0123456789ab",
    "State": {"Running": True, "Pid": 7, "Error": ""},
    "Config": {"Labels": {"b": "2", "a.b/c": "1"}, "Env": ["A=1", "B=2"], "Cmd": None},
    "HostConfig": {"Memory": 0, "Binds": None, "LogConfig": {"Type": "json-file", "Config": {}}},
    "NetworkSettings": {"Ports": {"80/tcp": [{"HostIp": "0.0.0.0", "HostPort": "8123"}], "81/tcp": None}},
    "IPAM": {"Config": [{"Subnet": "10.0.0.0/8"}]},
    "Size": 1.5,
}


def run(text: str, data: object = DATA) -> str:
    return Template(text).execute(typed(data))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("{{.Name}}", "/web"),
        ("{{ .State.Pid }}", "7"),
        ("{{.State}}", "{true 7 }"),
        ("{{.Config.Labels}}", "map[a.b/c:1 b:2]"),
        ("{{.Config.Env}} {{.Config.Cmd}} {{.HostConfig.Binds}}", "[A=1 B=2] [] []"),
        ("{{json .Config.Cmd}} {{json .Config.Env}}", 'null ["A=1","B=2"]'),
        ("{{.HostConfig.LogConfig}}", "{json-file map[]}"),
        ("{{.NetworkSettings.Ports}}", "map[80/tcp:[{0.0.0.0 8123}] 81/tcp:[]]"),
        ("{{.IPAM.Config}}", "[{10.0.0.0/8   map[]}]"),
        ("{{.State.Health}}", "<nil>"),
        ("{{.ID}}", "0123456789ab"),
        ("{{.Size}}", "1.5"),
        ('{{index .Config.Labels "a.b/c"}}', "1"),
        ('{{(index (index .NetworkSettings.Ports "80/tcp") 0).HostPort}}', "8123"),
        ("{{range .Config.Env}}<{{.}}>{{end}}", "<A=1><B=2>"),
        ("{{range $k, $v := .Config.Labels}}{{$k}}={{$v}},{{end}}", "a.b/c=1,b=2,"),
        ("{{range $i, $v := .Config.Env}}{{if $i}}, {{end}}{{$v}}{{end}}", "A=1, B=2"),
        ("{{range .Config.Cmd}}x{{else}}none{{end}}", "none"),
        ("{{range .Config.Env}}{{break}}x{{end}}{{range .Config.Env}}{{continue}}x{{end}}", ""),
        ("{{with .Config}}{{len .Env}}{{end}}", "2"),
        ("{{with .State.Error}}x{{else}}fine{{end}}", "fine"),
        ("{{if .State.Running}}up{{else}}down{{end}}", "up"),
        ("{{if and .State.Running (eq .State.Pid 7)}}yes{{end}}", "yes"),
        ("{{if eq .Name `/x`}}1{{else if eq .Name `/web`}}2{{else}}3{{end}}", "2"),
        ("{{$x := .Name}}{{$x}}{{$x = `y`}}{{$x}}", "/weby"),
        ("a {{- 1 -}} b {{/* note */}}c{{- /* note */ -}} d", "a1b cd"),
        ('{{join .Config.Env ","}} {{upper "x"}} {{title "ab cd"}} {{lower "X"}}', "A=1,B=2 X Ab Cd x"),
        ('{{split "a-b" "-"}} {{pad "x" 1 2}}| {{truncate "abcdef" 3}}', "[a b]  x  | abc"),
        ('{{printf "%s %d %q %5s|%-5s|" "a" 7 "b" "c" "d"}}', 'a 7 "b"     c|d    |'),
        ('{{printf "%t %x %v %%" true 255 .Config.Env}}', "true ff [A=1 B=2] %"),
        ('{{printf "%d" "x"}} {{printf "%s"}} {{printf "a" 1}}', "%!d(string=x) %!s(MISSING) a%!(EXTRA int=1)"),
        ("{{.Name | printf `%s!` | upper}}", "/WEB!"),
        ("{{println 1 `a`}}{{print 1 2 `a` `b`}}", "1 a\n1 2ab"),
        ("{{len .Name}} {{slice .Name 1 3}} {{not true}} {{ne 1 2}}", "4 we false true"),
        ("{{lt 1 2}} {{ge 2 2}} {{or 0 3}} {{and 1 0}}", "true true 3 0"),
        ("{{'a'}} {{0x10}} {{1e3}} {{-5}} {{true}} {{html `<a>`}}", "97 16 1000 -5 true &lt;a&gt;"),
        ("{{/* only */}}", ""),
    ],
)  # fmt: skip
def test_templates_print_what_go_prints(text: str, shown: str) -> None:
    assert run(text) == shown


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{{.Foo}}", 'template: :1:2: executing "" at <.Foo>: map has no entry for key "Foo"'),
        ("{{.State.Foo}}", 'template: :1:8: executing "" at <.State.Foo>: map has no entry for key "Foo"'),
        ("{{.Id", "template: :1: unclosed action"),
        ("{{foo}}", 'template: :1: function "foo" not defined'),
        ("{{if .X}}", "template: :1: unexpected EOF"),
        ("{{end}}", "template: :1: unexpected {{end}}"),
        ("{{$x}}", 'template: :1: undefined variable "$x"'),
        ('{{"abc}}', "template: :1: unterminated quoted string"),
        ("{{}}", "template: :1: missing value for command"),
        ("{{define `x`}}{{end}}", "template: :1: define is not supported in a format"),
    ],
)
def test_mistakes_are_told_in_gos_words(text: str, message: str) -> None:
    with pytest.raises(TemplateError) as failure:
        run(text)
    assert str(failure.value) == message


@given(st.text(alphabet="{}.-|()$ \"'`abIdif:=,0123\n/*", max_size=30))
def test_any_text_is_a_template_or_refused(text: str) -> None:
    try:
        run(text)
    except TemplateError:
        return


def test_json_has_gos_escapes() -> None:
    assert encode({"a": "<b>&\u2028", "é": None}) == '{"a":"\\u003cb\\u003e\\u0026\\u2028","é":null}'


@pytest.mark.parametrize(("value", "shown"), [(None, "<nil>"), (1e21, "1e+21"), (0.1, "0.1"), ([True, 1], "[true 1]")])
def test_values_are_shown_as_gos_v(value: object, shown: str) -> None:
    assert show(value) == shown
