"""From what a client asked for to what a runtime does: validation of a create, Docker's defaults, the OCI
`config.json`.

All functions are pure; what they need of the host comes in as facts (`pier.runtime.facts.HostFacts`, read once at
start, and `pier.engine.oci.facts.ContainerFacts`, gathered by the start path). In the order of a container's life:

create    validate.validate(request, host, settings) -> warnings; touches only what Docker discards with a warning
          merging.merge(request.config(), image.run) -> ContainerConfig; the image's Env, Cmd, User … under the client's
          defaults.adapt(host_config, host, settings); fills ShmSize, IpcMode, CgroupnsMode, …
          merging.program(config) -> (path, args); InvalidParameter when there is none
start     runtime.accounts.read(lowers, upper) -> Accounts; bounded bytes of /etc/passwd and /etc/group
          network_files.hosts(…), hostname(…), resolv_conf(…) -> texts that the start path writes
          configure.configure(facts, host, settings) -> Spec; spec.runtime_config.encode makes LaunchRequest.config
exec      processes.exec_process(facts, exec_config, host, settings) -> Process, encoded as ExecRequest.process; its
          accounts are read from the layers too, as Docker does: a file mounted over /etc/passwd does not count
update    resources.updated(host_config, update, host) -> (HostConfig, warnings); then resources.linux_resources(…),
          msgspec.to_builtins, runtime.limits.writes and ContainerCgroup.update
"""
