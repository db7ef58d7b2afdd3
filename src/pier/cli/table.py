"""Every command: its paths (the first is the canonical one), the module that has it, and its one-line summary."""

from __future__ import annotations

ROWS = """
container attach, attach | attach | Attach local standard input, output, and error streams to a running container
container commit, commit | commit | Create a new image from a container's changes
container cp, cp | cp | Copy files/folders between a container and the local filesystem
container create, create | run | Create a new container
container diff, diff | diff | Inspect changes to files or directories on a container's filesystem
container exec, exec | exec | Execute a command in a running container
container export, export | export | Export a container's filesystem as a tar archive
container inspect | inspect | Display detailed information on one or more containers
container kill, kill | lifecycle | Kill one or more running containers
container logs, logs | logs | Fetch the logs of a container
container ls, container list, container ps, ps | ps | List containers
container pause, pause | lifecycle | Pause all processes within one or more containers
container port, port | port | List port mappings or a specific mapping for the container
container prune | prune | Remove all stopped containers
container rename, rename | lifecycle | Rename a container
container restart, restart | lifecycle | Restart one or more containers
container rm, container remove, rm | lifecycle | Remove one or more containers
container run, run | run | Create and run a new container from an image
container start, start | start | Start one or more stopped containers
container stats, stats | stats | Display a live stream of container(s) resource usage statistics
container stop, stop | lifecycle | Stop one or more running containers
container top, top | top | Display the running processes of a container
container unpause, unpause | lifecycle | Unpause all processes within one or more containers
container update, update | update | Update configuration of one or more containers
container wait, wait | lifecycle | Block until one or more containers stop, then print their exit codes
context inspect | context | Display detailed information on one or more contexts
context ls, context list | context | List contexts
context show | context | Print the name of the current context
image bootstrap | bootstrap | Build a base image from Debian's packages and import it
image copy | copy | Copy an image to another daemon, without a registry
image diff | image_works | Inspect the differences between the files of two images
image history, history | history | Show the history of an image
image import, import | archives | Import the contents from a tarball to create a filesystem image
image inspect | inspect | Display detailed information on one or more images
image load, load | archives | Load an image from a tar archive or STDIN
image lock | image_works | Protect one or more images against removal
image ls, image list, images | images | List images
image prune | prune | Remove unused images
image pull, pull | pull | Download an image from a registry
image push, push | pull | Upload an image to a registry
image rm, image remove, rmi | rmi | Remove one or more images
image save, save | archives | Save one or more images to a tar archive (streamed to STDOUT by default)
image squash | image_works | Create an image with one layer out of an image's layers
image tag, tag | rmi | Create a tag TARGET_IMAGE that refers to SOURCE_IMAGE
image unlock | image_works | Let one or more locked images be removed again
inspect | inspect | Return low-level information on Docker objects
login | login | Authenticate to a registry
logout | login | Log out from a registry
network connect | networks | Connect a container to a network
network create | networks | Create a network
network disconnect | networks | Disconnect a container from a network
network inspect | inspect | Display detailed information on one or more networks
network ls, network list | networks | List networks
network prune | prune | Remove all unused networks
network rm, network remove | networks | Remove one or more networks
search | search | Search Docker Hub for images
system dial-stdio | dial | Proxy the stdio stream to the daemon connection. Should not be invoked manually.
system df | disk | Show docker disk usage
system events, events | events | Get real time events from the server
system info, info | info | Display system-wide information
system prune | prune | Remove unused data
version | version | Show the Docker version information
volume create | volumes | Create a volume
volume inspect | inspect | Display detailed information on one or more volumes
volume ls, volume list | volumes | List volumes
volume prune | prune | Remove unused local volumes
volume rm, volume remove | volumes | Remove one or more volumes
"""

GROUPS = {
    "container": "Manage containers",
    "context": "Manage contexts",
    "image": "Manage images",
    "network": "Manage networks",
    "system": "Manage Docker",
    "volume": "Manage volumes",
}
COMMON = ("run", "exec", "ps", "pull", "push", "images", "login", "logout", "search", "version", "info")


class Row:
    """One line of the table."""

    __slots__ = ("module", "paths", "summary")

    def __init__(self, line: str) -> None:
        paths, module, summary = line.split(" | ")
        self.paths = paths.split(", ")
        self.module = module
        self.summary = summary

    @property
    def canonical(self) -> str:
        """The key of the command's definition in its module."""
        return self.paths[0]


def rows() -> list[Row]:
    """The table, read."""
    return [Row(line) for line in ROWS.strip().split("\n")]


def find(words: list[str]) -> tuple[Row | None, int]:
    """The command that these words begin with, and how many of them name it."""
    if not words:
        return None, 0
    count = 2 if words[0] in GROUPS else 1
    path = " ".join(words[:count])
    for line in ROWS.split("\n"):
        if path in line.partition(" | ")[0].split(", "):
            return Row(line), count
    return None, count
