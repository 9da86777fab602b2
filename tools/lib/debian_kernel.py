#!/usr/bin/env python3
"""debian_kernel.py: Debian's cloud kernel, fetched once and kept.

usage: debian_kernel.py [--cached | --update] [--kvm]

Prints the folder that holds the kernel: `vmlinuz`, `config`, and the few modules that our initramfs loads. The package
linux-image-cloud-amd64 is empty and depends on the one of the current version; that one is downloaded with apt (which
checks its signature and hash) and unpacked, nothing is installed, and no root is needed. A folder of the cache is named
for package and version and appears whole, by a rename, or not at all:

    ${XDG_CACHE_HOME:-~/.cache}/trapeze/kernel/linux-image-6.1.0-56-cloud-amd64_6.1.192-2/

Its file SHA256SUMS is checked at each use; a folder that does not fit it is not used, and downloaded again. With a kernel
in the cache nothing is looked up and no network is needed.

    --cached   never download: status 3 when the cache has none
    --update   look for a newer version even if one is in the cache
    --kvm      with the modules of KVM, in a folder of its own beside the usual one (kernel-kvm instead of kernel)
"""

import fcntl
import glob
import hashlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile

META_PACKAGE = "linux-image-cloud-amd64"
# What is kept of the package. The power button reaches user space through the two modules.
KEEP = (
    (re.compile(r"boot/vmlinuz-[^/]+"), "vmlinuz"),
    (re.compile(r"boot/config-[^/]+"), "config"),
    (re.compile(r"(?:usr/)?lib/modules/[^/]+/kernel/drivers/acpi/button\.ko"), "button.ko"),
    (re.compile(r"(?:usr/)?lib/modules/[^/]+/kernel/drivers/input/evdev\.ko"), "evdev.ko"),
)
# What is kept besides in the folders of each kind.
MORE = {
    "kernel": (),
    "kernel-kvm": tuple((re.compile(r"(?:usr/)?lib/modules/[^/]+/kernel/" + path), os.path.basename(path).replace("\\", ""))
                        for path in (r"virt/lib/irqbypass\.ko", r"arch/x86/kvm/kvm\.ko", r"arch/x86/kvm/kvm-amd\.ko",
                                     r"arch/x86/kvm/kvm-intel\.ko")),
}
SUMS = "SHA256SUMS"
# Words of a command that a message can do without.
OPTION = re.compile(r"-o|[A-Za-z:]+=.*")
# The package, what is kept of it, and perhaps package lists.
NEEDED_BYTES = 128 << 20


class Failure(Exception):
    """A message that names the thing and the mend."""


def cache_root(kind="kernel"):
    base = os.environ.get("XDG_CACHE_HOME", "")
    # A relative path is to be ignored (XDG Base Directory Specification).
    if not os.path.isabs(base):
        base = os.path.join(os.path.expanduser("~"), ".cache")
    if not os.path.isabs(base):
        raise Failure("this user has no home folder: set XDG_CACHE_HOME to a folder that can be written to")
    return os.path.join(base, "trapeze", kind)


def _version_key(name):
    # Text and numbers alternate, so that like is compared with like.
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", name)]


def _sums(entry, names):
    """The text of SHA256SUMS, in sha256sum's format, for those files of the folder."""
    lines = []
    for name in sorted(names):
        with open(os.path.join(entry, name), "rb") as f:
            lines.append("%s  %s\n" % (hashlib.sha256(f.read()).hexdigest(), name))
    return "".join(lines)


def _whole(entry):
    """Does the folder hold what was once put there?"""
    try:
        with open(os.path.join(entry, SUMS)) as f:
            expected = f.read()
        names = [line.split("  ", 1)[1] for line in expected.splitlines()]
        return "vmlinuz" in names and _sums(entry, names) == expected
    except (OSError, ValueError, IndexError):
        return False


def cached(kind="kernel"):
    """The folder of the newest kernel that is whole, or None."""
    entries = glob.glob(os.path.join(glob.escape(cache_root(kind)), "linux-image-*"))
    entries.sort(key=lambda e: _version_key(os.path.basename(e)), reverse=True)
    return next((e for e in entries if _whole(e)), None)


def _run(command, tmp):
    """The command's output. Its folder, and that of its temporary files, is `tmp`."""
    run = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False, cwd=tmp,
                         env={**os.environ, "LC_ALL": "C", "TMPDIR": tmp})
    if run.returncode:
        words = [line for line in run.stderr.splitlines() if line.strip()]
        raise Failure("%s: %s" % (" ".join(w for w in command if not OPTION.fullmatch(w)),
                                  words[-1] if words else "status %d" % run.returncode))
    return run.stdout


def _private_lists(folder):
    """Options for apt that keep package lists in our own folder: works without root, and changes nothing."""
    for sub in ("lists/partial", "cache/archives/partial"):
        os.makedirs(os.path.join(folder, sub), exist_ok=True)
    return ["-o", "Dir::State::lists=" + os.path.join(folder, "lists"), "-o", "Dir::Cache=" + os.path.join(folder, "cache")]


def _resolve(options, tmp):
    """(package, version) that the empty package depends on."""
    shown = _run(["apt-cache", *options, "show", "--no-all-versions", META_PACKAGE], tmp)
    m = re.search(r"^Depends:.*?\b(linux-image-\S+)\s+\(=\s*([^)\s]+)\)", shown, re.MULTILINE)
    if not m:
        raise Failure("%s: depends on no kernel of a fixed version" % META_PACKAGE)
    return m.group(1), m.group(2)


