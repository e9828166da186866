"""Let Ctrl-C end a script at once while its modules are being imported, without a traceback."""

import signal
import sys
import threading
from pathlib import Path

from cnnlib.core.paths import SHIPPED

SCRIPT_FOLDERS = (SHIPPED, SHIPPED / "gen_image", SHIPPED / "tools")


def runs_our_script() -> bool:
    """Whether this process was started to run one of the suite's scripts."""
    program = Path(sys.argv[0] if sys.argv else "").resolve()
    return program.is_file() and program.parent in SCRIPT_FOLDERS


def end_at_once_while_importing() -> None:
    """Let Ctrl-C end this process at once until `raise_on_interrupt` is called, if it runs one of our scripts."""
    in_main_thread = threading.current_thread() is threading.main_thread()
    if runs_our_script() and in_main_thread and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)


def raise_on_interrupt() -> None:
    """Let Ctrl-C raise KeyboardInterrupt again, as it usually does. Call it in the main thread."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:
        signal.signal(signal.SIGINT, signal.default_int_handler)
