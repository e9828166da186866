"""Where a round of labels and training keeps its things, how far it is, and how it is started."""

import re
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from filelock import Timeout

from cnnlib.config import SampleConfig
from cnnlib.core.errors import SampleError
from cnnlib.core.files import take_lock
from cnnlib.core.paths import display_path

_STEPS = re.compile(r"cycle_stop (\d+) steps")
_STEP = re.compile(r"^(\d+)th training", re.MULTILINE)
_ACCURACY = re.compile(r"^\[Verification set\].* picture accuracy rate is ([\d.]+)", re.MULTILINE)
UNDER_WAY = "a training on these labels is under way"
ENDED = "The new model reads"  # begins the last line of a round that went well
LEAST_PICTURES = 10  # that a training has to have, those for verification and test among them
FAULT_LINES = 3  # of the log, which say why a round failed
SIGNAL_BASE = 128  # of the status of a script that a signal ended
TAIL_BYTES = 2**20  # of a log, which is read at its end


@dataclass(frozen=True)
class RoundFolder:
    """Where a round keeps its training until it is done: beside the model of the config."""

    path: Path

    @classmethod
    def of(cls, config: SampleConfig) -> "RoundFolder":
        """The folder of the rounds of a config."""
        return cls(config.model_save_dir.with_name(f"{config.model_save_dir.name}_round"))

    @property
    def model(self) -> Path:
        """The folder of the model in training."""
        return self.path / "model"

    @property
    def log(self) -> Path:
        """What the round says."""
        return self.path / "round.log"

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the folder for one round. Raises SampleError when another one is under way."""
        self.path.mkdir(parents=True, exist_ok=True)
        try:
            with take_lock(self.path / ".lock", 0):
                yield
        except Timeout as error:
            raise SampleError(UNDER_WAY) from error

    def is_held(self) -> bool:
        """Whether a round is under way, in whatever process."""
        try:
            with self.held():
                return False
        except SampleError:
            return True


@dataclass(frozen=True)
class RoundState:
    """How far a round is. `curve` has the share of verification pictures read right, a value for each ten steps."""

    running: bool
    step: int
    steps: int
    curve: tuple[float, ...]
    said: str  # its last line
    fault: str = ""  # the last lines of one that failed, and where all of them are


class Rounds:
    """The rounds of a config: what starts one, and how far it is."""

    def __init__(
        self,
        command: Sequence[str],
        folder: RoundFolder,
        count: Callable[[], int] | None = None,
        check: Callable[[], None] | None = None,
    ) -> None:
        """`count` gives how many labelled pictures there are; without it, their number is not checked.

        `check` raises SampleError when something else speaks against a round.
        """
        self._command, self._folder, self._count, self._check = command, folder, count, check
        self._process: subprocess.Popen[bytes] | None = None  # which takes seconds before it holds the folder
        self._lock = threading.Lock()

    def start(self) -> None:
        """Start a round as a process of its own, which writes the log.

        Raises SampleError when one is under way, when there are too few labelled pictures, or for what was checked.
        """
        with self._lock:
            if self._is_running():
                raise SampleError(UNDER_WAY)
            if self._count:
                check_enough(self._count())
            if self._check:
                self._check()
            self._folder.path.mkdir(parents=True, exist_ok=True)
            with self._folder.log.open("wb") as log:
                self._process = subprocess.Popen(
                    self._command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
                )

    def _is_running(self) -> bool:
        """Whether this process's round is under way, or that of another one."""
        return (self._process is not None and self._process.poll() is None) or self._folder.is_held()

    def state(self) -> RoundState | None:
        """The state of the round under way, or of the last one; None before the first."""
        try:
            with self._folder.log.open("rb") as file:
                file.seek(max(0, self._folder.log.stat().st_size - TAIL_BYTES))
                said = file.read().decode("utf-8", "replace").replace("\r", "\n")
        except OSError:
            return None
        state = _state(said, self._is_running())
        return state if state.running or state.said.startswith(ENDED) else replace(state, fault=self._fault(said))

    def _fault(self, said: str) -> str:
        lines = [line for line in said.splitlines() if line.strip()][-FAULT_LINES:]
        return "\n".join([*lines, f"All that it said is in {display_path(self._folder.log)}"])


def check_enough(pictures: int) -> None:
    """Raise SampleError when so many labelled pictures are too few for a training."""
    if pictures < LEAST_PICTURES:
        raise SampleError(
            f"expected {LEAST_PICTURES} or more labelled pictures to train on; got {pictures}; label some more"
        )


def ending(status: int) -> str:
    """How a process ended that has this exit status, which is not 0."""
    number = -status if status < 0 else status - SIGNAL_BASE
    try:
        name = signal.Signals(number).name
    except ValueError:
        return f"ended with status {status}"
    why = ", as the system does when memory runs short" if name == "SIGKILL" else ""
    return f"was ended from outside, by the signal {name}{why}"


def _state(said: str, running: bool) -> RoundState:
    lines = [line for line in said.splitlines() if line.strip()]
    steps, step = _STEPS.findall(said), _STEP.findall(said)
    curve = tuple(map(float, _ACCURACY.findall(said)))
    return RoundState(
        running, int(step[-1]) if step else 0, int(steps[-1]) if steps else 0, curve, lines[-1] if lines else ""
    )