def _entry_name(package, version):
    return "%s_%s" % (package, version.replace("/", "_"))


def _fill(entry, deb, keep):
    """Put what we keep of the package into the folder `entry`."""
    os.mkdir(entry)
    kept = set()
    with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", deb], stdout=subprocess.PIPE) as unpack:
        with tarfile.open(fileobj=unpack.stdout, mode="r|") as tar:
            for member in tar:
                name = member.name[2:] if member.name.startswith("./") else member.name
                for pattern, short in keep:
                    if member.isfile() and pattern.fullmatch(name):
                        with open(os.path.join(entry, short), "wb") as f:
                            shutil.copyfileobj(tar.extractfile(member), f)
                        kept.add(short)
        # What follows the archive's end; dpkg-deb would fail on a closed pipe.
        while unpack.stdout.read(65536):
            pass
    if unpack.returncode or "vmlinuz" not in kept:
        raise Failure("%s: holds no kernel that dpkg-deb can unpack" % os.path.basename(deb))
    with open(os.path.join(entry, SUMS), "w") as f:
        f.write(_sums(entry, kept))


def _lock(root, say):
    """Holds the cache as long as the returned file is open."""
    lock = open(os.path.join(root, ".lock"), "w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        say("waiting for another download into %s" % root)
        fcntl.flock(lock, fcntl.LOCK_EX)
    return lock


def _download(tmp, root, say, options, sandbox):
    """The final folder's path, and the package's file in `tmp` unless that folder is there and whole."""
    package, version = _resolve(options, tmp)
    final = os.path.join(root, _entry_name(package, version))
    if _whole(final):
        return final, None
    say("downloading %s %s" % (package, version))
    _run(["apt-get", *options, *sandbox, "download", "%s=%s" % (package, version)], tmp)
    debs = glob.glob(os.path.join(glob.escape(tmp), "*.deb"))
    if len(debs) != 1:
        raise Failure("apt-get download %s: left %d packages" % (package, len(debs)))
    return final, debs[0]


def _fetch_locked(tmp, root, say, keep):
    # As root, apt would let its user _apt write into a folder that is ours alone.
    sandbox = ["-o", "APT::Sandbox::User=root"] if os.getuid() == 0 else []
    # The system's own package lists first; they may be absent, or too old to download from.
    try:
        final, deb = _download(tmp, root, say, [], sandbox)
    except Failure:
        say("fetching Debian's package lists")
        options = _private_lists(tmp)
        _run(["apt-get", *options, *sandbox, "update"], tmp)
        final, deb = _download(tmp, root, say, options, sandbox)
    if deb:
        entry = os.path.join(tmp, "entry")
        _fill(entry, deb, keep)
        if os.path.isdir(final):
            say("%s is damaged; replacing it" % final)
            os.rename(final, os.path.join(tmp, "damaged"))
        os.rename(entry, final)
    return final


def fetch(say, kind="kernel"):
    """Download the current version unless it is there; returns its folder."""
    if not shutil.which("apt-get") or not shutil.which("dpkg-deb"):
        raise Failure("apt-get is missing: the kernel comes from Debian's archive")
    root = cache_root(kind)
    try:
        os.makedirs(root, exist_ok=True)
        lock = _lock(root, say)
    except OSError as e:
        raise Failure("the cache cannot be used: %s: %s; set XDG_CACHE_HOME to a folder that can be written to"
                      % (e.filename, e.strerror)) from e
    with lock:
        # Who holds the lock is alone: these are what killed runs have left.
        for path in glob.glob(os.path.join(glob.escape(root), ".tmp-*")):
            shutil.rmtree(path, ignore_errors=True)
        if shutil.disk_usage(root).free < NEEDED_BYTES:
            raise Failure("%s: the disk is full; %d MiB must be free, or set XDG_CACHE_HOME to a folder elsewhere"
                          % (root, NEEDED_BYTES >> 20))
        with tempfile.TemporaryDirectory(prefix=".tmp-", dir=root) as tmp:
            return _fetch_locked(tmp, root, say, KEEP + MORE[kind])


def kernel_folder(mode, say, kind="kernel"):
    """As the command line's mode ("", "--cached", "--update"); None: nothing in the cache and `--cached`."""
    here = cached(kind)
    if here and mode != "--update":
        return here
    if mode == "--cached":
        return None
    return fetch(say, kind)


def main():
    words = [w for w in sys.argv[1:] if w != "--kvm"]
    kind = "kernel" if words == sys.argv[1:] else "kernel-kvm"
    mode = words[0] if words else ""
    if mode in ("-h", "--help"):
        print(__doc__)
        return 0
    if len(words) > 1 or mode not in ("", "--cached", "--update"):
        print("debian_kernel.py: usage: debian_kernel.py [--cached | --update] [--kvm]", file=sys.stderr)
        return 2
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        folder = kernel_folder(mode, lambda text: print("  " + text, file=sys.stderr, flush=True), kind)
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    except (Failure, OSError, tarfile.TarError) as e:
        print("debian_kernel.py: %s" % e, file=sys.stderr)
        return 1
    if folder is None:
        print("debian_kernel.py: no whole kernel in %s" % cache_root(kind), file=sys.stderr)
        return 3
    print(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
