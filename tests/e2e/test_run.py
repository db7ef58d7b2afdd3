"""`docker run` seen from inside the container: identity, streams, environment, files. The same on dockerd."""

import re

import pytest

from tests.support.engines import Engine

pytestmark = [pytest.mark.root, pytest.mark.docker_cli, pytest.mark.peer]


def sh(engine: Engine, script: str, *flags: str) -> str:
    """Run a script in a fresh busybox and give its output."""
    return engine.docker("run", "--rm", *flags, "busybox", "sh", "-c", script).ok()


def test_the_program_is_process_one_in_its_own_namespaces(engine: Engine) -> None:
    assert sh(engine, "echo $$; cat /proc/1/comm; true") == "1\nsh"


def test_stdout_and_stderr_arrive_apart(engine: Engine) -> None:
    result = engine.docker("run", "--rm", "busybox", "sh", "-c", "echo out; echo err >&2")
    assert (result.code, result.stdout, result.stderr) == (0, "out\n", "err\n")


def test_stdin_is_closed_when_the_client_ends_its_input(engine: Engine) -> None:
    assert engine.docker("run", "--rm", "-i", "busybox", "wc", "-c", stdin="x" * 100_000).ok() == "100000"


def test_output_after_the_end_of_input_still_arrives(engine: Engine) -> None:
    script = "cat >/tmp/in; sleep 0.2; wc -c </tmp/in; echo done"
    assert engine.docker("run", "--rm", "-i", "busybox", "sh", "-c", script, stdin="abc").ok() == "3\ndone"


def test_without_interactive_stdin_is_empty(engine: Engine) -> None:
    assert engine.docker("run", "--rm", "busybox", "wc", "-c", stdin="lost").ok() == "0"


def test_two_megabytes_of_output_arrive_whole(engine: Engine) -> None:
    result = engine.docker("run", "--rm", "busybox", "sh", "-c", "yes 0123456789abcde | head -c 2097152")
    assert len(result.stdout) == 2097152


def test_hostname_is_the_short_id_and_stands_in_hosts(engine: Engine) -> None:
    hostname, entry = sh(engine, "hostname; grep $(hostname) /etc/hosts").splitlines()
    assert re.fullmatch(r"[0-9a-f]{12}", hostname)
    assert re.fullmatch(rf"\d+\.\d+\.\d+\.\d+\t{hostname}", entry)


def test_hostname_and_domain_are_as_given(engine: Engine) -> None:
    assert sh(engine, "hostname; hostname -f", "-h", "web", "--domainname", "example.org") in (
        "web\nweb.example.org",
        "web.example.org\nweb.example.org",
    )


def test_environment_is_the_default_the_images_and_the_flags(engine: Engine) -> None:
    environment = dict(line.split("=", 1) for line in sh(engine, "env", "-e", "A=1 2", "-e", "B=").splitlines())
    assert environment["PATH"] == "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    assert environment["HOME"] == "/root"
    assert re.fullmatch(r"[0-9a-f]{12}", environment["HOSTNAME"])
    assert (environment["A"], environment["B"]) == ("1 2", "")
    assert "TERM" not in environment


def test_working_directory_is_made(engine: Engine) -> None:
    assert sh(engine, "pwd; stat -c %a .", "-w", "/new/place") == "/new/place\n755"


def test_entrypoint_replaces_the_images(engine: Engine) -> None:
    assert engine.docker("run", "--rm", "--entrypoint", "/bin/echo", "busybox", "one", "two").ok() == "one two"


def test_the_images_command_runs_when_none_is_given(engine: Engine) -> None:
    assert engine.docker("run", "--rm", "-i", "busybox", stdin="echo from the shell").ok() == "from the shell"


def test_user_by_name_and_by_number(engine: Engine) -> None:
    assert sh(engine, "id -u; id -g; id -G", "-u", "daemon").splitlines()[:2] == ["1", "1"]
    assert sh(engine, "id -u; id -g", "-u", "1234:99") == "1234\n99"


def test_supplementary_groups(engine: Engine) -> None:
    groups = sh(engine, "id -G", "-u", "daemon", "--group-add", "77").split()
    assert {"1", "26", "77"} <= set(groups)


def test_a_numeric_user_is_never_a_name_cve_2016_3697(engine: Engine) -> None:
    assert sh(engine, "id -u", "-u", "4242") == "4242"


def test_default_capabilities_are_dockers(engine: Engine) -> None:
    status = dict(line.split(":\t") for line in sh(engine, "grep ^Cap /proc/self/status").splitlines())
    assert status == {
        "CapInh": "0000000000000000",
        "CapPrm": "00000000a80425fb",
        "CapEff": "00000000a80425fb",
        "CapBnd": "00000000a80425fb",
        "CapAmb": "0000000000000000",
    }


