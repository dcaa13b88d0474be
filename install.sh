#!/bin/sh
# Builds ccsession, installs it for this user, registers its hooks with Claude Code, and shows what it does on a
# recorded session. Needs no sudo, and edits no shell start-up file.
set -eu
# Whatever the user's is: the client runs what is put down here, so nobody else may write to it.
umask 022

usage() {
    cat <<'TEXT'
Usage: ./install.sh [OPTIONS]

Build ccsession, install it, register its hooks in ~/.claude/settings.json, and play a recorded session through them

  --prefix DIR    install below DIR: bin/ccsession and libexec/ccsession/ (default: ~/.local)
  --no-register   leave Claude Code's settings alone
  --uninstall     take the hooks out of every settings file that they were registered in, and the cleanup timer
                  if there is one, and remove the programs; recorded sessions stay
  --help          print this help
TEXT
}

say() { printf '%s\n' "$*"; }
fail() { printf 'install.sh: %s\n' "$*" >&2; exit 1; }

prefix=
register=yes
action=install
while [ $# -gt 0 ]; do
    case $1 in
        --prefix) [ $# -ge 2 ] || { usage >&2; exit 64; }; prefix=$2; shift ;;
        --prefix=*) prefix=${1#--prefix=} ;;
        --no-register) register=no ;;
        --uninstall) action=uninstall ;;
        --help|-h) usage; exit 0 ;;
        *) printf 'install.sh: could not understand %s; see ./install.sh --help\n' "$1" >&2; exit 64 ;;
    esac
    shift
done
if [ -z "$prefix" ]; then
    case ${HOME:-} in
        /*) prefix=$HOME/.local ;;
        *) fail 'could not find a place to install to: HOME is not an absolute path; give --prefix DIR' ;;
    esac
fi
case $prefix in /*) ;; *) prefix=$(pwd)/$prefix ;; esac

hooks='session-start pre-tool-use post-tool-use session-event'
bin=$prefix/bin
libexec=$prefix/libexec/ccsession
here=$(cd "$(dirname "$0")" && pwd)

# Whose a place is, or the nearest one above it that is there.
owner_of() {
    place=$1
    while [ ! -e "$place" ]; do place=$(dirname "$place"); done
    # The third word is the owner's number.
    listed=$(ls -ldn "$place/." 2>/dev/null || ls -ldn "$place")
    # shellcheck disable=SC2086
    set -- $listed
    printf '%s\n' "$3"
}

# As under `sudo -E`: what is made there would be root's, and in its owner's way.
refuse_anothers() {
    owner=$(owner_of "$1")
    case $owner in
        "$(id -u)" | 0) ;;
        *) fail "could not use $1: it belongs to another user (uid $owner); run install.sh as that user, without sudo" ;;
    esac
}

# A folder of that name would take the program in.
refuse_folders() {
    for program in "$bin/ccsession" "$libexec/session-event" "$libexec/session-start" "$libexec/pre-tool-use" "$libexec/post-tool-use"; do
        [ ! -d "$program" ] || fail "could not install $program: it is a directory; move it away, or give another --prefix DIR"
    done
}

uninstall() {
    if [ -x "$bin/ccsession" ]; then
        if [ "$register" = yes ]; then
            "$bin/ccsession" uninstall --all
        else
            # A timer without its program would only fail.
            "$bin/ccsession" uninstall --timer
        fi
        state=$("$bin/ccsession" config | sed -n 's/^state  *//p')
        rm -f "$bin/ccsession"
    fi
    for hook in $hooks; do rm -f "$libexec/$hook"; done
    rmdir "$libexec" 2>/dev/null || :
    say "removed ccsession from $prefix"
    [ ! -d "${state:-}" ] || say "the recorded sessions stay in $state"
}

# Where the executables of this build are.
build() {
    command -v cargo >/dev/null 2>&1 || fail 'could not find cargo, which builds Rust programs.
Install Rust for your user from https://rustup.rs, or by your package manager, then run ./install.sh again.'
    cd "$here"
    say 'building (a minute or two the first time) ...'
    about=$(rustc -vV) || fail 'could not run rustc; mend the Rust installation (see above), then run ./install.sh again'
    host=$(printf '%s\n' "$about" | sed -n 's/^host: //p')
    case $host in
        # Linked statically and at a fixed address: a hook is a process that a tool call waits for, and loading libraries
        # and relocating itself would be most of what it does.
        *-linux-*) RUSTFLAGS="${RUSTFLAGS:-} -C target-feature=+crt-static -C relocation-model=static" cargo build --release --locked --quiet --target "$host" ;;
        *) cargo build --release --locked --quiet --target "$host" ;;
    esac
    built=${CARGO_TARGET_DIR:-$here/target}/$host/release
}

