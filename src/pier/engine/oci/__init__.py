"""From what a client asked for to what a runtime does: validation of a create, Docker's defaults, and the OCI `config.json`.

All functions are pure; what they need of the host comes in as facts (`pier.runtime.facts.HostFacts`, read once at start,
and `pier.engine.oci.facts.ContainerFacts`, gathered by the start path). In the order of a container's life:

    create      validate.validate(request, host, settings) -> warnings          Docker's texts and kinds; touches only what
                                                                                Docker discards with a warning
                merging.merge(request.config(), image.run) -> ContainerConfig   image's Env, Cmd, User … under the client's
                defaults.adapt(host_config, host, settings) -> None             fills ShmSize, IpcMode, CgroupnsMode, …
                merging.program(config) -> (path, args)                         entrypoint + cmd; InvalidParameter if neither
                mounts.requested(config, host_config) -> tuple[Mount, …]        binds, --mount, --tmpfs and VOLUMEs as one list
    start       runtime.accounts.read(lowers, upper) -> Accounts                bounded bytes of /etc/passwd and /etc/group
                network_files.hosts(…) / hostname(…) / resolv_conf(…) -> str    texts that the start path writes
                configure.configure(facts, host, settings) -> Spec              spec.runtime_config.encode(spec) is LaunchRequest.config
    exec        processes.exec_process(facts, exec_config, host) -> Process     msgspec.json.encode(process) is ExecRequest.process
    update      resources.updated(host_config, update, host) -> HostConfig      merged and validated; then
                resources.linux_resources(host_config, host) -> LinuxResources  for runtime.cgroups.ContainerCgroup.update
"""
