"""job.py: what a shell does with one job.

usage: job.py PIDFILE COMMAND...

A session leader with a controlling terminal runs it. The command becomes a process group of its own, in the foreground;
its process id goes to PIDFILE. SIGUSR1 puts it into the background, SIGUSR2 into the foreground; whether it is stopped or
continued is the caller's affair. Ends as the command ends.
"""

import os
import signal
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "..", "tools", "lib"))
import child  # noqa: E402

TERMINAL = 0


def main():
    pid_path, command = sys.argv[1], sys.argv[2:]
    signal.signal(signal.SIGTTOU, signal.SIG_IGN)
    ready, go = os.pipe()
    pid = os.fork()
    if pid == 0:
        child.end_with_parent()
        os.read(ready, 1)
        signal.signal(signal.SIGTTOU, signal.SIG_DFL)
        os.execv(command[0], command)
    os.setpgid(pid, pid)
    os.tcsetpgrp(TERMINAL, pid)
    signal.signal(signal.SIGUSR1, lambda *_: os.tcsetpgrp(TERMINAL, os.getpgrp()))
    signal.signal(signal.SIGUSR2, lambda *_: os.tcsetpgrp(TERMINAL, pid))
    with open(pid_path + ".new", "w") as f:
        f.write(str(pid))
    os.rename(pid_path + ".new", pid_path)
    os.write(go, b"x")
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


sys.exit(main())
