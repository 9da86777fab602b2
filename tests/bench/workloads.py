"""workloads.py: small workloads on the host, in Trapeze's translator and in QEMU's TCG: where a machine costs how much.

The same static program (tests/bench/workloads) runs on the host and, with the same kernel, initramfs and memory and one
vCPU, in both machines; it first touches and frees the memory there is. It measures often and shortly, so that some
measurements pass undisturbed even on a busy host: the smallest of all runs counts.
"""

import json
import math
import os
import shutil
import subprocess
import sys

from bench import Failed, Subject

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path.insert(0, os.path.join(HERE, "workloads"))
import chart  # noqa: E402
import initramfs  # noqa: E402

ENGINE = "dbt"
QEMU = "qemu-system-x86_64"
MEMORY_MIB = 256
GUEST_PROGRAM = "bin/workloads"
OPTIONS = ["--seconds", "0.003", "--repeat", "60", "--touch", str(MEMORY_MIB)]
APPEND = "console=ttyS0 quiet panic=-1 trapeze.mode=exec -- /%s %s" % (GUEST_PROGRAM, " ".join(OPTIONS))
# Ends a run that hangs; nothing is judged by it.
LIMIT_S = 900

TITLE = "small workloads, %d MiB, one vCPU; ns per operation, smallest of all runs" % MEMORY_MIB
# What is aimed at: at most so many times native, by group; at most so many ns; at least so many times faster than TCG.
AIM_NATIVE = {"integer": 2.0, "list": 3.0, "fp": 1.5, "memory": 1.5}
AIM_GEOMETRIC = {"integer": 1.7}
AIM_NS = {"getppid": 300, "page-fault": 5000, "pipe-ping-pong": 20000}
AIM_TCG = {"mmap-munmap": 5, "fork-wait": 5, "vfork-exec-wait": 5, "pipe-ping-pong": 5, "signal": 5}


def program(context):
    """The program of the same build as the monitor."""
    path = os.path.join(os.path.dirname(context.trapeze), "..", "..", "tests", "bench", "workloads", "workloads")
    if not os.path.exists(path):
        raise Failed("%s: not there; ninja -C %s builds it" % (path, os.path.normpath(os.path.join(path, *[".."] * 4))))
    return os.path.normpath(path)


def groups(context):
    """{workload: group}, in the program's order."""
    out = subprocess.run([program(context), "--list"], stdout=subprocess.PIPE, text=True, check=True).stdout
    return dict(line.split() for line in out.splitlines())


def parse(name, text):
    """{workload: ns}; a workload that this processor lacks is left out."""
    values, summary = {}, ""
    for line in text.replace("\r", "").splitlines():
        words = line.split()
        if line.endswith(" WRONG"):
            raise Failed("%s: a wrong checksum: %s" % (name, line))
        if line.startswith("workloads: "):
            summary = line
        elif len(words) == 4 and len(words[3]) == 16 and words[2].isdigit():
            values[words[0]] = float(words[1])
    if not summary.endswith(" run, 0 wrong"):
        raise Failed("%s: did not get to its end; its last words: %s" % (name, text[-300:].strip() or "none"))
    return values


def run(name, command):
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              timeout=LIMIT_S, check=False)
    except subprocess.TimeoutExpired as e:
        raise Failed("%s: no end after %d s" % (name, LIMIT_S)) from e
    if done.returncode:
        raise Failed("%s: status %d: %s" % (name, done.returncode,
                                            (done.stdout + done.stderr)[-300:].decode(errors="replace").strip()))
    return parse(name, done.stdout.decode(errors="replace"))


def trapeze(context, initrd):
    stats_path = os.path.join(context.scratch, "workloads-stats.json")
    values = run("trapeze", [context.trapeze, "run", "--engine", ENGINE, "--memory", "%dM" % MEMORY_MIB,
                             "--kernel", context.kernel, "--initrd", initrd, "--append", APPEND,
                             "--on-reset", "exit", "--stats", stats_path])
    with open(stats_path) as f:
        end = json.load(f)["end"]
    if end != "poweroff":
        raise Failed("%s: ended by %s instead of power-off" % (context.trapeze, end))
    return values


