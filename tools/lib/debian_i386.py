#!/usr/bin/env python3
"""debian_i386.py: Debian's 32-bit kernels and a 32-bit busybox, fetched once and kept, for tests of a 32-bit system.

usage: debian_i386.py [--cached] FLAVOUR

FLAVOUR is 686 (two-level paging) or 686-pae. Prints the folder that holds `vmlinuz`, `config` and `busybox`. apt downloads
the packages and checks their signatures and hashes; package lists and state are folders of our own, so that the system's
apt does not learn of the other architecture, and no root is needed. A folder of the cache is named for package and
version and appears whole, by a rename:

    ${XDG_CACHE_HOME:-~/.cache}/trapeze/kernel-i386/686-pae/linux-image-6.1.0-50-686-pae_6.1.176-1/

    --cached   never download: status 3 when the cache has none
"""

import glob
import os
import re
import shutil
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))
import debian_kernel  # noqa: E402
from debian_kernel import Failure  # noqa: E402

FLAVOURS = ("686", "686-pae")
FILES = ("vmlinuz", "config", "busybox")


def _root(flavour):
    return os.path.join(os.path.dirname(debian_kernel.cache_root()), "kernel-i386", flavour)


def _order(name):
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", name)]


def cached(flavour):
    """The newest one's folder, or None."""
    entries = [e for e in glob.glob(os.path.join(glob.escape(_root(flavour)), "linux-image-*"))
               if all(os.path.isfile(os.path.join(e, name)) for name in FILES)]
    return max(entries, key=lambda e: _order(os.path.basename(e)), default=None)


def _run(command, folder):
    run = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False, cwd=folder,
                         env={**os.environ, "LC_ALL": "C", "TMPDIR": folder})
    if run.returncode:
        words = [line for line in run.stderr.splitlines() if line.strip()]
        raise Failure("%s: %s" % (command[0], words[-1] if words else "status %d" % run.returncode))
    return run.stdout


def _apt_options(folder):
    """An apt of another architecture that has nothing but its sources in common with the system's."""
    for sub in ("lists/partial", "cache/archives/partial"):
        os.makedirs(os.path.join(folder, sub))
    open(os.path.join(folder, "status"), "w").close()
    words = ["APT::Architecture=i386", "APT::Architectures::=i386", "Dir::State::lists=%s/lists" % folder,
             "Dir::Cache=%s/cache" % folder, "Dir::State::status=%s/status" % folder]
    # As root, apt would let its user _apt write into a folder that is ours alone.
    if os.getuid() == 0:
        words.append("APT::Sandbox::User=root")
    return [word for option in words for word in ("-o", option)]


def _kernel_package(flavour, options, folder):
    meta = "linux-image-" + flavour
    shown = _run(["apt-cache", *options, "show", "--no-all-versions", meta], folder)
    m = re.search(r"^Depends:.*?\b(linux-image-\S+)\s+\(=\s*([^)\s]+)\)", shown, re.MULTILINE)
    if not m:
        raise Failure("%s: depends on no kernel of a fixed version" % meta)
    return m.group(1), m.group(2)


def _take(unpacked, pattern, to):
    found = glob.glob(os.path.join(glob.escape(unpacked), pattern))
    if len(found) != 1:
        raise Failure("%s: %d files in the packages instead of one" % (pattern, len(found)))
    shutil.copyfile(found[0], to)


def fetch(flavour, say):
    """Download the current version; returns its folder."""
    if not shutil.which("apt-get") or not shutil.which("dpkg-deb"):
        raise Failure("apt-get is missing: the kernel comes from Debian's archive")
    root = _root(flavour)
    os.makedirs(root, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".tmp-", dir=root) as tmp:
        say("fetching Debian's package lists for i386")
        options = _apt_options(tmp)
        try:
            _run(["apt-get", *options, "update"], tmp)
        except Failure:
            # A source beside Debian's own that is down, or has no such architecture; what is missing shows below.
            pass
        package, version = _kernel_package(flavour, options, tmp)
        say("downloading %s %s" % (package, version))
        _run(["apt-get", *options, "download", "%s=%s" % (package, version), "busybox-static"], tmp)
        unpacked, entry = os.path.join(tmp, "unpacked"), os.path.join(tmp, "entry")
        for deb in glob.glob(os.path.join(glob.escape(tmp), "*.deb")):
            _run(["dpkg-deb", "--extract", deb, unpacked], tmp)
        os.mkdir(entry)
        _take(unpacked, "boot/vmlinuz-*", os.path.join(entry, "vmlinuz"))
        _take(unpacked, "boot/config-*", os.path.join(entry, "config"))
        _take(unpacked, "bin/busybox", os.path.join(entry, "busybox"))
        final = os.path.join(root, "%s_%s" % (package, version.replace("/", "_")))
        try:
            os.rename(entry, final)
        except OSError:
            # Another run was faster.
            if not os.path.isfile(os.path.join(final, "busybox")):
                raise
        return final


def main():
    words = sys.argv[1:]
    if words in (["-h"], ["--help"]):
        print(__doc__)
        return 0
    only_cached = words[:1] == ["--cached"]
    flavour = words[only_cached:]
    if len(flavour) != 1 or flavour[0] not in FLAVOURS:
        print("debian_i386.py: usage: debian_i386.py [--cached] %s" % "|".join(FLAVOURS), file=sys.stderr)
        return 2
    folder = cached(flavour[0])
    if not folder and only_cached:
        return 3
    try:
        folder = folder or fetch(flavour[0], lambda text: print("  " + text, file=sys.stderr, flush=True))
    except (Failure, OSError) as e:
        print("debian_i386.py: %s" % e, file=sys.stderr)
        return 1
    print(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
