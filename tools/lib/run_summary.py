#!/usr/bin/env python3
"""run_summary.py: the statistics of a run in one line.

usage: run_summary.py STATISTICS

Prints how the run ended (the word of the statistics) on standard output, and one line for people on standard error.
"""

import json
import sys

ENDS = {
    "poweroff": "powered off",
    "reset": "reset",
    "triple-fault": "stopped by a triple fault",
    "debug-exit": "wrote to the debug-exit port",
    "timeout": "ran out of time",
    "quit": "was quit",
    "signal": "was ended by a signal",
    "error": "was ended by an error",
}


def summary(stats):
    text = "the machine %s after %.1f s; engine %s, %.1f s of processor time" % (
        ENDS.get(stats["end"], stats["end"]), stats["wall_s"], stats["engine"], stats["cpu_s"])
    if stats["insns"] and stats["cpu_s"]:
        text += ", %.2f billion instructions, %.0f million a second" % (
            stats["insns"] / 1e9, stats["insns"] / stats["cpu_s"] / 1e6)
    return text


def main():
    if len(sys.argv) != 2 or sys.argv[1].startswith("-"):
        print(__doc__)
        return 0 if sys.argv[1:] in (["-h"], ["--help"]) else 2
    try:
        with open(sys.argv[1]) as f:
            stats = json.load(f)
        print(stats["end"])
        print(summary(stats), file=sys.stderr)
    except (OSError, ValueError, KeyError) as e:
        print("run_summary.py: %s: %s" % (sys.argv[1], e), file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
