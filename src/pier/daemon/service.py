"""The life of one daemon: hold the roots, open the sockets, build, serve, reload on SIGHUP, end on SIGTERM.

*Theory of operation.* The sockets are bound before anything is built, so that a client that connects early waits
instead of failing. At the end the order is reversed: no new requests, those that watch are cut, those that change
something finish, then the engine lets go of the host. Containers go on, unless --shutdown-containers says otherwise.
"""

import asyncio
import contextlib
import faulthandler
import gc
import logging
import os
import signal
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

from pier.daemon import configuration, hosts, journal, sockets
from pier.daemon.notify import Notifier
from pier.daemon.pidfile import PidFile
from pier.daemon.settings import Settings
from pier.daemon.sockets import Listener
from pier.spec.errors import PierError, SystemFailure
from pier.store.layout import Layout
from pier.store.lock import Lock

log = logging.getLogger("pier.daemon")
# How long requests that change something may take at the end.
_PATIENCE = 10.0
# The first clients are answered before what was loaded is put aside (20 ms).
_SETTLED = 2.0
_INTERRUPTS_THAT_END_AT_ONCE = 3
_FORCED = 130
_THREADS = 64


def run(settings: Settings, words: Sequence[str]) -> None:
    """Serve until a signal ends the daemon. Raises PierError when it cannot start."""
    journal.start(settings.log_level, settings.log_format, debug=settings.debug)
    if os.geteuid() != 0:
        raise SystemFailure("pierd needs to be started with root privileges")
    with contextlib.ExitStack() as held:
        layout = _hold(settings, held)
        listeners = _listen(settings)
        held.callback(sockets.close_all, listeners)
        asyncio.run(_Service(settings, words, layout, listeners).run())


def _hold(settings: Settings, held: contextlib.ExitStack) -> Layout:
    """Make the roots and hold them against a second daemon."""
    layout = Layout(settings.data_root)
    with _as_failure(f"cannot use data root {settings.data_root}"):
        layout.prepare()
        held.enter_context(Lock(settings.data_root))
    with _as_failure(f"cannot use exec root {settings.exec_root}"):
        settings.exec_root.mkdir(parents=True, exist_ok=True, mode=0o711)
        held.enter_context(Lock(settings.exec_root))
        (settings.exec_root / "containers").mkdir(exist_ok=True, mode=0o700)
    held.callback(PidFile(settings.pidfile).remove)
    return layout


@contextlib.contextmanager
def _as_failure(what: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise SystemFailure(f"{what}: {(error.strerror or str(error)).lower()}") from None


def _listen(settings: Settings) -> list[Listener]:
    given = settings.hosts or (("fd://",) if os.environ.get("LISTEN_FDS") else ())
    wanted = [hosts.parse(text) for text in given] or hosts.DEFAULT_HOSTS
    return sockets.open_all(wanted, settings.group, group_is_given=settings.group_is_given)


def _load_http() -> None:
    """Load aiohttp without the host's certificate authorities, which it reads when it is imported (60 ms, 2 MB).

    Only its client would use them, and ours at registries brings its own (`registry/registries.py`).
    """
    before = os.environ.get("SSL_CERT_FILE")
    os.environ["SSL_CERT_FILE"] = os.devnull
    try:
        import aiohttp.web_server  # noqa: F401
    finally:
        del os.environ["SSL_CERT_FILE"]
        if before is not None:
            os.environ["SSL_CERT_FILE"] = before


def _collect_garbage_from_now_on() -> None:
    """Put aside what the start has made, which stays for good, and look for garbage among what comes after it."""
    gc.collect()
    gc.freeze()
    gc.enable()


class _Service:
    """One run of the daemon."""

    def __init__(self, settings: Settings, words: Sequence[str], layout: Layout, listeners: Sequence[Listener]) -> None:
        self._settings = settings
        self._words = words
        self._layout = layout
        self._listeners = listeners
        self._notifier = Notifier()
        self._end = asyncio.Event()
        self._interrupts = 0

    async def run(self) -> None:
        """From building to the end."""
        from pier.daemon import spawning

        self._take_signals()
        # a worker that unpacks for a slow client has a thread of its own: Python's default is six on two processors
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(_THREADS, "beside"))
        launcher = spawning.begin(self._settings, self._layout)
        await asyncio.sleep(0)  # the spawner's program starts now, and loads while this one does
        _load_http()
        from pier.api.endpoints import router
        from pier.api.server import Server
        from pier.daemon import wiring

        self._machine = await wiring.build(self._settings, self._layout, launcher)
        engine = self._machine.engine
        server = Server(router(), engine)
        for listener in self._listeners:
            await server.listen(listener.socket)
            log.info("API listen on %s", listener.name)
        asyncio.get_running_loop().call_later(_SETTLED, _collect_garbage_from_now_on)
        self._notifier.ready()
        log.info("Daemon has completed initialization")
        policies = asyncio.ensure_future(engine.reconcile.follow_policies())
        await self._end.wait()
        log.info("Processing signal: the daemon ends, containers go on")
        self._notifier.stopping()
        policies.cancel()
        if self._settings.shutdown_containers:
            await self._stop_containers()
        await server.close(_PATIENCE)
        await self._machine.close()

    # Signals

    def _take_signals(self) -> None:
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, self._end.set)
        loop.add_signal_handler(signal.SIGINT, self._interrupted)
        loop.add_signal_handler(signal.SIGHUP, self._reload)
        faulthandler.register(signal.SIGUSR1, all_threads=True)

    def _interrupted(self) -> None:
        self._interrupts += 1
        self._end.set()
        if self._interrupts >= _INTERRUPTS_THAT_END_AT_ONCE:
            log.warning("the third interrupt: ending at once")
            os._exit(_FORCED)

    def _reload(self) -> None:
        """Read the configuration again; what is wrong with it leaves everything as it was."""
        from pier.daemon import wiring

        self._notifier.reloading()
        try:
            settings, changes = configuration.reloaded(self._settings, self._words)
        except PierError as error:
            log.error("Error reloading: %s", error.message)
            self._notifier.ready()
            return
        self._settings = settings
        journal.set_level(settings.log_level, debug=settings.debug)
        engine = self._machine.engine
        engine.parts.settings = wiring.with_runtimes(engine.parts.settings, settings)
        system = engine.system
        system.about = wiring.describe(settings, system.about.instance, system.about.id)
        engine.images.configure(system.about)
        engine.events.publish("daemon", "reload", system.about.id, {"name": system.name(), **changes})
        log.info("Reloaded configuration: %s", changes or "nothing changed")
        self._notifier.ready()

    async def _stop_containers(self) -> None:
        """Docker's old way: stop what runs, all at once, within the shutdown timeout."""
        engine, timeout = self._machine.engine, self._settings.shutdown_timeout
        running = [container.id for container in engine.projection if container.state.running]
        await asyncio.gather(
            *(engine.containers.stop(container_id, timeout=timeout) for container_id in running), return_exceptions=True
        )
