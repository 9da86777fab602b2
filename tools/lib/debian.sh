# shellcheck shell=bash disable=SC2034,SC2154
# debian.sh: the steps that get a Debian kernel and make our initramfs; after steps.sh. The callers use `kernel`, `initrd`.

# Without a home folder that can be written to, the kernel stays with the clone.
choose_cache() {
    local folder
    [[ ${XDG_CACHE_HOME-} != /* ]] || return 0
    for folder in ~/.cache/trapeze/kernel ~/.cache/trapeze ~/.cache ~; do
        if [ -e "$folder" ]; then
            [ ! -w "$folder" ] || return 0
            break
        fi
    done
    export XDG_CACHE_HOME=$root/build/cache
    say "no home folder to write to: the kernel is kept in $XDG_CACHE_HOME"
}

# debian_kernel [--update]: sets `kernel` (the file) and `kernel_folder`; status 1 when there is none to be had.
debian_kernel() {
    local kept
    choose_cache
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
