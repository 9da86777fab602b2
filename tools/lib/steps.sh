# shellcheck shell=bash disable=SC2154
# steps.sh: what tools/run, tools/check and tools/bench share: a line with its time for each step, children that signals
# reach, a scratch folder that goes whatever happens, and the build.
#
# The caller sets `tool` (its name) and `root` (the source tree) and calls steps_start. From then on `scratch` is a folder, `log`
# a file in it for the output of a step, and file descriptors 7 and 8 are standard output and standard error, however a call
# is redirected.

child='' child_kind='' caught='' signals=0 ticker='' step_open=no step_words='' step_since=0

# help_of FILE: the comment at its top.
help_of() {
    sed -n '2,/^\([^#]\|$\)/s/^# \{0,1\}//p' "$1"
}

say() {
    if [ $step_open = yes ]; then
        echo >&8
        step_open=no
    fi
    echo "$tool: $*" >&8
}

now_us() {
    # The radix character is the locale's.
    echo "${EPOCHREALTIME/[.,]/}"
}

# seconds MICROSECONDS: as 1.2
seconds() {
    local tenths=$((($1 + 50000) / 100000))
    echo "$((tenths / 10)).$((tenths % 10))"
}

steps_start() {
    exec 7>&1 8>&2
    trap 'on_signal INT' INT
    trap 'on_signal TERM' TERM
    trap 'on_signal HUP' HUP
    trap clean_up EXIT
    if ! scratch=$(mktemp -d "${TMPDIR:-/tmp}/trapeze-${tool##*/}.XXXXXX" 2>&1); then
        say "$scratch; set TMPDIR to a folder that can be written to"
        scratch=''
        exit 1
    fi
    log=$scratch/log
    : >"$log" || exit 1
    # What children that are ended leave goes as well; apt's run as another user.
    chmod 711 "$scratch"
    mkdir -m 1777 "$scratch/tmp"
    export TMPDIR=$scratch/tmp
}

clean_up() {
    stop_ticker
    if [ -n "$scratch" ]; then
        rm -rf "$scratch"
    fi
}

# ---- signals ----

end_by_signal() {
    [ $step_open = no ] || say "interrupted"
    last_words
    clean_up
    trap - INT TERM HUP EXIT
    kill -s "$caught" $$
}

# What the caller still has to say when a signal or a failed step ends it; it may define its own.
last_words() {
    :
}

# What a signal does depends on what runs: `stop` ends the child, `finish` waits for it, `machine` hands the signal on.
on_signal() {
    caught=$1
    signals=$((signals + 1))
    case $child_kind in
    '') end_by_signal ;;
    stop) kill -s TERM "$child" 2>/dev/null ;;
    finish) say "SIG$1: ending as soon as the packages are in order" ;;
    machine) kill -s "$1" "$child" 2>/dev/null ;;
    esac
}

# run_child stop|finish|machine COMMAND...: returns the command's status, or ends this process by the signal that came.
run_child() {
    local kind=$1 status
    shift
    caught=''
    case $kind in
    # A session of its own: the terminal's signals do not reach it.
    finish) setsid "$@" 7>&- 8>&- & ;;
    # Bash starts children in the background with SIGINT ignored, which is not what machines and tests expect.
    *) env --default-signal=INT,QUIT "$@" <&0 7>&- 8>&- & ;;
    esac
    child=$! child_kind=$kind
    [ "$kind" = machine ] || start_ticker
    # A trapped signal ends `wait`, not the child.
    local before
    while :; do
        before=$signals
        wait "$child"
        status=$?
        [ "$signals" != "$before" ] || break
    done
    child='' child_kind=''
    stop_ticker
    if [ -n "$caught" ] && [ "$kind" != machine ]; then
        end_by_signal
    fi
    return $status
}

# ---- steps ----

# On a terminal, a long step shows that it lives.
start_ticker() {
    { [ -t 8 ] && [ $step_open = yes ]; } || return 0
    (
        trap - INT TERM HUP EXIT
        while sleep 1 && [ -d "/proc/$$" ]; do
            last=$(tail -c 400 "$log" 2>/dev/null | tr '\r' '\n' | tail -n 1 | tr -cd '[:print:]')
            columns=$(stty size <&8 | cut -d ' ' -f 2)
            line="$tool: $step_words ($(seconds $(($(now_us) - step_since))) s) $last"
            printf '\r%.*s\033[K' "$((${columns:-80} - 1))" "$line"
        done
    ) >&8 2>/dev/null 7>&- 9>&- &
    ticker=$!
}

stop_ticker() {
    [ -n "$ticker" ] || return 0
    kill "$ticker" 2>/dev/null
    wait "$ticker" 2>/dev/null
    ticker=''
    printf '\r\033[K%s' "$tool: $step_words" >&8
}

step_begin() {
    step_words=$*
    step_since=$(now_us)
    step_open=yes
    printf '%s' "$tool: $step_words" >&8
    : >"$log"
}

# step_done DETAIL: what more there is to say, or nothing.
step_done() {
    step_open=no
    echo "${1:+: $1}, $(seconds $(($(now_us) - step_since))) s" >&8
}

# A step with nothing to do.
step_skip() {
    say "$*"
}

# step_report_failure MEND: the step failed, and how.
step_report_failure() {
    step_open=no
    echo ": failed after $(seconds $(($(now_us) - step_since))) s" >&8
    tail -n 30 "$log" >&8
    say "$*"
    say_full_disks
}

# step_fail MEND: the same, and the end.
step_fail() {
    step_report_failure "$@"
    last_words
    exit 1
}

# A full disk shows as any error; name it.
say_full_disks() {
    local folder free
    for folder in "$root" "$scratch" "${XDG_CACHE_HOME:-${HOME:-/}}"; do
        free=$(df -Pk "$folder" 2>/dev/null | awk 'NR == 2 { print $4 }')
        if [ -n "$free" ] && [ "$free" -lt 1024 ]; then
            say "the disk that holds $folder is full: make room and start again"
        fi
    done
}

# ---- the build ----

# lock_folder FOLDER: makes it, and holds it against others by file descriptor 9 until unlock_folder.
lock_folder() {
    local words
    if ! words=$(mkdir -p "$1" 2>&1) || ! [ -w "$1" ]; then
        say "${words:-$1 is not yours to write to}; use a clone of your own"
        exit 1
    fi
    exec 9<"$1"
    flock -n 9 && return
    step_begin "waiting: another run builds in $1"
    run_child stop flock 9
    step_done ''
}

unlock_folder() {
    exec 9<&-
}

# build_ready FOLDER: configured, whole, and for this tree (a copied clone carries the configuration of the first).
build_ready() {
    [ -f "$1/build.ninja" ] && python3 -c 'import json, sys
sys.exit(json.load(open(sys.argv[1]))["directories"]["source"] != sys.argv[2])' \
        "$1/meson-info/meson-info.json" "$root" 2>/dev/null
}

# build FOLDER MESON-OPTIONS -- NINJA-ARGUMENTS: configure once, then build, output to the log. The folder is locked
# already. Status as of what failed.
build() {
    local folder=$1 options=()
    shift
    while [ "$1" != -- ]; do
        options+=("$1")
        shift
    done
    shift
    if ! build_ready "$folder"; then
        # What an interrupted configuration left would be taken for a finished one.
        rm -rf "$folder/meson-private" "$folder/meson-info" "$folder/meson-logs" "$folder/build.ninja"
        run_child stop meson setup "$folder" "$root" "${options[@]}" >"$log" 2>&1 </dev/null || return
    fi
    run_child stop ninja -C "$folder" "$@" >>"$log" 2>&1 </dev/null
}
