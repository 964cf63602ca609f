# Parts of a gate, timed: sourced by .ci/run and tools/full_gate.
#
# `part NAME COMMAND...` runs a command and keeps its seconds; `seconds` prints the table. A part that fails ends the
# script, which then prints the table of what ran, and which part it was.

seconds_by_part=
current_part=
gate_started=$(date +%s)

part() {
    current_part=$1
    part_started=$(date +%s)
    shift
    echo "== $current_part"
    "$@"
    note_seconds "$current_part"
    current_part=
}

note_seconds() {
    seconds_by_part=$seconds_by_part$(printf '%6d  %s' $(($(date +%s) - part_started)) "$1")'
'
}

seconds() {
    echo "seconds  part"
    printf '%s' "$seconds_by_part"
    printf '%6d  %s\n' $(($(date +%s) - gate_started)) "in all"
}

# Whatever ends the script: the table where a part failed, and no folder left behind.
finish() {
    status=$?
    if [ -n "$current_part" ]; then
        note_seconds "$current_part (failed)"
        seconds
        echo "failed in: $current_part"
    fi
    rm -rf "$work"
    exit "$status"
}
