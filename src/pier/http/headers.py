"""Names that both ends of the Engine API use: headers, media types and the words of a connection's takeover."""

API_VERSION = "Api-Version"
EXPERIMENTAL = "Docker-Experimental"
OSTYPE = "Ostype"
SERVER = "Server"
REGISTRY_AUTH = "X-Registry-Auth"
PATH_STAT = "X-Docker-Container-Path-Stat"

JSON = "application/json"
TAR = "application/x-tar"
TEXT = "text/plain; charset=utf-8"
RAW_STREAM = "application/vnd.docker.raw-stream"
MULTIPLEXED_STREAM = "application/vnd.docker.multiplexed-stream"

# The takeover of a connection: the client sends `Connection: Upgrade` and this protocol's name (API ≥ 1.20).
UPGRADE_PROTOCOL = "tcp"
