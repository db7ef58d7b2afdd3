"""The client's configuration over the image's, and the program that comes out; pure.

Source of the rules: moby `daemon/commit.go` (merge) and `daemon/container.go`.
"""

import posixpath
from collections.abc import Iterable

import msgspec

from pier.spec.containers import ContainerConfig, HealthConfig
from pier.spec.errors import InvalidParameter
from pier.spec.image_config import Healthcheck, RunConfig


def merge(config: ContainerConfig, image: RunConfig | None) -> ContainerConfig:
    """The configuration that a container gets; both arguments stay as they are. InvalidParameter without a command."""
    image = image or RunConfig()
    entrypoint, command = config.Entrypoint, config.Cmd
    if not entrypoint:
        command = command or _words(image.cmd)
        entrypoint = _words(image.entrypoint) if entrypoint is None else entrypoint
    if entrypoint in ([""], []):  # `--entrypoint ""` takes the image's away
        entrypoint = None
    if not entrypoint and not command:
        raise InvalidParameter("no command specified")
    return msgspec.structs.replace(
        config,
        User=config.User or image.user or "",
        ExposedPorts=_union(config.ExposedPorts, image.exposed_ports),
        Env=_environment(config.Env, image.env),
        Labels={**(image.labels or {}), **(config.Labels or {})},
        Entrypoint=entrypoint,
        Cmd=command,
        Healthcheck=_health(config.Healthcheck, image.healthcheck),
        WorkingDir=posixpath.normpath(config.WorkingDir) if config.WorkingDir else image.working_dir or "",
        Volumes=_union(config.Volumes, image.volumes),
        StopSignal=config.StopSignal or image.stop_signal or "",
        StopTimeout=image.stop_timeout if config.StopTimeout is None else config.StopTimeout,
    )


def program(config: ContainerConfig) -> tuple[str, tuple[str, ...]]:
    """Docker's Path and Args: the entrypoint with the command as its arguments, or the command alone."""
    words = [*(config.Entrypoint or ()), *(config.Cmd or ())]
    if not words:
        raise InvalidParameter("no command specified")
    return words[0], tuple(words[1:])


def replace_variables(base: Iterable[str], over: Iterable[str]) -> list[str]:
    """Docker's ReplaceOrAppendEnvValues: a later `NAME=value` replaces an earlier one, a bare `NAME` takes it away."""
    values = {entry.partition("=")[0]: entry for entry in base}
    for entry in over:
        name, sign, _ = entry.partition("=")
        if sign:
            values[name] = entry
        else:
            values.pop(name, None)
    return list(values.values())


def _environment(own: list[str] | None, images: list[str] | None) -> list[str] | None:
    if not own:
        return images or own
    names = {entry.partition("=")[0] for entry in own}
    return [*own, *(entry for entry in images or () if entry.partition("=")[0] not in names)]


def _union(
    own: dict[str, dict[str, object] | None] | None, images: dict[str, dict[str, object] | None] | None
) -> dict[str, dict[str, object] | None] | None:
    if not images:
        return own
    return {key: {} for key in (*images, *(own or ()))}


def _health(own: HealthConfig | None, image: Healthcheck | None) -> HealthConfig | None:
    if image is None:
        return own
    own = own or HealthConfig()
    return HealthConfig(
        Test=own.Test or image.test,
        Interval=own.Interval or image.interval,
        Timeout=own.Timeout or image.timeout,
        StartPeriod=own.StartPeriod or image.start_period,
        StartInterval=own.StartInterval or image.start_interval,
        Retries=own.Retries or image.retries,
    )


def _words(value: list[str] | str | None) -> list[str] | None:
    return [value] if isinstance(value, str) else value
