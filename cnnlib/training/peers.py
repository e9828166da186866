"""The other workers of a training: they meet before it, notice each other's end during it, and part after it.

Each worker tells its news to all others over a TCP connection: who it is, a beat every few seconds, and goodbye. A
process that dies closes its connections. A machine that is cut off falls silent. Both are noticed without TensorFlow,
whose collectives may wait for ever. The meeting takes place on the ports of TF_CONFIG before TensorFlow opens them; the
connections outlive it.
"""

import json
import selectors
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from cnnlib.core.errors import ConfigError, WorkerLostError
from cnnlib.training.cluster import Cluster

WAIT_S = 300.0  # for a worker that does not come
BEAT_S = 5.0
SILENCE_S = 40.0  # after which a worker counts as lost
PARTING_S = 20.0  # for the goodbyes of the others
ANSWER_S = 5.0  # for a line of a connection that was just opened
LINE_LIMIT = 2**20  # bytes of a message

Message = dict[str, Any]
OnLoss = Callable[[str, int | None], None]  # a sentence, and the exit status of a worker that said why it ended


class Peers:
    """The connections of this worker with all others."""

    def __init__(self, cluster: Cluster, hello: Message) -> None:
        """`hello` is what the others learn of this worker."""
        self.cluster = cluster
        self._hello = {"worker": cluster.index, **hello}
        self._listeners: dict[int, socket.socket] = {}  # by number: those that hear this worker's news
        self._speakers: dict[int, socket.socket] = {}  # and those whose news it hears
        self._lock = threading.Lock()
        self._parted: set[int] = set()
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def _others(self) -> set[int]:
        return {*range(len(self.cluster.workers))} - {self.cluster.index}

    def meet(self) -> list[Message]:
        """What each worker says of itself, by number, once all have heard all.

        Raises WorkerLostError that names those who did not come in time, ConfigError when another one answers.
        """
        hellos = {self.cluster.index: self._hello}
        end = time.monotonic() + WAIT_S
        with self._answering_callers():
            while missing := (self._others - hellos.keys()) | (self._others - {*self._listeners}):
                for number in self._others - hellos.keys():
                    if hello := self._call(number):
                        hellos[number] = hello
                if time.monotonic() > end:
                    names = ", ".join(map(self.cluster.name, sorted(missing)))
                    raise WorkerLostError(f"waited {WAIT_S:.0f} seconds for {names}; start all workers again")
                time.sleep(0.1)
        return [hellos[number] for number in range(len(self.cluster.workers))]

    def _open_port(self) -> socket.socket:
        """This worker's port, open for others. Raises ConfigError when it is taken."""
        address = self.cluster.workers[self.cluster.index]
        number = int(address.rpartition(":")[2])
        both = socket.has_dualstack_ipv6()
        family = socket.AF_INET6 if both else socket.AF_INET
        try:
            return socket.create_server(("", number), family=family, dualstack_ipv6=both)
        except OSError as error:
            raise ConfigError(f"TF_CONFIG: port {number} of this machine can't be opened: {error.strerror}") from error

    @contextmanager
    def _answering_callers(self) -> Iterator[None]:
        """Say hello to each worker that calls during the block. After it the port is free for TensorFlow."""
        met = threading.Event()
        with self._open_port() as port:
            port.settimeout(0.1)
            thread = threading.Thread(target=self._answer_callers, args=(port, met), daemon=True)
            thread.start()
            try:
                yield
            finally:
                met.set()
                thread.join()

    def _answer_callers(self, port: socket.socket, met: threading.Event) -> None:
        while not met.is_set():
            with suppress(OSError, ValueError):  # nobody calls, or a stranger does
                caller, _ = port.accept()
                caller.settimeout(ANSWER_S)
                number = _read(caller).get("worker")
                _send(caller, self._hello)
                if isinstance(number, int) and number in self._others:
                    self._listeners[number] = caller

    def _call(self, number: int) -> Message | None:
        """What a worker says of itself, None if it does not answer yet. Raises ConfigError when it is another one."""
        host, _, port = self.cluster.workers[number].rpartition(":")
        try:
            connection = socket.create_connection((host.strip("[]"), int(port)), timeout=ANSWER_S)
            connection.settimeout(ANSWER_S)
            _send(connection, {"worker": self.cluster.index})
            hello = _read(connection)
        except (OSError, ValueError):
            return None
        if hello.get("worker") != number:
            says = f"it says that it is worker {hello.get('worker')}"
            raise ConfigError(f"TF_CONFIG: {self.cluster.name(number)}: {says}; give each machine its own task.index")
        self._speakers[number] = connection
        return hello

    def watch(self, on_loss: OnLoss) -> None:
        """From now on call `on_loss`, from a thread, for the first worker that ends without a goodbye."""
        self._thread = threading.Thread(target=self._watch, args=(on_loss,), daemon=True)
        self._thread.start()

    def _watch(self, on_loss: OnLoss) -> None:
        heard, beat = dict.fromkeys(self._others, time.monotonic()), 0.0
        with selectors.DefaultSelector() as selector:
            for number, speaker in self._speakers.items():
                selector.register(speaker, selectors.EVENT_READ, number)
            while not self._ended.is_set() and selector.get_map():
                if time.monotonic() > beat + BEAT_S:
                    beat = time.monotonic()
                    self._tell({})
                for key, _ in selector.select(timeout=0.5):
                    heard[key.data] = time.monotonic()
                    if not self._hear(key.data, on_loss):
                        selector.unregister(key.fileobj)
                silent = [number for number in {*self._others} - self._parted if heard[number] < beat - SILENCE_S]
                if silent:
                    on_loss(f"{self.cluster.name(silent[0])} has been silent for {SILENCE_S:.0f} seconds", None)
                    return

    def _hear(self, number: int, on_loss: OnLoss) -> bool:
        """Take in a message of a worker; whether more can come."""
        try:
            message = _read(self._speakers[number])
        except (OSError, ValueError):
            if not self._ended.is_set():
                self._parted.add(number)
                on_loss(f"{self.cluster.name(number)} has ended", None)
            return False
        if "goodbye" not in message:
            return True
        self._parted.add(number)
        if trouble := str(message["goodbye"]):
            named = trouble.startswith("worker ")  # it is about a worker, and all say the same
            on_loss(trouble if named else f"{self.cluster.name(number)}: {trouble}", message.get("status"))
        return False

    def _tell(self, message: Message) -> None:
        with self._lock:
            for listener in self._listeners.values():
                with suppress(OSError):  # one that has gone is noticed where it is heard
                    _send(listener, message)

    def part(self, trouble: str = "", status: int | None = None) -> None:
        """Say goodbye, with what went wrong if anything did, and wait a while for the others' goodbyes."""
        self._tell({"goodbye": trouble, "status": status})
        end = time.monotonic() + PARTING_S
        while not trouble and self._others - self._parted and time.monotonic() < end:
            time.sleep(0.02)
        self._ended.set()
        if self._thread and self._thread is not threading.current_thread():
            self._thread.join(PARTING_S)
        for connection in (*self._listeners.values(), *self._speakers.values()):
            connection.close()


def _send(connection: socket.socket, message: Message) -> None:
    connection.sendall(json.dumps(message).encode() + b"\n")


def _read(connection: socket.socket) -> Message:
    """The next message. Raises OSError or ValueError when there is none.

    It is read byte by byte, so that what follows stays for the next call.
    """
    line = bytearray()
    while not line.endswith(b"\n"):
        byte = connection.recv(1)
        if not byte or len(line) > LINE_LIMIT:
            raise ConnectionError("the connection ended")
        line += byte
    message = json.loads(line)
    if not isinstance(message, dict):
        raise ValueError("expected an object")
    return message