# A running program is not overwritten but replaced.
put() {
    # Whatever has that name, a link to elsewhere too, is not written to.
    rm -f "$2.new"
    cp "$1" "$2.new"
    chmod 755 "$2.new"
    mv -f "$2.new" "$2"
}

install_programs() {
    mkdir -p "$bin" "$libexec"
    # An older install, or another program under an open umask, may have left these to everybody.
    chmod go-w "$libexec"
    for folder in "$prefix/libexec" "$bin" "$prefix"; do
        [ "$(owner_of "$folder")" = "$(id -u)" ] || continue
        [ -n "$(find "$folder/." -prune -perm -002 ! -perm -1000)" ] || continue
        chmod o-w "$folder"
        say "closed $folder to others, who could have replaced what Claude Code runs"
    done
    put "$built/ccsession" "$bin/ccsession"
    # The hooks are one program under four names: what one has read into memory, the next one finds there.
    put "$built/session-event" "$libexec/session-event"
    for hook in $hooks; do
        [ "$hook" = session-event ] || ln -f "$libexec/session-event" "$libexec/$hook" 2>/dev/null ||
            put "$built/$hook" "$libexec/$hook"
    done
    say "installed $bin/ccsession and the hooks in $libexec"
}

# Plays a recorded session through the hooks that were just installed, in a HOME of its own.
show() {
    demo=$(mktemp -d)
    trap 'rm -rf "$demo" || :' EXIT
    mkdir -p "$demo/home" "$demo/pointers" "$demo/shop/.git"
    unset CLAUDE_CODE_SESSION_ID CLAUDE_ENV_FILE CCSESSION_ID CCSESSION_STATE_DIR CCSESSION_CONFIG XDG_STATE_HOME XDG_CONFIG_HOME
    unset CCSESSION_TTL CCSESSION_CAPTURE CCSESSION_CONTEXT_LINE HOOK_DEBUG
    export HOME="$demo/home" CCSESSION_POINTER_DIR="$demo/pointers" CLAUDE_PROJECT_DIR="$demo/shop" CLAUDE_PID=$$
    cd "$demo/shop"
    say ''
    say 'What it does, on a recorded session of Claude Code (in a throw-away HOME):'
    recorded=$here/tests/data/payloads/demo.jsonl
    sed '$d' "$recorded" | while IFS= read -r payload; do play "$payload"; done
    run "$bin/ccsession" current
    run cat "$demo/pointers/claude_session_shop"
    run "$bin/ccsession" list
    say ''
    say '$ head -n 8 .../events.jsonl'
    grep . "$demo"/home/.local/state/ccsession/sessions/*/events.jsonl | head -n 8
    say ''
    say '... and when the session has ended:'
    play "$(tail -n 1 "$recorded")"
    run "$bin/ccsession" current
    run "$bin/ccsession" timeline
    run "$bin/ccsession" stats
}

play() {
    case $1 in
        *'"hook_event_name":"SessionStart"'*) hook=session-start ;;
        *'"hook_event_name":"PreToolUse"'*) hook=pre-tool-use ;;
        *'"hook_event_name":"PostToolUse'* | *'"hook_event_name":"PostToolBatch"'*) hook=post-tool-use ;;
        *) hook=session-event ;;
    esac
    printf '%s\n' "$1" | "$libexec/$hook"
}

run() {
    say ''
    printf '$ %s' "$(basename "$1")"
    first=yes
    for word in "$@"; do
        [ "$first" = yes ] || printf ' %s' "$word"
        first=no
    done
    say ''
    "$@"
}

case ${HOME:-} in
    /*) [ "$register" = no ] || refuse_anothers "$HOME" ;;
esac
refuse_anothers "$prefix"
if [ "$action" = uninstall ]; then
    uninstall
    exit 0
fi
refuse_folders
build
install_programs
if [ "$register" = yes ]; then
    "$bin/ccsession" install
    # What else would let others in is not this script's to change.
    "$bin/ccsession" doctor | sed -n '/ access: /,/ remedy: /p' || :
fi
case :$PATH: in
    *":$bin:"*) ;;
    *) say "note: $bin is not on your PATH; to call ccsession by its name, add it there" ;;
esac
(show) || say 'could not show the recorded session; the installation itself is done'
