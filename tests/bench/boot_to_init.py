"""boot_to_init.py: Debian's kernel from the start of the process to the first line of our /init, beside QEMU's TCG.

Both get the same kernel, initramfs, command line, memory and one vCPU. The time ends when the line arrives here; then the
guest powers off, and Trapeze's statistics tell the rest.
"""

import json
import os
import select
import shutil
import subprocess
import time

from bench import Failed, Subject

FIRST_LINE = b"trapeze: /init"
MEMORY = "512M"
APPEND = "console=ttyS0 quiet panic=-1 trapeze.mode=poweroff"
QEMU = "qemu-system-x86_64"
# Ends a run that hangs; nothing is judged by it.
LIMIT_S = 600

TITLE = "Debian's cloud kernel, process start to /init, %s, one vCPU" % MEMORY
MEASURES = {
    "to_init_s": ("to /init", "s", 1),
    "wall_s": ("until power-off", "s", 1),
    "cpu_s": ("processor time until power-off", "s", 1),
    "first_insn_s": ("to the first instruction", "ms", 1e3),
    "insns": ("instructions", "billion", 1e-9),
    "insns_per_s": ("speed", "million/s", 1e-6),
    "rss_bytes": ("peak resident memory", "MiB", 2.0 ** -20),
    "rss_extra_bytes": ("resident beyond guest memory", "MiB", 2.0 ** -20),
}


def to_init(process, command, started, errors):
    """Seconds until the line came; reads on until the console closes."""
    seen, arrived = b"", None
    while True:
        if not select.select([process.stdout], [], [], max(0, started + LIMIT_S - time.monotonic()))[0]:
            raise Failed("%s: no end after %d s" % (command[0], LIMIT_S))
        data = os.read(process.stdout.fileno(), 65536)
        if arrived is None:
            seen += data
            if FIRST_LINE in seen:
                arrived = time.monotonic() - started
        if not data:
            break
    if arrived is None:
        errors.seek(0)
        raise Failed("%s: ended before /init; its last words: %s" % (
            command[0], (seen + errors.read())[-300:].decode(errors="replace").strip() or "none"))
    return arrived


def boot(command, scratch):
    """{measure: value} of one run of either program."""
    with open(os.path.join(scratch, "errors"), "w+b") as errors:
        started = time.monotonic()
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors)
        try:
            arrived = to_init(process, command, started, errors)
        except BaseException:
            process.kill()
            process.wait()
            raise
        finally:
            process.stdout.close()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        wall = time.monotonic() - started
        if process.returncode:
            errors.seek(0)
            raise Failed("%s: status %d: %s" % (command[0], process.returncode, errors.read()[-300:].decode(errors="replace")))
    return {"to_init_s": arrived, "wall_s": wall, "cpu_s": usage.ru_utime + usage.ru_stime,
            "rss_bytes": usage.ru_maxrss * 1024}


def trapeze(context, engine):
    stats_path = os.path.join(context.scratch, "stats.json")
    values = boot([context.trapeze, "run", "--engine", engine, "--memory", MEMORY, "--kernel", context.kernel,
                   "--initrd", context.initramfs, "--append", APPEND, "--stats", stats_path], context.scratch)
    with open(stats_path) as f:
        stats = json.load(f)
    if stats["end"] != "poweroff":
        raise Failed("%s: ended by %s instead of power-off" % (context.trapeze, stats["end"]))
    values.update({key: stats[key] for key in ("first_insn_s", "insns", "rss_extra_bytes")})
    if stats["insns"] is not None:
        values["insns_per_s"] = stats["insns"] / stats["cpu_s"]
    return values


def qemu(context):
    return boot([QEMU, "-accel", "tcg", "-cpu", "max", "-smp", "1", "-m", MEMORY, "-kernel", context.kernel,
                 "-initrd", context.initramfs, "-append", APPEND, "-nodefaults", "-display", "none", "-serial", "stdio",
                 "-no-reboot"], context.scratch)


def qemu_name():
    out = subprocess.run([QEMU, "--version"], stdout=subprocess.PIPE, text=True, check=False).stdout.split()
    return "QEMU %s TCG" % (out[3] if len(out) > 3 else "")


def subjects(context):
    found = [Subject("trapeze " + e, lambda e=e: trapeze(context, e)) for e in context.engines()]
    if shutil.which(QEMU):
        found.append(Subject(qemu_name(), lambda: qemu(context)))
    else:
        found.append(Subject("QEMU TCG", skip="%s is not installed; as root, tools/bench installs it" % QEMU))
    return found
