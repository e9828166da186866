"""Let the n-th operation on a file fail, or kill the process there, for any n: with strace (Linux)."""

import io
import os
import re
import shutil
import signal
import subprocess
import sys
import traceback
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path

from cnnlib.core.paths import PROJECT_ROOT

OPERATIONS = (
    *("open", "openat", "creat", "write", "pwrite64", "writev", "close", "ftruncate", "truncate", "fallocate"),
    *("rename", "renameat", "renameat2", "link", "linkat", "symlink", "symlinkat", "unlink", "unlinkat", "rmdir"),
    *("mkdir", "mkdirat", "fsync", "fdatasync", "syncfs", "sync_file_range", "copy_file_range", "sendfile"),
    *("chmod", "fchmod", "fchmodat", "chown", "fchown", "fchownat", "utime", "utimes", "utimensat", "setxattr"),
)
KILL = "kill"
FAULTS = (KILL, "ENOSPC", "EIO")
LIMIT_S = 300
_LINE = re.compile(r"(?P<pid>\d+) +(?P<name>\w+)\((?P<arguments>.*)\)\s+= (?P<result>.*)")
_PATH = re.compile(r'(?<!AT_FDCWD)<(/[^>]*)>|"(/[^"]*)"')  # of a descriptor, or written out
_MET = re.compile(r"\(INJECTED\)|\)\s+= \?")  # a call that failed, or that never came back
_OPENED = re.compile(r"O_WRONLY|O_RDWR|O_CREAT")


@dataclass(frozen=True)
class Point:
    """The `number`-th call of a kind that names `path`, in the thread that makes it."""

    call: str
    path: str
    number: int

    def __str__(self) -> str:
        return f"{self.call} {self.number} of {self.path}"


@dataclass(frozen=True)
class Ended:
    """A command that ran under strace: its exit status, -9 after a kill, and its output. `met`: the fault happened."""

    status: int
    out: str
    err: str
    met: bool


@cache
def missing() -> str:
    """Why no fault can be injected here, or nothing."""
    if not shutil.which("strace"):
        return "strace is not installed"
    tried = subprocess.run(["strace", "-f", "-qq", "-o", os.devnull, "true"], capture_output=True, check=False)
    return "this system does not let strace trace a process" if tried.returncode else ""


def points(command: Sequence[str], folders: Sequence[Path], log: Path) -> list[Point]:
    """Every operation of a command that changes something below the folders, in its order."""
    ended = _strace(command, ["-e", f"trace={_kinds()}"], log)
    if ended.status:
        raise RuntimeError(f"{command}: status {ended.status}, without any fault: {ended.err}")
    return list(_points(log.read_text(encoding="utf-8", errors="replace"), [str(folder) for folder in folders]))


def _points(log: str, folders: Sequence[str]) -> Iterator[Point]:
    counts: Counter[tuple[str, str, str]] = Counter()  # of calls by thread, kind and path
    written: set[str] = set()  # paths that were opened to be written
    for match in map(_LINE.fullmatch, _whole_lines(log)):
        if not match:
            continue
        pid, name, arguments = match["pid"], match["name"], match["arguments"]
        paths = [first or ("" if "write" in name else second) for first, second in _PATH.findall(arguments)]
        if name in ("rename", "link", "symlink"):  # strace looks at the first path of these alone
            paths = paths[:1]
        counts.update((pid, name, path) for path in set(paths))
        inside = [path for path in paths if any(path == folder or path.startswith(f"{folder}/") for folder in folders)]
        if not inside or match["result"].startswith("-1 E"):
            continue
        opening = name in ("open", "openat", "creat")
        if opening and _OPENED.search(arguments):
            written.add(inside[0])
        if (opening or name == "close") and inside[0] not in written:
            continue
        if opening and not _OPENED.search(arguments):
            continue
        yield Point(name, inside[0], counts[pid, name, inside[0]])


def _whole_lines(log: str) -> Iterator[str]:
    """The lines of a log, with those put together that another thread's came between."""
    begun: dict[str, str] = {}
    for line in log.splitlines():
        pid, text = line.split(maxsplit=1) if " " in line else (line, "")
        if text.endswith(" <unfinished ...>"):
            begun[pid] = text.removesuffix(" <unfinished ...>")
        elif resumed := re.match(r" *<\.\.\. \w+ resumed>", text):
            yield f"{pid} {begun.pop(pid, '')}{text[resumed.end() :]}"
        else:
            yield line


def run_at(command: Sequence[str], point: Point, fault: str, log: Path) -> Ended:
    """Run a command that is killed just before a point (`KILL`), or for which the call fails with an error there."""
    kind = "signal=KILL" if fault == KILL else f"error={fault}"
    injection = f"inject={point.call}:{kind}:when={point.number}"
    return _strace(command, ["-P", point.path, "-e", f"trace={point.call}", "-e", injection], log)


def run(command: Sequence[str]) -> Ended:
    """Run a command as it is."""
    done = subprocess.run(command, **_OPTIONS)
    return Ended(done.returncode, done.stdout, done.stderr, False)


def run_here(command: Sequence[str]) -> Ended:
    """Run a script or module as `run` does, but by a call of its `main` in this process, which is much faster."""
    _, name, *arguments = command
    if name == "-m":
        name, *arguments = arguments
    else:
        name = ".".join(Path(name).relative_to(PROJECT_ROOT).with_suffix("").parts)
    main = import_module(name).main
    out, err = io.StringIO(), io.StringIO()
    with _state_kept(), redirect_stdout(out), redirect_stderr(err):
        try:
            status = main(arguments)
        except SystemExit as end:
            status = end.code
        except Exception:  # as Python ends a process
            traceback.print_exc()
            status = 1
    return Ended(status, out.getvalue(), err.getvalue(), False)


@contextmanager
def _state_kept() -> Iterator[None]:
    """The working directory of `run` in the block, and after it what scripts change for a whole process."""
    folder, handler = Path.cwd(), signal.getsignal(signal.SIGTERM)
    os.chdir(PROJECT_ROOT.parent)
    try:
        yield
    finally:
        os.chdir(folder)
        signal.signal(signal.SIGTERM, handler)


def _strace(command: Sequence[str], options: Sequence[str], log: Path) -> Ended:
    log.unlink(missing_ok=True)
    tracing = ["strace", "-f", "-y", "-qq", "-e", "signal=none", "-o", str(log), *options]
    if not any("signal=KILL" in option for option in options):
        tracing.append("--seccomp-bpf")  # it is faster, but a process would end after the call, not before
    done = subprocess.run([*tracing, *command], **_OPTIONS)
    said = log.read_text(encoding="utf-8", errors="replace") if log.exists() else ""
    return Ended(done.returncode, done.stdout, done.stderr, bool(_MET.search(said)))


def _kinds() -> str:
    return ",".join(f"?{name}" for name in OPERATIONS)  # a machine may lack the older ones


_OPTIONS = {
    "stdout": subprocess.PIPE,
    "stderr": subprocess.PIPE,
    "encoding": "utf-8",
    "errors": "replace",
    "check": False,
    "timeout": LIMIT_S,
    "cwd": PROJECT_ROOT.parent,
    "env": {
        **os.environ,
        "PYTHONDONTWRITEBYTECODE": "1",
        "CUDA_VISIBLE_DEVICES": "-1",
        "PYTHONPATH": str(PROJECT_ROOT),
    },
}


def script(name: str, *arguments: object) -> list[str]:
    """The command that runs a script of the suite."""
    return [sys.executable, str(PROJECT_ROOT / name), *map(str, arguments)]
