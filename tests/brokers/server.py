"""A broker that the tests own: started, killed, frozen and started again at will."""

from __future__ import annotations

import atexit
import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import ClassVar

from twisted.internet import reactor
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread

from tests.certificate import self_signed_pem

#: Below the ports that systems give to clients. A client that tries again and again to reach a broker which is away
#: could otherwise be given the broker's port, be connected to itself, and keep the broker from coming back.
PORTS = range(20000, 32000)

#: Seconds until it serves clients. RabbitMQ takes 4 on an idle machine.
STARTING = 60.0

#: Seconds until it has ended when asked to; it is killed then.
STOPPING = 10.0

#: Seconds between two looks at whether it is ready.
LOOKING = 0.02

#: Kills the program when the tests have ended without having had the time to, by SIGKILL for one. Part of util-linux.
LEASH = ["setpriv", "--pdeathsig", "KILL"] if shutil.which("setpriv") else []


class BrokerServer:
    """A broker with a port and a folder of its own; both stay the same until `remove`.

    What takes time is awaited and does not hold up the reactor. It is tied to the life of the thread that starts it:
    call `start` in the reactor's.

    Args:
        tls: clients connect with TLS only; they find whom to trust in `certificate`.
    """

    #: The programs and files without which it cannot run, as `require` takes them.
    NEEDS: ClassVar[tuple[str, ...]]

    #: What it logs when it serves clients.
    READY: ClassVar[bytes]

    def __init__(self, *, tls: bool = False) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix=f"{type(self).__name__}-"))
        atexit.register(self._sweep)
        (self.port,) = free_ports(1)
        self.log = self.folder / "log"
        self.tls = tls
        self.certificate = self.folder / "certificate.pem"
        if tls:
            self.certificate.write_bytes(self_signed_pem())
        self._processes: list[subprocess.Popen[bytes]] = []

    @property
    def address(self) -> str:
        """Host and port."""
        return f"127.0.0.1:{self.port}"

    # What each kind of broker says of itself

    @property
    def url(self) -> str:
        """Where an adapter finds it."""
        raise NotImplementedError

    def _commands(self) -> list[list[str]]:
        """What to run. The last one is the broker itself, the others are what it needs."""
        raise NotImplementedError

    def _environment(self) -> dict[str, str]:
        return dict(os.environ)

    def _is_ready(self) -> bool:
        """Whether it would serve a client now. Runs in a thread; OSError counts as no.

        All listen before they have read their data, and may want a password: their log is the simplest witness.
        """
        return self.READY in self.log.read_bytes()

    # Life

    async def start(self) -> None:
        """Start it, with the data that it had before if any, and wait until it serves clients."""
        with self.log.open("wb") as log:
            for command in self._commands():
                self._processes.append(
                    subprocess.Popen(
                        [*LEASH, *command],
                        cwd=self.folder,
                        env=self._environment(),
                        stdin=subprocess.DEVNULL,
                        stdout=log,
                        stderr=log,
                        start_new_session=True,  # Ctrl-C is for the tests, who then end it
                    )
                )
        await self._until(self._looks_ready)

    async def restart(self) -> None:
        """Kill it if it is running, and start it again."""
        await self.kill()
        await self.start()

    async def mend(self) -> None:
        """Have it serve clients, whatever was done to it before."""
        self.thaw()
        if self._processes and all(process.poll() is None for process in self._processes):
            await self._until(self._looks_ready)
        else:
            await self.restart()

    async def settled(self) -> None:
        """Wait until what its clients have set up would outlast a kill."""

    async def says(self, text: bytes) -> None:
        """Wait until it has logged this since it was started."""
        await self._until(lambda: text in self.log.read_bytes())

    async def stop(self) -> None:
        """Ask it to end, and wait until it has. The data stay."""
        self.thaw()
        for broker in self._processes[-1:]:
            broker.send_signal(signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                await deferToThread(broker.wait, STOPPING)
        await self.kill()

    async def kill(self) -> None:
        """End it at once, whatever it is doing. What it has handed to the system is among its data all the same."""
        self._signal(signal.SIGKILL)
        await deferToThread(self._reap)

    def freeze(self) -> None:
        """Halt all its processes: connections stay open and nobody answers."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        self._signal(signal.SIGCONT)

    async def remove(self) -> None:
        """End it and delete its data."""
        await self.kill()
        await deferToThread(self._sweep)

    @property
    def pids(self) -> list[int]:
        """Its processes, those included that it has started itself."""
        return [pid for process in self._processes if process.poll() is None for pid in family(process.pid)]

    async def _until(self, fact: Callable[[], bool]) -> None:
        end = reactor.seconds() + STARTING
        while not await deferToThread(fact):
            if reactor.seconds() > end or any(process.poll() is not None for process in self._processes):
                await self.kill()
                raise RuntimeError(f"waited in vain for {self!r}:\n{self.log.read_text(errors='replace')[-3000:]}")
            await deferLater(reactor, LOOKING)

    def _looks_ready(self) -> bool:
        try:
            return self._is_ready()
        except OSError:
            return False

    def _signal(self, number: signal.Signals) -> None:
        for pid in self.pids:
            with suppress(ProcessLookupError):
                os.kill(pid, number)

    def _reap(self) -> None:
        for process in self._processes:
            process.wait()
        self._processes.clear()

    def _sweep(self) -> None:
        self._signal(signal.SIGKILL)
        self._reap()
        shutil.rmtree(self.folder, ignore_errors=True)
        atexit.unregister(self._sweep)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.url}>"


def free_ports(count: int) -> list[int]:
    """Ports of 127.0.0.1 that nobody uses."""
    chance = random.SystemRandom()  # tests may have seeded the other one
    free: set[int] = set()
    while len(free) < count:
        port = chance.choice(PORTS)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            free.add(port)
    return list(free)


def family(pid: int) -> list[int]:
    """The process and all that descend from it."""
    return [pid, *(member for child in _children(pid) for member in family(child))]


def _children(pid: int) -> list[int]:
    children: list[int] = []
    for thread in Path("/proc", str(pid), "task").glob("*"):
        with suppress(OSError):  # it has ended meanwhile
            children += map(int, (thread / "children").read_text().split())
    return children
