"""The process part of a configuration: who runs what, with which environment, capabilities and limits; pure.

Source: moby `daemon/oci_linux.go`, `daemon/exec_linux.go` and `container/container.go` (CreateDaemonEnvironment).
"""

from collections.abc import Iterable, Sequence

from pier.engine.oci import security
from pier.engine.oci.facts import ContainerFacts, Settings
from pier.engine.oci.identity import Identity, resolve
from pier.engine.oci.merging import replace_variables
from pier.engine.oci.security import SecurityOptions
from pier.runtime.facts import CAPABILITIES, HostFacts
from pier.spec.capabilities import granted
from pier.spec.containers import ExecConfig, Ulimit
from pier.spec.errors import InvalidParameter
from pier.spec.runtime_config import Capabilities, ConsoleSize, Process, Rlimit, User

PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_UNLIMITED = 2**64 - 1


def container_process(facts: ContainerFacts, options: SecurityOptions, host: HostFacts, settings: Settings) -> Process:
    """The container's first process. With --init the runtime puts the init in front of `args` itself."""
    config, host_config = facts.config, facts.host_config
    identity = resolve(config.User, host_config.GroupAdd, facts.accounts)
    bounding = bounding_set(facts, host)
    rows, columns = (*host_config.ConsoleSize, 0, 0)[:2]
    return Process(
        args=(facts.path, *facts.args),
        cwd=config.WorkingDir or "/",
        env=environment(facts, identity, tty=config.Tty),
        user=_user(identity),
        terminal=config.Tty,
        console_size=ConsoleSize(height=rows, width=columns) if config.Tty and rows and columns else None,
        capabilities=capability_sets(bounding, identity.uid),
        rlimits=rlimits(host_config.Ulimits, settings.ulimits),
        no_new_privileges=options.no_new_privileges,
        apparmor_profile=security.apparmor_profile(options, host_config, host),
        oom_score_adj=host_config.OomScoreAdj,
    )


def exec_process(
    facts: ContainerFacts, exec_config: ExecConfig, host: HostFacts, settings: Settings | None = None
) -> Process:
    """One more process: the container's identity, environment and privileges, changed by the exec's own.

    `facts.accounts` must be those of the running root. InvalidParameter in Docker's words.
    """
    if not exec_config.Cmd:
        raise InvalidParameter("No exec command specified")
    settings = settings or Settings()
    options = security.parse(facts.host_config, settings, host)
    identity = resolve(exec_config.User or facts.config.User, facts.host_config.GroupAdd, facts.accounts)
    bounding = _everything(host) if exec_config.Privileged else bounding_set(facts, host)
    privileged = exec_config.Privileged and not facts.host_config.Privileged
    rows, columns = (*(exec_config.ConsoleSize or ()), 0, 0)[:2]
    return Process(
        args=tuple(exec_config.Cmd),
        cwd=exec_config.WorkingDir or facts.config.WorkingDir or "/",
        env=environment(facts, identity, tty=exec_config.Tty, over=exec_config.Env or ()),
        user=_user(identity),
        terminal=exec_config.Tty,
        console_size=ConsoleSize(height=rows, width=columns) if exec_config.Tty and rows and columns else None,
        capabilities=capability_sets(bounding, identity.uid),
        rlimits=rlimits(facts.host_config.Ulimits, settings.ulimits),
        no_new_privileges=options.no_new_privileges,
        apparmor_profile=security.UNCONFINED
        if privileged and host.apparmor
        else security.apparmor_profile(options, facts.host_config, host),
    )


def bounding_set(facts: ContainerFacts, host: HostFacts) -> tuple[str, ...]:
    """The capabilities that the container can have at most."""
    host_config = facts.host_config
    return granted(
        host_config.CapAdd,
        host_config.CapDrop,
        privileged=host_config.Privileged,
        known=CAPABILITIES,
        available=host.capabilities,
    )


def _everything(host: HostFacts) -> tuple[str, ...]:
    return granted(None, None, privileged=True, known=CAPABILITIES, available=host.capabilities)


def capability_sets(bounding: tuple[str, ...], uid: int) -> Capabilities:
    """Root gets them all at once, others only as the bound; inheritable and ambient stay empty (CVE-2022-24769)."""
    if uid == 0:
        return Capabilities(bounding=bounding, effective=bounding, permitted=bounding)
    return Capabilities(bounding=bounding)


def environment(facts: ContainerFacts, identity: Identity, *, tty: bool, over: Iterable[str] = ()) -> tuple[str, ...]:
    """PATH, HOSTNAME, TERM with a terminal, the links' variables, the configuration's, `over`; and HOME from passwd."""
    base = [PATH, f"HOSTNAME={facts.config.Hostname}"]
    if tty:
        base.append("TERM=xterm")
    variables = replace_variables([*base, *facts.link_environment], facts.config.Env or ())
    variables = replace_variables(variables, over)
    if not any(entry.startswith("HOME=") for entry in variables):
        variables.append(f"HOME={identity.home}")
    return tuple(variables)


def rlimits(ulimits: Sequence[Ulimit] | None, defaults: Sequence[Ulimit]) -> tuple[Rlimit, ...]:
    """The container's ulimits over the daemon's."""
    chosen = {ulimit.Name.lower(): ulimit for ulimit in (*defaults, *(ulimits or ()))}
    return tuple(
        Rlimit(type=f"RLIMIT_{name.upper()}", hard=_unsigned(limit.Hard), soft=_unsigned(limit.Soft))
        for name, limit in chosen.items()
    )


def _unsigned(value: int) -> int:
    return _UNLIMITED if value < 0 else value


def _user(identity: Identity) -> User:
    return User(uid=identity.uid, gid=identity.gid, additional_gids=identity.groups)
