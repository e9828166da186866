"""The processes of a server with several workers, as its supervisor starts, watches and replaces them."""

import logging
import time

import uvicorn
from uvicorn.supervisors import multiprocess

from cnnlib.web.stopping import GracefulServer

_log = logging.getLogger(__name__)
START_TIMEOUT_S = 120  # a worker that starts may be silent so long: on a busy machine it imports its modules slowly


class WorkerProcess(multiprocess.Process):
    """A process of uvicorn's supervisor with a graceful server, and more time for its first sign of life than later."""

    _started_at = 0.0
    _was_asked = _has_answered = False

    @property
    def server(self) -> uvicorn.Server:
        if self._server is None:
            self._server = GracefulServer(self.config, supervised=True)
        return self._server

    def start(self) -> None:
        self._started_at = time.monotonic()
        super().start()

    def is_alive(self, timeout: float = 5) -> bool:
        """Whether it answers within `timeout` seconds, or still starts. Logs why not."""
        if self._is_starting() or super().is_alive(timeout):
            return True
        self.process.join(0.1)  # a moment after its pipe is closed it has ended
        silent_s = timeout if self._has_answered else START_TIMEOUT_S
        reason = f"gave no sign of life for {silent_s:g} seconds; the machine may be too busy for --workers"
        if self.process.exitcode is not None:
            reason = f"ended with status {self.process.exitcode}, a negative one being the number of a signal"
        _log.warning("worker %s %s; another one takes its place", self.pid, reason)
        return False

    def _is_starting(self) -> bool:
        """Whether it runs, and has neither answered the first time nor used up its time for that."""
        if self._has_answered or not self.process.is_alive() or time.monotonic() > self._started_at + START_TIMEOUT_S:
            return False
        try:
            if not self._was_asked:
                self.parent_conn.send(b"ping")
            self._was_asked = True
            if self.parent_conn.poll(0):
                self._has_answered = self.parent_conn.recv() is not None
        except (OSError, EOFError):
            return False
        return not self._has_answered


def use_worker_processes() -> None:
    """Let uvicorn's supervisor start these processes, for which it has no setting."""
    multiprocess.Process = WorkerProcess  # type: ignore[misc]
