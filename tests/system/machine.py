"""machine.py: a guest in a terminal: starts `trapeze run` under a pseudo-terminal or pipes, talks to it, sees how it ends.

What every test of this folder needs: the monitor's path, a kernel, our initramfs, and how long things may take. Time-outs
here only end tests that hang; nothing is judged by time.
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
sys.dont_write_bytecode = True
import child  # noqa: E402
import debian_i386  # noqa: E402
import debian_kernel  # noqa: E402
import initramfs  # noqa: E402
import vmlinux  # noqa: E402

FIRST_LINE = b"trapeze: /init"
PROMPT = b"guest:/root# "
# A boot on the interpreter of a sanitizer build, on a busy machine.
BOOT_SECONDS = 400
ANSWER_SECONDS = 120


class Failed(Exception):
    """A property that does not hold; the text says which."""


class Skipped(Exception):
    """The test cannot run here; the text says why."""


def i386_files(folder, flavour, as_elf):
    """(kernel, initramfs) of a 32-bit system; the kernel as Debian packs it, or the ELF file that is in it."""
    try:
        entry = debian_i386.cached(flavour) or debian_i386.fetch(flavour, print)
    except (debian_i386.Failure, OSError) as e:
        raise Skipped("no 32-bit kernel of Debian's in the cache, and none to be had: %s" % e) from e
    kernel, output = os.path.join(entry, "vmlinuz"), os.path.join(folder, "initramfs")
    initramfs.write(output, [], initramfs.read(os.path.join(entry, "busybox")))
    if as_elf:
        packed, kernel = kernel, os.path.join(folder, "vmlinux")
        with open(kernel, "wb") as f:
            f.write(vmlinux.extract(initramfs.read(packed)))
    return kernel, output


def guest_files(folder, guest, added=()):
    """(kernel, initramfs) for a test, the latter made in `folder`; `added` as for initramfs.build(). `guest`: amd64,
    686, 686-pae or 686-pae-pvh, the last three without `added`."""
    if guest != "amd64":
        return i386_files(folder, guest.replace("-pvh", ""), guest.endswith("-pvh"))
    entry = debian_kernel.cached()
    if not entry:
        raise Skipped("no Debian kernel in %s; tools/check fetches one" % debian_kernel.cache_root())
    if not os.path.exists(initramfs.BUSYBOX):
        raise Skipped("no %s; install busybox-static" % initramfs.BUSYBOX)
    modules = [os.path.join(entry, m) for m in os.listdir(entry) if m.endswith(".ko")]
    output = os.path.join(folder, "initramfs")
    initramfs.write(output, modules, added=added)
    return os.path.join(entry, "vmlinuz"), output


class Machine:
    """
    One `trapeze run`. With `terminal`, standard input and output are a pseudo-terminal, else pipes. Use in `with`: at the end
    the process is gone, whatever happened.
    """

    def __init__(self, trapeze, engine, options=(), append="", terminal=False, mode="shell", guest="amd64",
                 added=()):
        self.scratch = tempfile.TemporaryDirectory(prefix="trapeze-test-")
        self.stats_path = os.path.join(self.scratch.name, "stats.json")
        self.seen = b""
        self.messages = open(os.path.join(self.scratch.name, "stderr"), "w+b")
        kernel, initrd = guest_files(self.scratch.name, guest, added)
        line = "console=ttyS0 quiet panic=-1 trapeze.mode=%s %s" % (mode, append)
        self.command = [trapeze, "run", "--engine", engine, "--kernel", kernel, "--initrd", initrd,
                        "--append", line.strip(), "--stats", self.stats_path, *options]
        self.terminal_before = None
        if terminal:
            self.master, self.slave = pty.openpty()
            # The terminal itself shall not turn "\n" into "\r\n": bytes are compared here.
            attributes = termios.tcgetattr(self.slave)
            attributes[1] &= ~(termios.OPOST | termios.ONLCR)
            termios.tcsetattr(self.slave, termios.TCSANOW, attributes)
            self.terminal_before = termios.tcgetattr(self.slave)
            self.process = subprocess.Popen(self.command, stdin=self.slave, stdout=self.slave, stderr=self.messages,
                                            start_new_session=True, preexec_fn=child.fresh())
            self.read_fd = self.write_fd = self.master
        else:
            self.master = self.slave = None
            self.process = subprocess.Popen(self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.messages,
                                            preexec_fn=child.fresh())
            self.read_fd, self.write_fd = self.process.stdout.fileno(), self.process.stdin.fileno()

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        if kind is not None and kind is not Skipped:
            print("command: %s" % " ".join(self.command))
            print("console, the last of it:")
            print(self.seen[-4000:].decode(errors="replace").replace("\r", ""))
            print("messages:")
            print(self.words())
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe:
                pipe.close()
        for fd in (self.master, self.slave):
            if fd is not None:
                os.close(fd)
        self.messages.close()
        self.scratch.cleanup()

    # -- talking --

    def _read(self, seconds):
        """Bytes that arrive within the time, b"" for none or the end."""
        if not select.select([self.read_fd], [], [], max(0, seconds))[0]:
            return b""
        try:
            return os.read(self.read_fd, 65536)
        except OSError:
            return b""

    def until(self, text, seconds=ANSWER_SECONDS, send=b""):
        """
        Read until `text` has come, and return what came with it; writes `send` meanwhile, as far as the other side takes it.
        What came behind `text` stays for the next call.
        """
        end = time.monotonic() + seconds
        got, self.pending = getattr(self, "pending", b""), b""
        while text not in got:
            if time.monotonic() > end:
                raise Failed("%r did not come in %d s" % (text, seconds))
            if send and select.select([], [self.write_fd], [], 0)[1]:
                send = send[os.write(self.write_fd, send[:512]):]
            data = self._read(0.02 if send else 1)
            self.seen += data
            got += data
            if not data and self.process.poll() is not None:
                raise Failed("ended with status %d before %r came" % (self.process.returncode, text))
        at = got.index(text) + len(text)
        self.pending = got[at:]
        return got[:at]

    def write(self, data):
        os.write(self.write_fd, data)

    def shell(self):
        """Wait for the guest's prompt."""
        self.until(FIRST_LINE, BOOT_SECONDS)
        self.until(PROMPT, BOOT_SECONDS)

    def answer(self, line, seconds=ANSWER_SECONDS):
        """What a command in the guest's shell prints, as text."""
        # The marks are spelled so that the echo of the line does not contain them.
        self.write(b"echo 'a''nswer' && { %s; }; echo 'e''nd'\r" % line.encode())
        self.until(b"answer\r\n", seconds)
        got = self.until(b"end\r\n", seconds)[:-len(b"end\r\n")]
        self.until(PROMPT, seconds)
        return got.decode(errors="replace").replace("\r\n", "\n").strip()

    # -- ending --

    def signal(self, number=signal.SIGTERM):
        self.process.send_signal(number)

    def end(self, seconds=ANSWER_SECONDS):
        """Wait for the end; returns (exit status, statistics or None)."""
        limit = time.monotonic() + seconds
        while self.process.poll() is None:
            if time.monotonic() > limit:
                raise Failed("did not end in %d s" % seconds)
            self.seen += self._read(0.1)
        while True:
            data = self._read(0)
            if not data:
                break
            self.seen += data
        stats = None
        if os.path.exists(self.stats_path):
            with open(self.stats_path) as f:
                stats = json.load(f)
        return self.process.returncode, stats

    def expect_end(self, status, end, seconds=ANSWER_SECONDS):
        """It ends, with that status and that word in the statistics."""
        got, stats = self.end(seconds)
        if got != status:
            raise Failed("exit status %s, expected %d" % (got, status))
        if not stats or stats["end"] != end:
            raise Failed("the statistics say end %r, expected %r" % (stats and stats["end"], end))
        return stats

    def expect_terminal_restored(self):
        if termios.tcgetattr(self.slave) != self.terminal_before:
            raise Failed("the terminal is not as it was before")

    def words(self):
        """What Trapeze has written to standard error so far."""
        self.messages.flush()
        with open(self.messages.name, "rb") as f:
            return f.read().decode(errors="replace")
