#!/usr/bin/env python3
"""run_tests.py: one run of `meson test`, with its progress, its failures, and the reasons of what was skipped.

usage: run_tests.py NAME BUILD-FOLDER COUNTS-FILE [OPTIONS OF meson test]

Progress goes to standard error, results to standard output. Writes "PASSED FAILED SKIPPED" to COUNTS-FILE, and ends with 0
when nothing failed. A failure of Meson itself counts as a failed test.
"""

import collections
import ctypes
import json
import os
import re
import signal
import subprocess
import sys
import time

PASSED = {"OK", "EXPECTEDFAIL"}
RESULT = re.compile(r"^ *(\d+)/(\d+) (?:\S+:)?(.+?) +(OK|EXPECTEDFAIL|SKIP|FAIL|TIMEOUT|ERROR|UNEXPECTEDPASS|INTERRUPT)\b")
# How our tests say why they skip: TAP, and tests/guest/run-image.
REASONS = (re.compile(r"# SKIP:? *(.+)$", re.MULTILINE | re.IGNORECASE), re.compile(r"^SKIP [^:]+: *(.+)$", re.MULTILINE))
SHOWN_LINES = 60
SAY_EVERY_S = 10
PR_SET_CHILD_SUBREAPER = 36  # prctl(2)


class Progress:
    """On a terminal one line that changes; elsewhere a line every few seconds."""

    def __init__(self, name):
        self.name = name
        self.terminal = sys.stderr.isatty()
        self.said = time.monotonic()

    def _columns(self):
        try:
            return os.get_terminal_size(sys.stderr.fileno()).columns or 80
        except OSError:
            return 80

    def step(self, done, total, test):
        if self.terminal:
            line = "%s tests: %s/%s %s" % (self.name, done, total, test)
            sys.stderr.write("\r%s\033[K" % line[:self._columns() - 1])
        elif time.monotonic() - self.said >= SAY_EVERY_S:
            self.said = time.monotonic()
            sys.stderr.write("%s tests: %s of %s done\n" % (self.name, done, total))
        sys.stderr.flush()

    def clear(self):
        if self.terminal:
            sys.stderr.write("\r\033[K")
            sys.stderr.flush()


def run_meson(build, options, progress):
    """(exit status of Meson, what it said that is no result)."""
    said = collections.deque(maxlen=SHOWN_LINES)
    with subprocess.Popen(["meson", "test", "-C", build, "--no-rebuild", *options], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
                          env={**os.environ, "PYTHONUNBUFFERED": "1"}) as meson:
        # Meson ends its tests when it is told to end.
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: meson.terminate())
        for line in meson.stdout:
            m = RESULT.match(line)
            if not m:
                said.append(line)
                continue
            progress.step(*m.group(1, 2, 3))
            if m.group(4) not in PASSED | {"SKIP"}:
                progress.clear()
                print("%s: %s" % (m.group(4), m.group(3)), flush=True)
    progress.clear()
    return meson.returncode, "".join(said)


def end_orphans():
    """Ends what tests have left running, and says what it was; processes without a parent have become our children."""
    while True:
        with open("/proc/self/task/%d/children" % os.getpid()) as f:
            children = f.read().split()
        if not children:
            return
        for pid in children:
            with open("/proc/%s/cmdline" % pid, errors="replace") as f:
                command = f.read().replace("\0", " ").strip()
            # Without a command line it has ended already.
            if command:
                print("left running by a test, and ended: %s" % command)
                os.kill(int(pid), signal.SIGKILL)
            os.waitpid(int(pid), 0)


def read_log(path):
    """What Meson wrote of each test; a line that is cut off belongs to a run that was."""
    tests = []
    try:
        with open(path, errors="replace") as f:
            for line in f:
                try:
                    tests.append(json.loads(line))
                except ValueError:
                    pass
    except FileNotFoundError:
        pass
    return tests


def short_name(test):
    return test["name"].split(" / ")[-1]


def skip_reason(test):
    output = test.get("stdout", "") + test.get("stderr", "")
    for pattern in REASONS:
        m = pattern.search(output)
        if m:
            return m.group(1).strip()
    words = [line for line in output.splitlines() if line.strip()]
    return words[-1].strip() if words else "no reason given"


def show_failed(test):
    print("\n---- %s: %s, status %s, %.1f s" % (test["result"], test["name"], test.get("returncode"), test["duration"]))
    output = (test.get("stdout", "") + test.get("stderr", "")).splitlines()
    if len(output) > SHOWN_LINES:
        print("(the last %d of %d lines)" % (SHOWN_LINES, len(output)))
    print("\n".join(output[-SHOWN_LINES:]))


def show_skipped(tests):
    """Grouped by what stands before the reason's first colon."""
    groups = collections.defaultdict(list)
    for test in tests:
        what, _, detail = skip_reason(test).partition(": ")
        groups[what].append((short_name(test), detail))
    for what, members in sorted(groups.items()):
        print("skipped, %d: %s" % (len(members), what))
        for name, detail in sorted(members):
            print("    %s%s" % (name, ": " + detail if detail else ""))


def main():
    if len(sys.argv) < 4:
        print(__doc__)
        return 0 if sys.argv[1:] in (["-h"], ["--help"]) else 2
    name, build, counts = sys.argv[1:4]
    log = os.path.join(build, "meson-logs", "testlog.json")
    if os.path.exists(log):
        os.unlink(log)
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1)
    status, said = run_meson(build, sys.argv[4:], Progress(name))
    end_orphans()
    tests = read_log(log)
    skipped = [t for t in tests if t["result"] == "SKIP"]
    failed = [t for t in tests if t["result"] not in PASSED | {"SKIP"}]
    for test in failed:
        show_failed(test)
    show_skipped(skipped)
    failures = len(failed)
    if not failed and (status or not tests):
        failures = 1
        print("\n---- meson test: status %d after %d tests\n%s" % (status, len(tests), said))
    with open(counts, "w") as f:
        f.write("%d %d %d\n" % (len(tests) - len(failed) - len(skipped), failures, len(skipped)))
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
