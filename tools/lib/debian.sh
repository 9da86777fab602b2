# shellcheck shell=bash disable=SC2034,SC2154
# debian.sh: the steps that get a Debian kernel and make our initramfs; after steps.sh. The callers use `kernel`, `initrd`.

# debian_kernel [--update]: sets `kernel` (the file) and `kernel_folder`; status 1 when there is none to be had.
debian_kernel() {
    local kept
    step_begin "kernel: Debian's cloud kernel"
    if ! run_child stop "$lib/debian_kernel.py" "$@" >"$scratch/kernel" 2>"$log" </dev/null; then
        step_report_failure "no kernel"
        return 1
    fi
    kernel_folder=$(cat "$scratch/kernel")
    kernel=$kernel_folder/vmlinuz
    kept="from the cache"
    ! grep -q '^ *downloading' "$log" || kept=downloaded
    step_done "${kernel_folder##*/}, $kept"
}

# debian_initramfs: sets `initrd`, a file in the scratch folder.
debian_initramfs() {
    local modules=()
    if [ -n "${kernel_folder-}" ]; then
        modules=("$kernel_folder"/*.ko)
    fi
    initrd=$scratch/initramfs
    step_begin "initramfs: busybox"
    run_child stop "$lib/initramfs.py" "$initrd" "${modules[@]}" >"$log" 2>&1 </dev/null || step_fail "no initramfs"
    step_done ''
}
