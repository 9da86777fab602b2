#!/usr/bin/env python3
"""bench.py: the driver of tests/bench: runs programs alternately, and prints medians and ratios.

usage: bench.py TRAPEZE KERNEL INITRAMFS RUNS JSON-FILE|'' BENCHMARK...

tools/bench calls it. A benchmark is tests/bench/NAME.py with

    TITLE         what is measured, in one line
    MEASURES      {key: (words, unit, factor)}: what is printed, in this order; a value times factor is in that unit.
                  Of what the peer has as well, less must be better.
    subjects(c)   a list of Subject for the Context; the last one is the peer.
    show(c, subjects, results)
                  prints the results in place of the table of MEASURES, and returns what the JSON file gets as "summary";
                  may be missing.
"""

import collections
import dataclasses
import datetime
import importlib.util
import json
import os
import statistics
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.realpath(__file__))
BENCHMARKS = os.path.join(HERE, "..", "..", "tests", "bench")
sys.path.insert(0, HERE)


class Failed(Exception):
    """A run that gave no figure; the text says why."""


@dataclasses.dataclass
class Context:
    """What a benchmark may use. `scratch` is a folder that goes at the end."""
    trapeze: str
    kernel: str
    initramfs: str
    scratch: str

    def engines(self):
        """Names of the engines that can run here."""
        out = subprocess.run([self.trapeze, "engines", "--json"], stdout=subprocess.PIPE, check=True).stdout
        return [e["name"] for e in json.loads(out)["engines"] if e["usable"]]


@dataclasses.dataclass
class Subject:
    """One program under measurement: run() returns {measure: value}, or raises Failed. With `skip`, why it is not run."""
    name: str
    run: object = None
    skip: str = ""


def load(name):
    spec = importlib.util.spec_from_file_location(name, os.path.join(BENCHMARKS, name + ".py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def host():
    with open("/proc/cpuinfo") as f:
        model = next((line.split(":", 1)[1].strip() for line in f if line.startswith("model name")), "unknown")
    return {"cpu": model, "cpus": len(os.sched_getaffinity(0)), "load": os.getloadavg()[0], "kernel": os.uname().release}


def progress(text):
    sys.stderr.write("bench: %s\n" % text)
    sys.stderr.flush()


def measure(name, subjects, runs):
    """{subject: [{measure: value}, ...]}; the order changes from round to round, so that none is always first."""
    results = collections.defaultdict(list)
    active = [s for s in subjects if not s.skip]
    for i in range(runs):
        for subject in active if i % 2 == 0 else reversed(active):
            values = subject.run()
            results[subject.name].append(values)
            key, value = next(iter(values.items()))
            progress("%s: run %d of %d: %s: %s %.3f" % (name, i + 1, runs, subject.name, key, value))
    return results


def row(words, *cells):
    print("%-52s%10s%10s%10s%8s" % (words, *cells))


def number(value):
    return "%.3f" % value if value < 1 else "%.2f" % value if value < 100 else "%.0f" % value


def medians(values):
    """{measure: median} of those measures that every run of a program has."""
    return {key: statistics.median(v[key] for v in values) for key in values[0]
            if all(v.get(key) is not None for v in values)}


def show(module, subjects, results):
    """The table; returns {program: {measure: ratio to the peer}}."""
    peer = subjects[-1]
    middle = {name: medians(values) for name, values in results.items()}
    ratios = {s.name: {} for s in subjects}
    row("", "median", "min", "max", "ratio")
    for key, (words, unit, factor) in module.MEASURES.items():
        for subject in subjects:
            if key not in middle.get(subject.name, {}):
                continue
            values = [v[key] * factor for v in results[subject.name]]
            ratio = ""
            if subject is not peer and middle.get(peer.name, {}).get(key):
                ratios[subject.name][key] = middle[subject.name][key] / middle[peer.name][key]
                ratio = "%.2f" % ratios[subject.name][key]
            row("%s, %s (%s)" % (words, subject.name, unit), number(statistics.median(values)), number(min(values)),
                number(max(values)), ratio)
    for subject in subjects:
        if subject.skip:
            print("skipped: %s: %s" % (subject.name, subject.skip))
    if any(ratios.values()):
        print("ratio: the value beside that of %s; below 1 is better" % peer.name)
    return ratios


def one(name, context, runs):
    """Runs one benchmark, prints it, and returns its part of the JSON file."""
    module = load(name)
    subjects = module.subjects(context)
    results = measure(name, subjects, runs)
    print("%s: %s, %d runs each, alternating" % (name, module.TITLE, runs))
    summary, ratios = None, {s.name: {} for s in subjects}
    if hasattr(module, "show"):
        summary = module.show(context, subjects, results)
    else:
        ratios = show(module, subjects, results)
    return {
        "name": name, "title": module.TITLE, "summary": summary,
        "subjects": [{"name": s.name, "skipped": s.skip or None, "runs": results.get(s.name, []),
                      "median": medians(results[s.name]) if s.name in results else None,
                      "ratio": ratios[s.name]} for s in subjects],
    }


def main():
    if len(sys.argv) < 7:
        print(__doc__)
        return 0 if sys.argv[1:] in (["-h"], ["--help"]) else 2
    trapeze, kernel, initramfs, runs, out = sys.argv[1:6]
    now = datetime.datetime.now(datetime.timezone.utc)
    facts = host()
    print("%s, %s, %d processors, load %.1f, Linux %s" % (
        now.strftime("%Y-%m-%d %H:%M UTC"), facts["cpu"], facts["cpus"], facts["load"], facts["kernel"]), flush=True)
    document = {"date": now.isoformat(timespec="seconds"), "host": facts, "benchmarks": []}
    try:
        with tempfile.TemporaryDirectory(prefix="trapeze-bench-") as scratch:
            for name in sys.argv[6:]:
                document["benchmarks"].append(one(name, Context(trapeze, kernel, initramfs, scratch), int(runs)))
        if out:
            with open(out + ".new", "w") as f:
                json.dump(document, f, indent=2)
                f.write("\n")
            os.rename(out + ".new", out)
    except (Failed, OSError) as e:
        print("bench.py: %s" % e, file=sys.stderr)
        return 1
    return 0


# Benchmarks import this file by its name.
sys.modules.setdefault("bench", sys.modules[__name__])
if __name__ == "__main__":
    sys.exit(main())
