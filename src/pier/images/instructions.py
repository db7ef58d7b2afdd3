"""The Dockerfile instructions that `import --change` and `commit --change` may use, applied to an image's
configuration.

Pure.
"""

import json
import posixpath
import re
from collections.abc import Callable, Iterable, Mapping

import msgspec

from pier.spec.errors import InvalidParameter
from pier.spec.image_config import Healthcheck, RunConfig

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_PORT = re.compile(r"(\d{1,5})(?:-(\d{1,5}))?(?:/(tcp|udp|sctp))?\Z", re.IGNORECASE)
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h)")
_UNITS = {"ns": 1, "us": 10**3, "µs": 10**3, "ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9}
_MAX_LINE = 1 << 16
_NOT_ONBUILD = frozenset(("FROM", "MAINTAINER"))


def apply(config: RunConfig, lines: Iterable[str]) -> RunConfig:
    """A copy of `config` with each instruction applied. InvalidParameter in Docker's words for what is not one."""
    result = msgspec.structs.replace(config)
    for line in lines:
        if len(line) > _MAX_LINE:
            raise InvalidParameter("dockerfile parse error: line is too long")
        word, _, rest = line.strip().partition(" ")
        if not word:
            continue
        handler = _HANDLERS.get(word.upper())
        if handler is None:
            known = word.upper() in ("FROM", "RUN", "COPY", "ADD", "ARG", "SHELL", "MAINTAINER")
            text = (
                f"{word.lower()} is not a valid change command"
                if known
                else f"dockerfile parse error line 1: unknown instruction: {word[:80]}"
            )
            raise InvalidParameter(text)
        handler(result, rest.strip())
    return result


def _command(rest: str) -> list[str]:
    words = _json_words(rest)
    return words if words is not None else ["/bin/sh", "-c", rest]


def _json_words(rest: str) -> list[str] | None:
    if not rest.startswith("["):
        return None
    try:
        words = json.loads(rest)
    except (ValueError, RecursionError):
        return None
    return words if isinstance(words, list) and all(isinstance(word, str) for word in words) else None


def _cmd(config: RunConfig, rest: str) -> None:
    config.cmd = _command(rest) if rest else None


def _entrypoint(config: RunConfig, rest: str) -> None:
    config.entrypoint = _command(rest) if rest else None


def _env(config: RunConfig, rest: str) -> None:
    environment = dict(entry.partition("=")[::2] for entry in config.env or ())
    for name, value in _pairs("ENV", rest, environment):
        environment[name] = value
    config.env = [f"{name}={value}" for name, value in environment.items()]


def _label(config: RunConfig, rest: str) -> None:
    environment = dict(entry.partition("=")[::2] for entry in config.env or ())
    config.labels = {**(config.labels or {}), **dict(_pairs("LABEL", rest, environment))}


def _pairs(word: str, rest: str, environment: Mapping[str, str]) -> list[tuple[str, str]]:
    """`A=1 B="two words"`, or the old `A the rest of the line`."""
    words = split_words(rest)
    if not words:
        raise InvalidParameter(f"{word} requires at least one argument")
    if "=" not in words[0]:
        name, _, value = rest.partition(" ")
        if not value.strip():
            raise InvalidParameter(f"{word} must have two arguments")
        return [(name, expand(value.strip(), environment))]
    pairs: list[tuple[str, str]] = []
    for item in words:
        name, equals, value = item.partition("=")
        if not equals:
            raise InvalidParameter(f"Syntax error - can't find = in {item[:80]!r}. Must be of the form: name=value")
        name = expand(name, environment)
        if not name:
            raise InvalidParameter(f"{word} names can not be blank")
        pairs.append((name, expand(value, environment)))
    return pairs


def split_words(text: str) -> list[str]:
    """Split at blanks outside of quotes; quotes and backslashes stay, for `expand`."""
    words: list[str] = []
    word = quote = ""
    position = 0
    while position < len(text):
        character = text[position]
        if character == "\\" and quote != "'" and position + 1 < len(text):
            word += text[position : position + 2]
            position += 2
            continue
        if quote:
            quote = "" if character == quote else quote
        elif character in "'\"":
            quote = character
        elif character.isspace():
            words += [word] if word else []
            word = ""
            position += 1
            continue
        word += character
        position += 1
    return words + ([word] if word else [])


def expand(text: str, environment: Mapping[str, str]) -> str:
    """Take quotes away and put variables in: `$A`, `${A}`, `${A:-default}`, `${A:+other}`."""
    out: list[str] = []
    quote = ""
    position = 0
    while position < len(text):
        character = text[position]
        if character == "\\" and quote != "'" and position + 1 < len(text):
            following = text[position + 1]
            keep = quote == '"' and following not in '"$\\'
            out.append(("\\" if keep else "") + following)
            position += 2
        elif character in "'\"" and quote in ("", character):
            quote = "" if quote else character
            position += 1
        elif character == "$" and quote != "'":
            value, position = _variable(text, position, environment)
            out.append(value)
        else:
            out.append(character)
            position += 1
    return "".join(out)


def _variable(text: str, position: int, environment: Mapping[str, str]) -> tuple[str, int]:
    if text[position + 1 : position + 2] != "{":
        match = _NAME.match(text, position + 1)
        return (environment.get(match[0], ""), match.end()) if match else ("$", position + 1)
    end = text.find("}", position)
    match = _NAME.match(text, position + 2)
    if end < 0 or match is None:
        raise InvalidParameter("syntax error: missing '}' or variable name")
    value = environment.get(match[0], "")
    modifier = text[match.end() : end]
    if modifier.startswith(":-"):
        value = value or modifier[2:]
    elif modifier.startswith(":+"):
        value = modifier[2:] if value else ""
    elif modifier:
        raise InvalidParameter(f"unsupported modifier ({modifier[:20]}) in substitution")
    return value, end + 1


def _expose(config: RunConfig, rest: str) -> None:
    ports = dict(config.exposed_ports or {})
    words = split_words(rest)
    if not words:
        raise InvalidParameter("EXPOSE requires at least one argument")
    for word in words:
        match = _PORT.match(word)
        if match is None:
            raise InvalidParameter(f"invalid containerPort: {word[:80]}")
        first, last = int(match[1]), int(match[2] or match[1])
        if not 0 < first <= last <= 65535:
            raise InvalidParameter(f"invalid containerPort: {word[:80]}")
        for port in range(first, last + 1):
            ports[f"{port}/{(match[3] or 'tcp').lower()}"] = {}
    config.exposed_ports = ports


def _volume(config: RunConfig, rest: str) -> None:
    paths = _json_words(rest)
    if paths is None:
        paths = [expand(word, {}) for word in split_words(rest)]
    if not paths or not all(path.strip() for path in paths):
        raise InvalidParameter("VOLUME specified can not be an empty string")
    config.volumes = {**(config.volumes or {}), **{path.strip(): {} for path in paths}}


def _workdir(config: RunConfig, rest: str) -> None:
    path = expand(rest, dict(entry.partition("=")[::2] for entry in config.env or ()))
    if not path:
        raise InvalidParameter("WORKDIR requires exactly one argument")
    config.working_dir = posixpath.normpath(posixpath.join("/", config.working_dir or "", path)).replace("//", "/")


def _user(config: RunConfig, rest: str) -> None:
    if len(rest.split()) != 1:
        raise InvalidParameter("USER requires exactly one argument")
    config.user = expand(rest, dict(entry.partition("=")[::2] for entry in config.env or ()))


def _stop_signal(config: RunConfig, rest: str) -> None:
    if not re.fullmatch(r"(?:SIG)?[A-Z0-9+-]{1,12}", rest, re.IGNORECASE):
        raise InvalidParameter(f"Invalid signal: {rest[:40]}")
    config.stop_signal = rest


def _on_build(config: RunConfig, rest: str) -> None:
    trigger = rest.partition(" ")[0].upper()
    if trigger == "ONBUILD":
        raise InvalidParameter("Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed")
    if trigger in _NOT_ONBUILD or not trigger:
        raise InvalidParameter(f"{trigger or 'nothing'} isn't allowed as an ONBUILD trigger")
    config.on_build = [*(config.on_build or []), rest]


def _healthcheck(config: RunConfig, rest: str) -> None:
    check = Healthcheck()
    words = rest.split(" ")
    while words and words[0].startswith("--"):
        _health_flag(check, words.pop(0))
    kind, command = (words[0].upper(), " ".join(words[1:]).strip()) if words else ("", "")
    if kind == "NONE" and not command:
        check.test = ["NONE"]
    elif kind == "CMD" and command:
        listed = _json_words(command)
        check.test = ["CMD", *listed] if listed is not None else ["CMD-SHELL", command]
    else:
        raise InvalidParameter(f"Unknown type {kind!r} in HEALTHCHECK (try CMD)")
    config.healthcheck = check


def _health_flag(check: Healthcheck, flag: str) -> None:
    name, _, value = flag.removeprefix("--").partition("=")
    if name == "retries":
        if not value.isdigit():
            raise InvalidParameter(f"invalid value for --retries: {value[:40]!r}")
        check.retries = int(value[:9])
    elif name in ("interval", "timeout", "start-period", "start-interval"):
        setattr(check, name.replace("-", "_"), duration(value))
    else:
        raise InvalidParameter(f"unknown flag: --{name[:40]}")


def duration(text: str) -> int:
    """Go's duration (`1m30s`) in nanoseconds."""
    parts = _DURATION.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text or len(text) > 40:
        raise InvalidParameter(f'time: invalid duration "{text[:40]}"')
    return sum(int(float(number) * _UNITS[unit]) for number, unit in parts)


_HANDLERS: dict[str, Callable[[RunConfig, str], None]] = {
    "CMD": _cmd,
    "ENTRYPOINT": _entrypoint,
    "ENV": _env,
    "EXPOSE": _expose,
    "HEALTHCHECK": _healthcheck,
    "LABEL": _label,
    "ONBUILD": _on_build,
    "STOPSIGNAL": _stop_signal,
    "USER": _user,
    "VOLUME": _volume,
    "WORKDIR": _workdir,
}
