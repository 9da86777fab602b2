"""child.py: what a child process of a test starts with, whoever started the test."""

import ctypes
import signal

PR_SET_PDEATHSIG = 1  # prctl(2)
prctl = ctypes.CDLL(None, use_errno=True).prctl


def end_with_parent():
    """The calling process is killed when its parent ends, however that ends."""
    prctl(PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)


def fresh(before=None):
    """
    A preexec_fn: no signal is ignored or blocked (a shell's background has SIGINT and SIGQUIT ignored, nohup SIGHUP, and both
    are inherited), and the process ends with its parent. Then `before`.
    """
    def prepare():
        end_with_parent()
        for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGTSTP):
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, [])
        if before:
            before()

    return prepare
