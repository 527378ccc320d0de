"""The command line as on a system without Unix: `python -m tests.without_unix judge SHEET`.

What Python has on Unix alone is taken away: modules cannot be imported, functions and constants are gone. Libraries are
imported before: on such a system they have ways of their own. SIGKILL and WNOHANG stay, for Python's own subprocess.
"""

import importlib
import os
import signal
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec

MODULES = ("fcntl", "grp", "posix", "pty", "pwd", "resource", "syslog", "termios", "tty")
OF_OS = (
    *("O_CLOEXEC", "O_NOFOLLOW", "O_NONBLOCK", "WEXITED", "WNOWAIT", "fchmod", "fork", "geteuid", "getloadavg"),
    *("getpgid", "getuid", "killpg", "mkfifo", "nice", "pread", "pwrite", "register_at_fork", "sched_getaffinity"),
    *("sched_setaffinity", "setsid", "statvfs", "uname", "waitid"),
)
OF_SIGNAL = ("SIGALRM", "SIGHUP", "SIGPIPE", "SIGUSR1", "alarm", "pthread_kill", "pthread_sigmask", "setitimer")
LIBRARIES = (
    *("asyncio", "multiprocessing.pool", "platform", "shutil", "sqlite3", "subprocess", "tempfile", "numpy", "psutil"),
    *("pydantic", "rich.console", "typer"),
)


class Absent:
    """A finder that finds none of `MODULES`."""

    @staticmethod
    def find_spec(name: str, path: Sequence[str] | None = None, target: object = None) -> ModuleSpec | None:
        del path, target
        if name in MODULES:
            raise ModuleNotFoundError(f"No module named '{name}'", name=name)
        return None


def take_unix_away() -> None:
    for name in LIBRARIES:
        importlib.import_module(name)
    sys.meta_path.insert(0, Absent)
    for name in MODULES:
        sys.modules.pop(name, None)
    for module, names in ((os, OF_OS), (signal, OF_SIGNAL)):
        for name in names:
            if hasattr(module, name):
                delattr(module, name)


if __name__ == "__main__":
    take_unix_away()
    from harness.cli.main import main

    main()
