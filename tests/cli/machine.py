"""machine.py: one `trapeze run` of the guest acts.c, on pipes or on a terminal: talk to it, see how it ends.

Time-outs only end what hangs; nothing is judged by time.
"""

import json
import os
import pty
import select
import signal
import subprocess
import sys
import tempfile
import termios
import time

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "..", "tools", "lib"))
import child  # noqa: E402

SECONDS = 60
JOB = os.path.join(HERE, "job.py")


class Failed(Exception):
    """A property that does not hold; the text says which."""


def equal(what, got, expected):
    if got != expected:
        raise Failed("%s: %r, expected %r" % (what, got, expected))


def process_state(pid):
    """The state letter of proc(5): T is stopped."""
    with open("/proc/%d/stat" % pid, "rb") as f:
        return f.read().rpartition(b")")[2].split()[0].decode()


def wait_for(what, condition):
    limit = time.monotonic() + SECONDS
    while not condition():
        if time.monotonic() > limit:
            raise Failed("%s did not happen in %d s" % (what, SECONDS))
        time.sleep(0.005)


class Machine:
    """
    `act` goes to the guest. With `terminal`, standard input and output are a pseudo-terminal; it is the controlling one of a
    session of its own. With `shell` it is not the session's leader but a job of it, in the foreground at first. Without a
    terminal they are pipes. `before` runs in the child. LOG in an option is the path of a file.
    """

    def __init__(self, trapeze, image, act, options=(), terminal=False, engine="interp", stdout=None,
                 before=None, shell=False):
        self.scratch = tempfile.TemporaryDirectory(prefix="trapeze-cli-")
        self.stats_path = os.path.join(self.scratch.name, "stats.json")
        self.messages_path = os.path.join(self.scratch.name, "stderr")
        self.log_path = os.path.join(self.scratch.name, "log")
        options = [o.replace("LOG", self.log_path) for o in options]
        if not any(o.startswith("--engine") for o in options):
            options += ["--engine", engine]
        self.command = [trapeze, "run", "--kernel", image, "--append", act, "--memory", "16M", "--stats", self.stats_path,
                        *options]
        self.seen = b""
        self.pid = None
        self.master = self.slave = None
        with open(self.messages_path, "wb") as messages:
            if terminal:
                self.master, self.slave = pty.openpty()
                self.attributes = termios.tcgetattr(self.slave)
                name = os.ttyname(self.slave)

                def in_session():
                    os.close(os.open(name, os.O_RDWR))  # a session leader without one gets its terminal so
                    if before:
                        before()

                pid_path = os.path.join(self.scratch.name, "pid")
                command = [sys.executable, JOB, pid_path, *self.command] if shell else self.command
                self.process = subprocess.Popen(command, stdin=self.slave, stdout=self.slave, stderr=messages,
                                                start_new_session=True, preexec_fn=child.fresh(in_session))
                self.read_fd = self.write_fd = self.master
                if shell:
                    wait_for("the job's start", lambda: os.path.exists(pid_path))
                    with open(pid_path) as f:
                        self.pid = int(f.read())
            else:
                self.process = subprocess.Popen(self.command, stdin=subprocess.PIPE, stdout=stdout or subprocess.PIPE,
                                                stderr=messages, preexec_fn=child.fresh(before))
                self.read_fd = None if stdout else self.process.stdout.fileno()
                self.write_fd = self.process.stdin.fileno()
        if not shell:
            self.pid = self.process.pid

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        if self.process.poll() is None:
            os.kill(self.pid, signal.SIGKILL)
            self.process.kill()
            self.process.wait()
        if kind is not None:
            print("command: %s\nconsole: %r\nmessages:\n%s" % (" ".join(self.command), self.seen[-2000:], self.messages()))
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe:
                try:
                    pipe.close()
                except BrokenPipeError:
                    pass
        for fd in (self.master, self.slave):
            if fd is not None:
                os.close(fd)
        self.scratch.cleanup()

    def messages(self):
        with open(self.messages_path, errors="backslashreplace") as f:
            return f.read()

    def _read(self, seconds):
        if not select.select([self.read_fd], [], [], seconds)[0]:
            return b""
        try:
            return os.read(self.read_fd, 65536)
        except OSError:
            return b""

    def until(self, text):
        """Read until `text` has come."""
        limit = time.monotonic() + SECONDS
        while text not in self.seen:
            if time.monotonic() > limit:
                raise Failed("%r did not come in %d s" % (text, SECONDS))
            data = self._read(0.2)
            self.seen += data
            if not data and self.process.poll() is not None and not self._read(0):
                raise Failed("ended with status %s before %r came" % (self.process.returncode, text))

    def ready(self):
        self.until(b"ready")

    def write(self, data):
        os.write(self.write_fd, data)

    def signal(self, number):
        os.kill(self.pid, number)

    def press_button(self, number):
        """A first SIGTERM or SIGHUP, and wait until it has been taken: a second one before would be the same one."""
        self.signal(number)
        wait_for("a word about the power button", lambda: "power button" in self.messages())

    def stopped(self):
        return process_state(self.pid) == "T"

    def descriptor(self, fd):
        """What a descriptor of the process leads to, None: nothing."""
        try:
            return os.readlink("/proc/%d/fd/%d" % (self.pid, fd))
        except OSError:
            return None

    def blocks(self, number):
        """Has it blocked a signal? Those that it takes by its event loop are."""
        with open("/proc/%d/status" % self.pid) as f:
            mask = next(line.split()[1] for line in f if line.startswith("SigBlk:"))
        return bool(int(mask, 16) >> (number - 1) & 1)

    def cook(self):
        termios.tcsetattr(self.slave, termios.TCSANOW, self.attributes)

    def background(self):
        """The shell takes the terminal."""
        self.process.send_signal(signal.SIGUSR1)
        wait_for("the shell's having the terminal", lambda: os.tcgetpgrp(self.master) == self.process.pid)

    def foreground(self):
        self.process.send_signal(signal.SIGUSR2)
        wait_for("the job's having the terminal", lambda: os.tcgetpgrp(self.master) == self.pid)

    def terminal_is(self, raw):
        now = termios.tcgetattr(self.slave)
        return not now[3] & (termios.ICANON | termios.ECHO | termios.ISIG) if raw else now == self.attributes

    def expect_end(self, status, end, debug_exit=None):
        """How it ended: status, `end` and `debug_exit` of the statistics; a terminal is as it was. Returns the statistics."""
        limit = time.monotonic() + SECONDS
        while self.process.poll() is None:
            if self.read_fd is not None:
                self.seen += self._read(0.05)
            else:
                time.sleep(0.01)
            if time.monotonic() > limit:
                raise Failed("did not end in %d s" % SECONDS)
        while self.read_fd is not None:
            data = self._read(0)
            self.seen += data
            if not data:
                break
        equal("status", self.process.returncode, status)
        with open(self.stats_path) as f:
            stats = json.load(f)
        equal("end", stats["end"], end)
        equal("debug_exit", stats["debug_exit"], debug_exit)
        if self.slave is not None and not self.terminal_is(raw=False):
            raise Failed("the terminal is not as it was: %r" % termios.tcgetattr(self.slave))
        return stats


SIGNALS = {"SIGTERM": signal.SIGTERM, "SIGHUP": signal.SIGHUP, "SIGINT": signal.SIGINT, "SIGQUIT": signal.SIGQUIT}
