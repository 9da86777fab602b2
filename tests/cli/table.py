"""table.py: runs a table of command lines and compares what each says.

A row is (words, line): the words of a command line in a shell's quoting, and the one line that it must put on standard error
behind "trapeze: error: ". Beyond that line every row must show: status 2, nothing on standard output, and nothing changed in
the folder it runs in. What `trapeze run` refuses it must refuse with --dry-run as well, and in the same words.
"""

import os
import shlex
import stat
import subprocess
import sys

SECONDS = 30  # only ends what hangs
PREFIX = "trapeze: error: "


def add_arguments(parser):
    parser.add_argument("--trapeze", required=True, metavar="PATH", type=os.path.abspath, help="the monitor")
    parser.add_argument("--show", action="store_true", help="print every line that a command says, for reading")


def run(command, folder, **how):
    """(status, stdout, stderr) of a command, as bytes; status None: it hung."""
    p = subprocess.Popen(command, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **how)
    try:
        out, err = p.communicate(timeout=SECONDS)
    except subprocess.TimeoutExpired:
        p.kill()
        out, err = p.communicate()
        return None, out, err
    return p.returncode, out, err


def snapshot(folder):
    """What lies in a folder: a test that left or changed something shows."""
    found = {}
    for place, folders, files in os.walk(folder):
        for name in folders + files:
            path = os.path.join(place, name)
            st = os.lstat(path)
            found[path] = (stat.S_IFMT(st.st_mode), st.st_ino, st.st_size, st.st_mtime_ns if stat.S_ISREG(st.st_mode) else 0)
    return found


class Table:
    """Counts rows; `finish` prints the sums and gives the exit status."""

    def __init__(self, arguments, folder):
        self.trapeze, self.show, self.folder = arguments.trapeze, arguments.show, folder
        self.rows = self.failed = 0
        self.skipped = []

    def fail(self, words, text):
        self.failed += 1
        print("FAIL %s\n     %s" % (shlex.join(words), text))

    def skip(self, row, reason):
        self.skipped.append(reason)
        print("SKIP %s: %s" % (row, reason))

    def refused(self, words, line, **how):
        """One row of bad input."""
        words = shlex.split(words)
        variants = [words]
        if words[:1] == ["run"] and "--dry-run" not in words and "--dry-run=" not in " ".join(words):
            variants.append(["run", "--dry-run", *words[1:]])
        for w in variants:
            self._refused(w, line, how)

    def _refused(self, words, line, how):
        self.rows += 1
        before = snapshot(self.folder)
        status, out, err = run([self.trapeze, *words], self.folder, **how)
        after = snapshot(self.folder)
        text = err.decode(errors="backslashreplace")
        if self.show:
            print("%s\n     %s" % (shlex.join(words), text.rstrip("\n")))
        if status != 2:
            self.fail(words, "status %s instead of 2; it said: %r" % (status, text))
        elif out:
            self.fail(words, "standard output has %r" % out[:200])
        elif text != PREFIX + line + "\n":
            self.fail(words, "expected %r\n     it said  %r" % (PREFIX + line + "\n", text))
        elif before != after:
            changed = {os.path.relpath(p, self.folder) for p in set(before) | set(after) if before.get(p) != after.get(p)}
            self.fail(words, "it changed %s" % ", ".join(sorted(changed)))

    def accepted(self, words, check=None, **how):
        """A good command line: status 0 and not a word, or what `check(stdout)` finds right (it returns a complaint)."""
        self.rows += 1
        words = shlex.split(words)
        status, out, err = run([self.trapeze, *words], self.folder, **how)
        if status != 0:
            self.fail(words, "status %s instead of 0; it said: %r" % (status, err.decode(errors="backslashreplace")))
        elif err:
            self.fail(words, "standard error has %r" % err[:400])
        elif check is None and out:
            self.fail(words, "standard output has %r" % out[:400])
        elif check is not None:
            complaint = check(out.decode())
            if complaint:
                self.fail(words, complaint)

    def finish(self):
        print("%d command lines, %d failed, %d rows skipped" % (self.rows, self.failed, len(self.skipped)))
        if not self.rows:
            sys.exit("no row ran: that is no success")
        return 1 if self.failed else 0
