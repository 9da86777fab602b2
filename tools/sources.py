"""sources.py: which files belong to the project, for the checks beside it."""

import os
import subprocess
import sys


def root():
    """The tree to check: the first argument, or the one this script lies in."""
    if len(sys.argv) > 1:
        return os.path.abspath(sys.argv[1])
    return os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def _from_git(top):
    """What git tracks or would track; None when this is no checkout (an unpacked archive)."""
    try:
        out = subprocess.run(
            ["git", "-C", top, "ls-files", "-co", "--exclude-standard", "-z"],
            check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout
    except (OSError, subprocess.CalledProcessError):
        return None
    return [name for name in out.decode().split("\0") if name]


def _from_walk(top):
    names = []
    for folder, subfolders, files in os.walk(top):
        subfolders[:] = [s for s in subfolders if not s.startswith((".", "build", "__pycache__"))]
        names += [os.path.relpath(os.path.join(folder, f), top) for f in files]
    return names


def files(top):
    """Paths relative to `top`, sorted; only files that are there."""
    names = _from_git(top)
    if names is None:
        names = _from_walk(top)
    return sorted(n for n in set(names) if os.path.isfile(os.path.join(top, n)))


def text(top, name):
    """The file's text, or None when it holds binary data."""
    with open(os.path.join(top, name), "rb") as f:
        data = f.read()
    try:
        return None if b"\0" in data else data.decode()
    except UnicodeDecodeError:
        return None


def finish(check, complaints, checked):
    """Print the complaints as file:line: words and end with the exit status that fits them."""
    for complaint in complaints:
        print(complaint)
    print("%s: %d files, %d complaints" % (check, checked, len(complaints)))
    sys.exit(1 if complaints else 0)