def test_capabilities_added_and_dropped(engine: Engine) -> None:
    flags = ("--cap-drop", "ALL", "--cap-add", "CHOWN", "--cap-add", "net_raw")
    assert sh(engine, "grep ^CapEff /proc/self/status", *flags) == "CapEff:\t0000000000002001"


def test_a_user_has_no_effective_capability(engine: Engine) -> None:
    assert sh(engine, "grep ^CapEff /proc/self/status", "-u", "1000") == "CapEff:\t0000000000000000"


def test_no_new_privileges_on_request(engine: Engine) -> None:
    assert sh(engine, "grep NoNewPrivs /proc/self/status") == "NoNewPrivs:\t0"
    assert sh(engine, "grep NoNewPrivs /proc/self/status", "--security-opt", "no-new-privileges") == "NoNewPrivs:\t1"


def test_the_default_seccomp_filter_is_on(engine: Engine) -> None:
    assert sh(engine, "grep ^Seccomp: /proc/self/status") == "Seccomp:\t2"
    assert engine.docker("run", "--rm", "busybox", "unshare", "-U", "true").code == 1
    assert sh(engine, "grep ^Seccomp: /proc/self/status", "--security-opt", "seccomp=unconfined") == "Seccomp:\t0"


def test_kernel_paths_are_masked_or_read_only(engine: Engine) -> None:
    masked = "acpi asound kcore keys latency_stats sched_debug scsi timer_list timer_stats"
    look = "do cat $p 2>/dev/null; ls $p/* 2>/dev/null; done; ls /sys/firmware"
    assert sh(engine, f"cd /proc; for p in {masked}; {look}") == ""
    assert "Read-only" in sh(engine, "echo 1 2>&1 >/proc/sys/kernel/panic; true")
    assert "Read-only" in sh(engine, "mkdir /sys/x 2>&1; true")


def test_devices_are_the_allowed_ones(engine: Engine) -> None:
    names = sh(engine, "ls /dev").split()
    wanted = "full null ptmx pts random shm stderr stdin stdout tty urandom zero"
    assert set(wanted.split()) <= set(names)
    assert "not permitted" in sh(engine, "mknod /dev/disk b 254 0; head -c 1 /dev/disk 2>&1; true")


def test_shm_and_tmpfs_have_their_sizes(engine: Engine) -> None:
    script = "grep -E ' /(dev/shm|scratch) ' /proc/mounts"
    lines = sh(engine, script, "--shm-size", "32m", "--tmpfs", "/scratch:size=1m,mode=700").splitlines()
    by_path = {line.split()[1]: line.split()[3] for line in lines}
    assert "size=32768k" in by_path["/dev/shm"]
    assert {"size=1024k", "mode=700", "nosuid", "nodev", "noexec"} <= set(by_path["/scratch"].split(","))


def test_a_read_only_root_refuses_writes(engine: Engine) -> None:
    assert "Read-only file system" in sh(engine, "touch /x 2>&1; true", "--read-only")


def test_ulimits_are_set(engine: Engine) -> None:
    assert sh(engine, "ulimit -n; ulimit -Hn", "--ulimit", "nofile=100:200") == "100\n200"


def test_init_adopts_and_passes_signals(engine: Engine) -> None:
    assert sh(engine, "cat /proc/1/comm; echo $$", "--init").splitlines()[0] in ("docker-init", "tini", "tini-static")


def test_no_descriptor_of_the_host_is_open_cve_2024_21626(engine: Engine) -> None:
    assert sh(engine, "ls /proc/self/fd").split() in (["0", "1", "2", "3"], ["0", "1", "2"])


def test_sysctls_of_own_namespaces(engine: Engine) -> None:
    assert sh(engine, "cat /proc/sys/net/core/somaxconn", "--sysctl", "net.core.somaxconn=77") == "77"


def test_hosts_entries_and_dns(engine: Engine) -> None:
    assert "10.9.8.7\tbox" in sh(engine, "cat /etc/hosts", "--add-host", "box:10.9.8.7")
    flags = ("--dns", "10.1.1.1", "--dns-search", "example.org", "--dns-option", "ndots:2")
    resolv = sh(engine, "cat /etc/resolv.conf", *flags)
    assert [line for line in resolv.splitlines() if not line.startswith("#")] == [
        "search example.org",
        "nameserver 10.1.1.1",
        "options ndots:2",
    ] or set(resolv.splitlines()) >= {"search example.org", "nameserver 10.1.1.1", "options ndots:2"}
