"""Runs a command that must not outlive its owner: `python guard.py COMMAND…`, the owner's pipe on stdin.

When the pipe ends, because the owner closed it or died in whatever way, the command is asked to stop (SIGTERM)
and, should it not have stopped after `PATIENCE` seconds, killed. On Linux the command dies with the guard, too.
Uses only the standard library, and starts in some 20 ms with `python -I -S`.
"""

import ctypes
import os
import select
import signal
import subprocess
import sys

PATIENCE = 7.0  # seconds; less than the 10 in which everything has to be gone
PR_SET_PDEATHSIG = 1


def _die_with_guard() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def main(command: list[str]) -> int:
    """Run `command` until it ends or stdin does; answers its exit code (negative: killed by that signal)."""
    for name in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
        signal.signal(name, signal.SIG_IGN)  # only the owner decides
    ended, tell = os.pipe()
    signal.signal(signal.SIGCHLD, lambda *_: os.write(tell, b"."))
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL, preexec_fn=_restore)
    while child.poll() is None:
        readable, _, _ = select.select([0, ended], [], [])
        if 0 in readable and not os.read(0, 512):
            child.terminate()
            try:
                child.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
        elif ended in readable:
            os.read(ended, 512)
    return child.returncode


def _restore() -> None:
    # Ignored signals stay ignored over exec, and a JVM would then not hear SIGTERM.
    for name in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
        signal.signal(name, signal.SIG_DFL)
    _die_with_guard()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
