#!/usr/bin/env python3
"""debian_kernel.py: Debian's cloud kernel, fetched once and kept.

usage: debian_kernel.py [--cached | --update]

Prints the folder that holds the kernel: `vmlinuz`, `config`, and the few modules that our initramfs loads. The package
linux-image-cloud-amd64 is empty and depends on the one of the current version; that one is downloaded with apt (which
checks its signature and hash) and unpacked, nothing is installed, and no root is needed. A folder of the cache is named
for package and version and appears whole, by a rename, or not at all:

    ${XDG_CACHE_HOME:-~/.cache}/trapeze/kernel/linux-image-6.1.0-56-cloud-amd64_6.1.192-2/

With a kernel in the cache nothing is looked up and no network is needed.

    --cached   never download: status 3 when the cache is empty
    --update   look for a newer version even if one is in the cache
"""

import glob
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

META_PACKAGE = "linux-image-cloud-amd64"
# The power button reaches user space through these two, which Debian builds as modules.
MODULES = ("drivers/acpi/button.ko", "drivers/input/evdev.ko")
STALE_SECONDS = 3600


class Failure(Exception):
    """A message that names the thing and the mend."""


def cache_root():
    base = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return os.path.join(base, "trapeze", "kernel")


def _version_key(name):
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", name)]


def cached():
    """The newest kernel's folder, or None."""
    entries = [e for e in glob.glob(os.path.join(cache_root(), "linux-image-*"))
               if os.path.isfile(os.path.join(e, "vmlinuz"))]
    return max(entries, key=lambda e: _version_key(os.path.basename(e)), default=None)


def _run(command, **kw):
    run = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False,
                         env={**os.environ, "LC_ALL": "C"}, **kw)
    if run.returncode:
        words = [line for line in run.stderr.splitlines() if line.strip()]
        raise Failure("%s: %s" % (" ".join(command[:2]), words[-1] if words else "status %d" % run.returncode))
    return run.stdout


def _private_lists(folder):
    """Options for apt that keep package lists in our own folder: works without root, and changes nothing."""
    for sub in ("lists/partial", "cache/archives/partial"):
        os.makedirs(os.path.join(folder, sub), exist_ok=True)
    return ["-o", "Dir::State::lists=" + os.path.join(folder, "lists"), "-o", "Dir::Cache=" + os.path.join(folder, "cache")]


def _resolve(options):
    """(package, version) that the empty package depends on."""
    shown = _run(["apt-cache", *options, "show", "--no-all-versions", META_PACKAGE])
    m = re.search(r"^Depends:.*?\b(linux-image-\S+)\s+\(=\s*([^)\s]+)\)", shown, re.MULTILINE)
    if not m:
        raise Failure("%s: depends on no kernel of a fixed version" % META_PACKAGE)
    return m.group(1), m.group(2)


def _entry_name(package, version):
    return "%s_%s" % (package, version.replace("/", "_"))


def _fill(entry, deb, unpacked):
    """Put what we keep of the unpacked package into the folder `entry`."""
    _run(["dpkg-deb", "--extract", deb, unpacked])
    kernels = glob.glob(os.path.join(unpacked, "boot", "vmlinuz-*"))
    if len(kernels) != 1:
        raise Failure("%s: holds %d kernels instead of one" % (os.path.basename(deb), len(kernels)))
    os.mkdir(entry)
    shutil.copyfile(kernels[0], os.path.join(entry, "vmlinuz"))
    for config in glob.glob(os.path.join(unpacked, "boot", "config-*")):
        shutil.copyfile(config, os.path.join(entry, "config"))
    for module in MODULES:
        for path in glob.glob(os.path.join(unpacked, "lib/modules/*/kernel", module)):
            shutil.copyfile(path, os.path.join(entry, os.path.basename(module)))


def _clear_stale(root):
    """What a killed run has left behind."""
    for path in glob.glob(os.path.join(root, ".tmp-*")):
        try:
            if time.time() - os.stat(path).st_mtime > STALE_SECONDS:
                shutil.rmtree(path, ignore_errors=True)
        except FileNotFoundError:
            pass


def fetch(say):
    """Download the current version unless it is there; returns its folder."""
    if not shutil.which("apt-get"):
        raise Failure("apt-get is missing: the kernel comes from Debian's archive; on another system give your own with "
                      "--kernel FILE")
    root = cache_root()
    os.makedirs(root, exist_ok=True)
    _clear_stale(root)
    with tempfile.TemporaryDirectory(prefix=".tmp-", dir=root) as tmp:
        sandbox = ["-o", "APT::Sandbox::User=root"] if os.getuid() == 0 else []
        # The system's own package lists first; they may be absent, or too old to download from.
        deb = package = version = None
        try:
            package, version = _resolve([])
            final = os.path.join(root, _entry_name(package, version))
            if os.path.isfile(os.path.join(final, "vmlinuz")):
                return final
            say("downloading %s %s" % (package, version))
            _run(["apt-get", *sandbox, "download", "%s=%s" % (package, version)], cwd=tmp)
        except Failure:
            say("fetching Debian's package lists")
            options = _private_lists(tmp) + sandbox
            _run(["apt-get", *options, "update"])
            package, version = _resolve(options)
            final = os.path.join(root, _entry_name(package, version))
            if os.path.isfile(os.path.join(final, "vmlinuz")):
                return final
            say("downloading %s %s" % (package, version))
            _run(["apt-get", *options, "download", "%s=%s" % (package, version)], cwd=tmp)
        deb = glob.glob(os.path.join(tmp, "*.deb"))
        if len(deb) != 1:
            raise Failure("apt-get download %s: left %d packages" % (package, len(deb)))
        entry = os.path.join(tmp, "entry")
        _fill(entry, deb[0], os.path.join(tmp, "unpacked"))
        try:
            os.rename(entry, final)
        except OSError:
            # Another run was faster.
            if not os.path.isfile(os.path.join(final, "vmlinuz")):
                raise
        return final


def kernel_folder(mode, say):
    """As the command line's mode ("", "--cached", "--update"); None: nothing in the cache and `--cached`."""
    here = cached()
    if here and mode != "--update":
        return here
    if mode == "--cached":
        return None
    return fetch(say)


def main():
    mode = sys.argv[1] if len(sys.argv) > 1 else ""
    if mode in ("-h", "--help"):
        print(__doc__)
        return 0
    if len(sys.argv) > 2 or mode not in ("", "--cached", "--update"):
        print("debian_kernel.py: usage: debian_kernel.py [--cached | --update]", file=sys.stderr)
        return 2
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        folder = kernel_folder(mode, lambda text: print("  " + text, file=sys.stderr, flush=True))
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    except (Failure, OSError) as e:
        print("debian_kernel.py: %s; without network give a kernel of your own with --kernel FILE" % e, file=sys.stderr)
        return 1
    if folder is None:
        print("debian_kernel.py: no kernel in %s yet" % cache_root(), file=sys.stderr)
        return 3
    print(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