def qemu(context, initrd):
    return run("qemu", [QEMU, "-accel", "tcg", "-cpu", "max", "-smp", "1", "-m", "%dM" % MEMORY_MIB,
                        "-kernel", context.kernel, "-initrd", initrd, "-append", APPEND,
                        "-nodefaults", "-display", "none", "-serial", "stdio", "-no-reboot"])


def subjects(context):
    initrd = os.path.join(context.scratch, "workloads-initramfs")
    initramfs.write(initrd, [], added=[(program(context), GUEST_PROGRAM)])
    found = [Subject("native", lambda: run("native", [program(context), *OPTIONS]))]
    if ENGINE in context.engines():
        found.append(Subject(ENGINE, lambda: trapeze(context, initrd)))
    else:
        found.append(Subject(ENGINE, skip="this engine cannot run here"))
    if shutil.which(QEMU):
        found.append(Subject("tcg", lambda: qemu(context, initrd)))
    else:
        found.append(Subject("tcg", skip="%s is not installed" % QEMU))
    return found


def smallest(runs):
    """{workload: ns} over all runs of one program."""
    return {name: min(r[name] for r in runs if name in r) for name in dict.fromkeys(n for r in runs for n in r)}


def ratio(a, b, name):
    return a[name] / b[name] if name in a and name in b else None


def geometric(values):
    values = [v for v in values if v]
    return math.exp(sum(map(math.log, values)) / len(values)) if values else None


def missed(name, group, ns, to_native, to_tcg):
    """What is aimed at and not reached, in words; "" where nothing is missed."""
    found = []
    limit = AIM_NATIVE.get(group)
    if limit and to_native and to_native > limit:
        found.append("%.1f native" % limit)
    if name in AIM_NS and ns and ns > AIM_NS[name]:
        found.append("%d ns" % AIM_NS[name])
    if name in AIM_TCG and to_tcg and to_tcg > 1 / AIM_TCG[name]:
        found.append("1/%d TCG" % AIM_TCG[name])
    return ", ".join(found)


def cell(value, form="%.2f"):
    return "-" if value is None else form % value


def row(*cells):
    print(("%-18s%12s%12s%12s%12s%10s%10s  %s" % cells).rstrip())


def nanoseconds(value):
    return cell(value, "%.3f" if value is not None and value < 100 else "%.0f")


def show(context, subjects, results):
    """The table and the chart; returns {"smallest": ..., "geometric": ...} for the JSON file."""
    least = {s.name: smallest(results.get(s.name, [])) for s in subjects}
    native, dbt, tcg = least["native"], least[ENGINE], least["tcg"]
    of = groups(context)
    names = [n for n in of if any(n in values for values in least.values())]
    row("", "native", "tcg", ENGINE, "tcg/native", ENGINE + "/nat.", ENGINE + "/tcg", "missed aim")
    for name in names:
        to_native, to_tcg = ratio(dbt, native, name), ratio(dbt, tcg, name)
        row(name, nanoseconds(native.get(name)), nanoseconds(tcg.get(name)), nanoseconds(dbt.get(name)),
            cell(ratio(tcg, native, name)), cell(to_native), cell(to_tcg),
            missed(name, of[name], dbt.get(name), to_native, to_tcg))
    means = {}
    pairs = {"tcg/native": (tcg, native), ENGINE + "/native": (dbt, native), ENGINE + "/tcg": (dbt, tcg)}
    for group in dict.fromkeys(of[n] for n in names):
        means[group] = {key: geometric(ratio(a, b, n) for n in names if of[n] == group) for key, (a, b) in pairs.items()}
        limit, reached = AIM_GEOMETRIC.get(group), means[group][ENGINE + "/native"]
        row("mean of " + group, "", "", "", *map(cell, means[group].values()),
            "%.1f native" % limit if limit and reached and reached > limit else "")
    for s in subjects:
        if s.skip:
            print("skipped: %s: %s" % (s.name, s.skip))
    picture = os.path.normpath(os.path.join(os.path.dirname(context.trapeze), "..", "..", "bench-workloads.svg"))
    chart.write(picture, "Time beside native: " + TITLE.split(";", maxsplit=1)[0], ("tcg", ENGINE), [
        chart.Row(n, of[n], {"tcg": ratio(tcg, native, n), ENGINE: ratio(dbt, native, n)}, AIM_NATIVE.get(of[n]))
        for n in names])
    print("drawn: %s" % picture)
    return {"smallest": least, "geometric": means}
