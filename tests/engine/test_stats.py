"""Statistics: the numbers of control groups, and Docker's JSON of them."""

from pier.engine.stats import Sample, shown
from pier.runtime.usage import BlockUse, Usage, block_v1, block_v2, interfaces, pairs

ETH0 = "  eth0: 706 7 1 2 0 0 0 0 300 4 5 6 0 0 0 0"
DEV = f"Inter-| Receive | Transmit\n face |bytes packets\n{ETH0.replace('eth0', 'lo')}\n{ETH0}\n"


def test_files_of_the_kernel() -> None:
    assert pairs("cache 5\nrss 7\nbad x\n") == {"cache": 5, "rss": 7}
    assert block_v1("8:0 Read 4096\n8:0 Write 1\nTotal 4097\n") == (
        BlockUse(8, 0, "Read", 4096),
        BlockUse(8, 0, "Write", 1),
    )
    assert block_v2("8:16 rbytes=5 wbytes=6 rios=1 wios=2 dbytes=0\n") == (
        (BlockUse(8, 16, "read", 5), BlockUse(8, 16, "write", 6)),
        (BlockUse(8, 16, "read", 1), BlockUse(8, 16, "write", 2)),
    )
    counters = interfaces(DEV)
    assert list(counters) == ["eth0"]
    assert list(counters["eth0"].values()) == [706, 7, 1, 2, 300, 4, 5, 6]


def test_a_running_containers_sample() -> None:
    network = {"eth0": {"a": 1}}
    use = Usage(cpu_total=5, per_cpu=(2, 3), memory_usage=7, memory_limit=10, processes=1, interfaces=network)
    body = shown("i" * 64, "web", Sample(1_000_000_000, use, 99), Sample(), 1000, per_cpu=True)
    assert body["name"] == "/web"
    assert body["preread"] == "0001-01-01T00:00:00Z"
    assert body["memory_stats"] == {"usage": 7, "stats": {}, "limit": 10}
    assert body["cpu_stats"]["system_cpu_usage"] == 99  # type: ignore[index]
    assert body["cpu_stats"]["cpu_usage"]["percpu_usage"] == [2, 3]  # type: ignore[index]
    assert "system_cpu_usage" not in body["precpu_stats"]  # type: ignore[operator]
    assert body["networks"] == {"eth0": {"a": 1}}


def test_without_a_limit_the_hosts_memory_is_shown() -> None:
    body = shown("i", "web", Sample(1, Usage(), 1), Sample(), 1000, per_cpu=False)
    assert body["memory_stats"]["limit"] == 1000  # type: ignore[index]


def test_a_stopped_containers_sample_is_zeros() -> None:
    body = shown("i", "web", Sample(), Sample(), 1000, per_cpu=True)
    assert (body["read"], body["memory_stats"], body["pids_stats"]) == ("0001-01-01T00:00:00Z", {}, {})
    assert "networks" not in body
