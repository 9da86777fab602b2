#!/usr/bin/env python3
"""test_tools.py: the scripts of tools/, each in a folder of its own, without network and without a machine.

usage: test_tools.py [CLASS]...
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import unittest

sys.dont_write_bytecode = True
TOOLS = os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "..", "tools")
LIB = os.path.join(TOOLS, "lib")
sys.path.insert(0, LIB)
import bench  # noqa: E402
import child  # noqa: E402
import debian_kernel  # noqa: E402
import initramfs  # noqa: E402


def call(*command, **kw):
    return subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          check=False, **kw)


class Scratch(unittest.TestCase):
    """A test with a folder `at`, and the environment as it was afterwards."""

    def setUp(self):
        self.folder = tempfile.TemporaryDirectory(prefix="trapeze test-")
        self.at = self.folder.name
        self.environment = dict(os.environ)

    def tearDown(self):
        os.environ.clear()
        os.environ.update(self.environment)
        self.folder.cleanup()

    def write(self, name, text, mode=0o644):
        path = os.path.join(self.at, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as f:
            f.write(text)
        os.chmod(path, mode)
        return path


class Child(unittest.TestCase):
    """What child.py gives a process."""

    def test_no_signal_is_ignored_or_blocked(self):
        mine = (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGTSTP)

        def background():
            for number in mine:
                signal.signal(number, signal.SIG_IGN)
            signal.pthread_sigmask(signal.SIG_BLOCK, mine)

        def masks(prepare):
            run = call("grep", "-E", "^Sig(Blk|Ign):", "/proc/self/status", preexec_fn=prepare)
            return [sum(int(line.split()[1], 16) >> (n - 1) & 1 for n in mine) for line in run.stdout.splitlines()]

        self.assertEqual(masks(background), [5, 5])
        self.assertEqual(masks(lambda: (background(), child.fresh()())), [0, 0])
        self.assertEqual(masks(child.fresh(background)), [5, 5])

    def test_ends_with_its_parent(self):
        program = ("import subprocess, sys, time\nsys.path.insert(0, %r)\nsys.dont_write_bytecode = True\nimport child\n"
                   "subprocess.Popen(['sleep', '600'], preexec_fn=child.fresh())\nprint('runs', flush=True)\ntime.sleep(600)"
                   % LIB)
        parent = subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        self.assertEqual(parent.stdout.readline(), b"runs\n")
        parent.kill()
        parent.wait()
        self.assertEqual(parent.stdout.read(), b"")  # comes when nobody holds the pipe any more
        parent.stdout.close()


class Cache(Scratch):
    """What debian_kernel.py takes from its cache, and what it does not."""

    def setUp(self):
        super().setUp()
        os.environ["XDG_CACHE_HOME"] = self.at

    def entry(self, version):
        name = "trapeze/kernel/linux-image-%s-cloud-amd64_1" % version
        self.write(name + "/vmlinuz", "kernel " + version)
        folder = os.path.join(self.at, name)
        # sha256sum is the referee of the format.
        sums = subprocess.run(["sha256sum", "vmlinuz"], cwd=folder, stdout=subprocess.PIPE, text=True, check=True).stdout
        self.write(name + "/SHA256SUMS", sums)
        return folder

    def test_empty(self):
        self.assertIsNone(debian_kernel.cached())
        self.assertEqual(call(LIB + "/debian_kernel.py", "--cached").returncode, 3)

    def test_newest_by_number(self):
        self.entry("6.1.0-9")
        newest = self.entry("6.1.0-10")
        self.assertEqual(debian_kernel.cached(), newest)
        self.assertEqual(call(LIB + "/debian_kernel.py", "--cached").stdout, newest + "\n")

    def test_damaged_is_not_used(self):
        older = self.entry("6.1.0-9")
        for damage in ("kernel 6.1.0-1x", "kernel", ""):
            newer = self.entry("6.1.0-10")
            self.assertEqual(debian_kernel.cached(), newer)
            with open(newer + "/vmlinuz", "w") as f:
                f.write(damage)
            self.assertEqual(debian_kernel.cached(), older)
        os.unlink(older + "/SHA256SUMS")
        self.assertIsNone(debian_kernel.cached())

    def test_sums_without_kernel(self):
        os.unlink(self.entry("6.1.0-9") + "/vmlinuz")
        self.write("trapeze/kernel/linux-image-6.1.0-9-cloud-amd64_1/SHA256SUMS", "")
        self.assertIsNone(debian_kernel.cached())

    def test_relative_folder_is_ignored(self):
        os.environ["HOME"] = self.at
        os.environ["XDG_CACHE_HOME"] = "here"
        self.assertEqual(debian_kernel.cache_root(), os.path.join(self.at, ".cache/trapeze/kernel"))

    def test_unusable_folder_is_named(self):
        os.environ["XDG_CACHE_HOME"] = self.write("file", "")
        run = call(LIB + "/debian_kernel.py")
        self.assertEqual(run.returncode, 1)
        self.assertIn(self.at, run.stderr)
        self.assertIn("set XDG_CACHE_HOME", run.stderr)
        self.assertNotIn("Traceback", run.stderr)


@unittest.skipUnless(os.path.exists(initramfs.BUSYBOX), "no busybox")
class Initramfs(Scratch):
    """Another implementation of cpio reads what ours wrote."""

    def cpio(self, *options):
        with open(os.path.join(self.at, "out"), "rb") as f:
            return subprocess.run([initramfs.BUSYBOX, "cpio", *options], stdin=f, stdout=subprocess.PIPE, check=True,
                                  stderr=subprocess.DEVNULL, cwd=self.at).stdout

    def test_contents(self):
        module = self.write("x.ko", "module\n")
        run = call(LIB + "/initramfs.py", os.path.join(self.at, "out"), module)
        self.assertEqual((run.returncode, run.stderr), (0, ""))
        names = self.cpio("-t").decode().split()
        for name in ("init", "demo", "bin/busybox", "dev/console", "modules/x.ko", "etc/inittab"):
            self.assertIn(name, names)
        self.assertEqual(self.cpio("-i", "--to-stdout", "modules/x.ko"), b"module\n")
        with open(initramfs.BUSYBOX, "rb") as f:
            self.assertEqual(self.cpio("-i", "--to-stdout", "bin/busybox"), f.read())

    def test_same_bytes_again(self):
        self.assertEqual(initramfs.build([]), initramfs.build([]))

    def test_no_half_file(self):
        run = call(LIB + "/initramfs.py", os.path.join(self.at, "out"), os.path.join(self.at, "missing.ko"))
        self.assertEqual(run.returncode, 1)
        self.assertIn("missing.ko: No such file", run.stderr)
        self.assertEqual(os.listdir(self.at), [])


class Options(unittest.TestCase):
    """Wrong usage is refused before anything is done, in one line."""

    def test_help(self):
        for tool in ("run", "check", "bench", "lib/packages.sh"):
            run = call(os.path.join(TOOLS, tool), "--help")
            self.assertEqual((run.returncode, run.stderr), (0, ""))
            self.assertRegex(run.stdout, r"(?m)^usage: .*" + os.path.basename(tool))
            self.assertNotIn("Configuring", run.stdout)
            self.assertNotIn("set -u", run.stdout)

    def test_refused(self):
        for tool, *words in (("run", "--foo"), ("run", "foo"), ("check", "--foo"), ("check", "foo"), ("bench", "--foo"),
                             ("bench", "foo"), ("bench", "--runs"), ("bench", "--runs", "0"), ("bench", "--runs", "x"),
                             ("bench", "--json", "/"), ("bench", "--json", "/nowhere/x")):
            with self.subTest(tool=tool, words=words):
                run = call(os.path.join(TOOLS, tool), *words)
                self.assertEqual((run.returncode, run.stdout), (2, ""))
                self.assertRegex(run.stderr, r"\Atools/%s: .*'?%s.*; see tools/%s --help.*\n\Z" % (tool, words[-1], tool))

    def test_packages(self):
        everything = call(LIB + "/packages.sh").stdout.split()
        self.assertEqual(len(everything), len(set(everything)), "a package is listed twice")
        parts = call(LIB + "/packages.sh", "build", "run", "test", "bench").stdout.split()
        self.assertEqual(sorted(parts), sorted(everything))
        self.assertEqual(call(LIB + "/packages.sh", "foo").returncode, 2)

    def test_benchmarks(self):
        run = call(os.path.join(TOOLS, "bench"), "--list")
        self.assertRegex(run.stdout, r"(?m)^boot_to_init +Debian's kernel")


class Counting(Scratch):
    """run_tests.py counts what Meson's log says, and Meson's own failures too; a script stands in for Meson."""

    def count(self, tests, status):
        build = os.path.join(self.at, "build")
        log = "".join(json.dumps({"name": n, "result": r, "stdout": out, "duration": 1}) + "\n" for n, r, out in tests)
        self.write("log", log)
        os.makedirs(build + "/meson-logs", exist_ok=True)
        self.write("bin/meson", '#!/bin/sh\necho "a word of meson"\ncp "%s/log" "%s/meson-logs/testlog.json"\n%s\n' % (
            self.at, build, status), 0o755)
        os.environ["PATH"] = os.path.join(self.at, "bin") + ":" + self.environment["PATH"]
        run = call(LIB + "/run_tests.py", "name", build, os.path.join(self.at, "counts"))
        with open(os.path.join(self.at, "counts")) as f:
            return f.read().strip(), run.returncode, run.stdout

    def test_results(self):
        counts, status, out = self.count([
            ("s / a", "OK", ""), ("s / b", "EXPECTEDFAIL", ""), ("s / c", "SKIP", "ok 1 - c # SKIP no kernel: none\n"),
            ("s / d", "SKIP", "SKIP d: no kernel: another\n"), ("s / e", "FAIL", "words of e"), ("s / f", "TIMEOUT", ""),
            ("s / g", "ERROR", ""), ("s / h", "UNEXPECTEDPASS", ""), ("s / i", "INTERRUPT", "")], "exit 1")
        self.assertEqual((counts, status), ("2 5 2", 1))
        self.assertIn("words of e", out)
        self.assertIn("skipped, 2: no kernel\n    c: none\n    d: another\n", out)

    def test_good(self):
        self.assertEqual(self.count([("s / a", "OK", "")], "exit 0")[:2], ("1 0 0", 0))

    def test_meson_fails(self):
        for end in ("exit 1", "kill -9 $$"):
            counts, status, out = self.count([("s / a", "OK", "")], end)
            self.assertEqual((counts, status), ("1 1 0", 1))
            self.assertIn("a word of meson", out)

    def test_nothing_ran(self):
        self.assertEqual(self.count([], "exit 0")[:2], ("0 1 0", 1))

    def test_orphans_are_ended(self):
        counts, _, out = self.count([("s / a", "OK", "")], "setsid sleep 1000 >/dev/null 2>&1 & exit 0")
        self.assertEqual(counts, "1 0 0")
        self.assertIn("left running by a test, and ended: ", out)

    def test_old_log_is_not_counted(self):
        build = os.path.dirname(self.write("build/meson-logs/testlog.json", '{"name": "old", "result": "OK", "duration": 1}\n'))
        self.write("bin/meson", "#!/bin/sh\nexit 1\n", 0o755)
        os.environ["PATH"] = os.path.join(self.at, "bin") + ":" + self.environment["PATH"]
        call(LIB + "/run_tests.py", "name", os.path.dirname(build), os.path.join(self.at, "counts"))
        with open(os.path.join(self.at, "counts")) as f:
            self.assertEqual(f.read(), "0 1 0\n")


class Steps(Scratch):
    """What a signal does to a script with steps, to its child, and to its scratch folder."""

    def script(self, body):
        return self.write("script", 'set -u\ntool=test root=/\n. "%s/steps.sh"\nsteps_start\n%s\n' % (LIB, body))

    def signalled(self, body, number):
        os.environ["TMPDIR"] = self.at
        script = subprocess.Popen(["env", "--default-signal=INT", "bash", self.script(body)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE, text=True)
        # The child says that it runs.
        first = script.stdout.readline()
        script.send_signal(number)
        out, err = script.communicate()
        return script.returncode, first + out, err

    def left(self):
        return [name for name in os.listdir(self.at) if name.startswith("trapeze-")]

    def test_child_is_ended(self):
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            # Had the child not been ended, this would take long, and end with 0.
            status, out, _ = self.signalled(
                "run_child stop bash -c 'touch $TMPDIR/x; echo runs; exec sleep 100'; echo not reached", number)
            self.assertEqual((status, out), (-number, "runs\n"))
            self.assertEqual(self.left(), [])

    def test_last_words_go_to_standard_output(self):
        status, out, _ = self.signalled("last_words() { echo last words >&7; }\necho runs\n"
                                        "run_child stop sleep 100 >$log", signal.SIGTERM)
        self.assertEqual((status, out), (-signal.SIGTERM, "runs\nlast words\n"))

    def test_child_is_waited_for(self):
        status, out, err = self.signalled(
            "run_child finish bash -c 'echo runs; sleep 0.5; echo finished'; echo not reached", signal.SIGTERM)
        self.assertEqual((status, out), (-signal.SIGTERM, "runs\nfinished\n"))
        self.assertIn("ending as soon as", err)
        self.assertEqual(self.left(), [])

    def test_machine_gets_the_signal(self):
        status, out, _ = self.signalled(
            "run_child machine bash -c 'trap \"echo button; exit 7\" TERM; echo runs; while :; do sleep 0.1; done'\n"
            "echo status $?", signal.SIGTERM)
        self.assertEqual((status, out), (0, "runs\nbutton\nstatus 7\n"))
        self.assertEqual(self.left(), [])

    def test_children_have_the_default_action_for_sigint(self):
        run = call("bash", self.script("run_child stop grep SigIgn /proc/self/status"), env={**os.environ, "TMPDIR": self.at})
        self.assertEqual(int(run.stdout.split()[1], 16) & 1 << (signal.SIGINT - 1), 0)

    def test_one_at_a_time(self):
        os.environ["TMPDIR"] = self.at
        script = self.script('lock_folder "%s/locked"\necho locked\n[ -z "${1-}" ] || sleep "$1"' % self.at)
        first = subprocess.Popen(["bash", script, "1"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        self.assertEqual(first.stdout.readline(), "locked\n")
        second = call("bash", script)
        self.assertIsNotNone(first.wait(30))
        first.stdout.close()
        self.assertIn("waiting: another run builds", second.stderr)
        self.assertEqual(second.stdout, "locked\n")

    def test_failed_step(self):
        run = call("bash", self.script('step_begin "a step"; echo why >"$log"; step_fail "the mend"; echo not reached'),
                   env={**os.environ, "TMPDIR": self.at})
        self.assertEqual((run.returncode, run.stdout), (1, ""))
        self.assertRegex(run.stderr, r"\Atest: a step: failed after \d+\.\d s\nwhy\ntest: the mend\n\Z")
        self.assertEqual(self.left(), [])


class Bench(Scratch):
    """The driver's arithmetic, and what it does without the peer."""

    def test_without_peer(self):
        os.environ["PATH"] = self.at
        module = bench.load("boot_to_init")
        context = bench.Context(self.write("trapeze", "#!/bin/sh\necho '{\"engines\": []}'\n", 0o755), "", "", self.at)
        subjects = module.subjects(context)
        self.assertIn("not installed", subjects[-1].skip)

    def test_alternation_and_ratio(self):
        order = []

        def subject(name, values):
            values = iter(values)

            def run():
                order.append(name)
                return {"t": next(values), "only_ours": 1.0 if name == "ours" else None}
            return bench.Subject(name, run)

        class Module:
            MEASURES = {"t": ("time", "s", 1), "only_ours": ("other", "s", 1)}
        subjects = [subject("ours", [3.0, 9.0, 4.0]), subject("peer", [2.0, 2.0, 8.0])]
        results = bench.measure("x", subjects, 3)
        self.assertEqual(order, ["ours", "peer", "peer", "ours", "ours", "peer"])
        self.assertEqual(bench.show(Module, subjects, results)["ours"], {"t": 2.0})

    def test_program_that_ends_early(self):
        module = bench.load("boot_to_init")
        start = time.monotonic()
        with self.assertRaisesRegex(Exception, "ended before /init; its last words: no luck"):
            module.boot(["/bin/sh", "-c", "echo no luck >&2"], self.at)
        self.assertLess(time.monotonic() - start, module.LIMIT_S)


if __name__ == "__main__":
    unittest.main()
