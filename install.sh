#!/bin/sh
# Builds ccsession, installs it for this user, registers its hooks with Claude Code, and shows what it does on a
# recorded session. Needs no sudo, and edits no shell start-up file.
set -eu
# Overrides the user's umask: Claude Code runs what is installed here, so nobody else may write to it.
umask 022

usage() {
    cat <<'TEXT'
Usage: ./install.sh [OPTIONS]

Build ccsession, install it, register its hooks in ~/.claude/settings.json, and play a recorded session through them

  --prefix DIR    install below DIR: bin/ccsession, libexec/ccsession/, and in share/ the manual pages and the
                  completions of bash, zsh and fish (default: ~/.local)
  --no-register   leave Claude Code's settings alone
  --build-only    build the programs, print the folder that they are in, and install nothing
  --quiet         print errors only
  --uninstall     take the hooks out of every settings file that they were registered in, and the cleanup timer
                  if there is one, and remove the programs; recorded sessions stay
  --help          print this help
TEXT
}

say() { [ "$quiet" = yes ] || printf '%s\n' "$*"; }
# Runs a command whose output --quiet hides.
speak() { if [ "$quiet" = yes ]; then "$@" >/dev/null; else "$@"; fi; }
fail() { printf 'install.sh: %s\n' "$*" >&2; exit 1; }

quiet=no
prefix=
register=yes
action=install
while [ $# -gt 0 ]; do
    case $1 in
        --prefix) [ $# -ge 2 ] || { usage >&2; exit 64; }; prefix=$2; shift ;;
        --prefix=*) prefix=${1#--prefix=} ;;
        --no-register) register=no ;;
        --uninstall) action=uninstall ;;
        --build-only) action=build ;;
        --quiet) quiet=yes ;;
        --help|-h) usage; exit 0 ;;
        *) printf 'install.sh: could not understand %s; see ./install.sh --help\n' "$1" >&2; exit 64 ;;
    esac
    shift
done
if [ -z "$prefix" ] && [ "$action" != build ]; then
    case ${HOME:-} in
        /*) prefix=$HOME/.local ;;
        *) fail 'could not find a place to install to: HOME is not an absolute path; use --prefix DIR' ;;
    esac
fi
case $prefix in /*) ;; *) prefix=$(pwd)/$prefix ;; esac

hooks='session-start pre-tool-use post-tool-use session-event'
bin=$prefix/bin
libexec=$prefix/libexec/ccsession
share=$prefix/share
here=$(cd "$(dirname "$0")" && pwd)

# Prints the uid of the owner of a path, or of the nearest folder above it that exists.
owner_of() {
    place=$1
    while [ ! -e "$place" ]; do place=$(dirname "$place"); done
    # The third word is the owner's number.
    listed=$(ls -ldn "$place/." 2>/dev/null || ls -ldn "$place")
    # shellcheck disable=SC2086
    set -- $listed
    printf '%s\n' "$3"
}

# Refuses another user's folder, for example under `sudo -E`: its owner could not change what root creates there.
refuse_anothers() {
    owner=$(owner_of "$1")
    case $owner in
        "$(id -u)" | 0) ;;
        *) fail "could not use $1: it belongs to another user (uid $owner); run install.sh as that user, without sudo" ;;
    esac
}

# If a folder has a program's name, the program would be moved into it.
refuse_folders() {
    for program in "$bin/ccsession" "$libexec/session-event" "$libexec/session-start" "$libexec/pre-tool-use" "$libexec/post-tool-use"; do
        [ ! -d "$program" ] || fail "could not install $program: it is a directory; move it away, or use another --prefix DIR"
    done
}

uninstall() {
    found=no
    for program in $hooks; do [ ! -e "$libexec/$program" ] || found=yes; done
    [ ! -e "$bin/ccsession" ] || found=yes
    if [ "$found" = no ]; then
        say "ccsession is not installed in $prefix"
        return
    fi
    if [ -x "$bin/ccsession" ]; then
        if [ "$register" = yes ]; then
            speak "$bin/ccsession" uninstall --all
        else
            # A timer without its program would only fail.
            speak "$bin/ccsession" uninstall --timer
        fi
        state=$("$bin/ccsession" config | sed -n 's/^state  *//p')
        rm -f "$bin/ccsession"
    fi
    for hook in $hooks; do rm -f "$libexec/$hook"; done
    rmdir "$libexec" 2>/dev/null || :
    remove_shell_files
    say "removed ccsession from $prefix"
    [ ! -d "${state:-}" ] || say "the recorded sessions stay in $state"
}

# Builds the programs: all crates once, the CLI linked as it is, the hooks with link-time optimisation. Other scripts that need
# the programs as they are installed call this one with --build-only.
build() {
    command -v cargo >/dev/null 2>&1 || fail 'could not find cargo, which builds Rust programs.
Install Rust for your user from https://rustup.rs, or by your package manager, then run ./install.sh again.'
    cd "$here"
    about=$(rustc -vV) || fail 'could not run rustc; repair the Rust installation (see above), then run ./install.sh again'
    host=$(printf '%s\n' "$about" | sed -n 's/^host: //p')
    target=${CARGO_TARGET_DIR:-$here/target}
    case $target in /*) ;; *) target=$here/$target ;; esac
    # Stores the bitcode, from which the hooks are optimised, beside the machine code.
    RUSTFLAGS="${RUSTFLAGS:-} -C embed-bitcode=yes"
    case $host in
        # Linked statically and at a fixed address: a hook is a process that a tool call waits for, and loading libraries
        # and relocating itself would be most of what it does.
        *-linux-*) RUSTFLAGS="$RUSTFLAGS -C target-feature=+crt-static -C relocation-model=static" ;;
    esac
    # Builds only the parts of zstd that levels 1 and 3 use: the stronger and slower ways to compress are most of its code.
    for way in GREEDY LAZY LAZY2 BTLAZY2 BTOPT BTULTRA; do
        CFLAGS="${CFLAGS:-} -DZSTD_EXCLUDE_${way}_BLOCK_COMPRESSOR"
    done
    export RUSTFLAGS CFLAGS
    mkdir -p "$target"
    plan=$target/install-$$.plan
    messages=$target/install-$$.jsonl
    errors=$target/install-$$.err
    watcher=
    trap 'stop_watching; rm -f "$plan" "$messages" "$errors"' EXIT
    trap 'exit 130' INT
    watch_build
    cargo_rustc ccsession
    cargo_rustc session-event -C lto=fat -C codegen-units=1 -C opt-level=3
    stop_watching
    built=$target/$host/installed
}

# Builds a program. Prints cargo's errors after the progress, not in the middle of it.
cargo_rustc() {
    program=$1
    shift
    if ! cargo rustc --bin "$program" --profile installed --locked --quiet --message-format json-render-diagnostics \
        --target "$host" --target-dir "$target" -- "$@" >>"$messages" 2>"$errors"; then
        stop_watching
        cat "$errors" >&2
        fail 'could not build ccsession (see above); nothing was installed'
    fi
}

# Shows how far the build is: each second in a terminal, each half minute elsewhere.
watch_build() {
    : >"$messages"
    : >"$plan"
    [ "$quiet" = no ] || return 0
    plan_build >"$plan" 2>/dev/null
    processors=$(getconf _NPROCESSORS_ONLN 2>/dev/null) || processors=1
    # shellcheck disable=SC2046
    set -- $(measure_build)
    if [ "$2" -gt 0 ]; then
        say "building ccsession: $2 crates; the first time takes about $(clock "$4") on $processors idle processors"
    else
        say 'building ccsession ...'
    fi
    (
        trap 'exit 0' TERM
        began=$(date +%s) shown=$(date +%s) stamp=0 stamped=0
        while sleep 1 >/dev/null 2>&1 && kill -0 $$ 2>/dev/null; do
            now=$(date +%s)
            # shellcheck disable=SC2046
            set -- $(measure_build)
            [ "$3" = "$stamp" ] || { stamp=$3 stamped=$now; }
            # Estimates by the pace so far; before a twentieth is built, by the pace of the machine on which it was measured.
            if [ $((stamp * 20)) -ge "$4" ] && [ "$stamp" -gt 0 ]; then
                left=$(((stamped - began) * ($4 - stamp) / stamp - (now - stamped)))
            else
                left=$(($4 - (now - began)))
            fi
            if [ "$left" -gt 5 ]; then left="about $(clock "$left") left"; else left='nearly done'; fi
            line="$(clock $((now - began))) so far"
            [ "$2" = 0 ] || line="$1 of $2 crates, $line, $left"
            if [ -t 1 ]; then
                printf '\r%-60s' "$line"
            elif [ $((now - shown)) -ge 30 ]; then
                shown=$now
                say "$line"
            fi
        done
    ) &
    watcher=$!
}

stop_watching() {
    [ -n "$watcher" ] || return 0
    kill "$watcher" 2>/dev/null || :
    wait "$watcher" 2>/dev/null || :
    watcher=
    [ ! -t 1 ] || printf '\r%60s\r' ''
}

# Prints seconds in the form 1:05.
clock() { printf '%d:%02d' $(($1 / 60)) $(($1 % 60)); }

# Prints the crates, one per line. If cargo cannot list them, the build goes on all the same.
plan_build() {
    cargo tree --locked --quiet --edges normal,build --prefix none --format '{p}' --target "$host" | awk 'NF { print $1 } END { if (NR) print "(hooks)" }' | sort -u
}

# Prints four numbers: crates that are built, crates in all, seconds of work that is done, seconds in all. What an earlier build
# left does not count as work.
measure_build() {
    awk -v processors="$processors" '
        # Seconds on an idle processor, measured by `cargo build --timings`; linking is for one processor alone.
        function work(crate) {
            if (crate == "(hooks)") return 16
            if (crate == "ccsession") return 76 / processors
            if (crate == "zstd-sys") return 8 / processors
            if (crate ~ /^(chrono|clap_builder|rustix|serde_core|serde_derive|serde_json|similar|syn|toml)$/) return 3 / processors
            return 0.4 / processors
        }
        FILENAME == ARGV[1] { planned[$1] = 1; all += work($1); crates += $1 != "(hooks)"; next }
        /"reason":"compiler-artifact"/ && !/"kind":\["custom-build"\]/ {
            crate = $0
            sub(/.*"package_id":"/, "", crate)
            sub(/".*/, "", crate)
            # …#name@version; …/name#version; name version (…), of an older cargo.
            if (crate ~ /#.*@/) { sub(/.*#/, "", crate); sub(/@.*/, "", crate) }
            else { sub(/#.*/, "", crate); sub(/ .*/, "", crate); sub(/.*\//, "", crate) }
            if (/"name":"ccsession"/) crate = "ccsession"
            if (/"name":"session-event"/) crate = "(hooks)"
            if (!(crate in planned) || seen[crate]++) next
            if (crate != "(hooks)") built++
            if (/"fresh":true/) all -= work(crate)
            else done += work(crate)
        }
        END { print built + 0, crates + 0, int(done), int(all + 0.5) }
    ' "$plan" "$messages"
}

# Replaces a file instead of overwriting it, because the program may be running.
put() {
    # Removes whatever has that name, for example a link to elsewhere, so that it is not written to.
    if [ -e "$2.new" ] || [ -L "$2.new" ]; then rm -f "$2.new"; fi
    cp "$1" "$2.new"
    chmod "${3:-755}" "$2.new"
    mv -f "$2.new" "$2"
}

# Puts the programs into these two folders: the CLI into the first, the hooks into the second. The hooks are one program under
# four names, so that one hook finds in memory what another has read.
put_programs() {
    put "$built/ccsession" "$1/ccsession"
    put "$built/session-event" "$2/session-event"
    for hook in $hooks; do
        [ "$hook" = session-event ] || ln -f "$2/session-event" "$2/$hook" 2>/dev/null || put "$built/session-event" "$2/$hook"
    done
}

install_programs() {
    mkdir -p "$bin" "$libexec"
    # An older install, or another program under an open umask, may have left these folders writable for everybody.
    chmod go-w "$libexec"
    for folder in "$prefix/libexec" "$bin" "$share" "$share/bash-completion" "$share/bash-completion/completions" "$share/zsh" \
        "$share/zsh/site-functions" "$share/fish" "$share/fish/vendor_completions.d" "$share/man" "$share/man/man1" "$prefix"; do
        [ -d "$folder" ] || continue
        [ "$(owner_of "$folder")" = "$(id -u)" ] || continue
        [ -n "$(find "$folder/." -prune -perm -002 ! -perm -1000)" ] || continue
        chmod o-w "$folder"
        say "closed $folder to others, who could have replaced what Claude Code runs"
    done
    put_programs "$bin" "$libexec"
    install_shell_files
    say "installed $bin/ccsession, the hooks in $libexec, completions and manual pages in $share"
}

# The completions and manual pages: each file below contrib/, and where shells and man look for it below share/.
shell_files() {
    echo 'completions/ccsession.bash bash-completion/completions/ccsession'
    echo 'completions/_ccsession zsh/site-functions/_ccsession'
    echo 'completions/ccsession.fish fish/vendor_completions.d/ccsession.fish'
    for page in "$here"/contrib/man/*.1; do echo "man/${page##*/} man/man1/${page##*/}"; done
}

install_shell_files() {
    shell_files | while read -r file place; do
        { { [ -d "$share/${place%/*}" ] || mkdir -p "$share/${place%/*}"; } && [ ! -d "$share/$place" ] && put "$here/contrib/$file" "$share/$place" 644; } 2>/dev/null ||
            say "could not install $share/$place; the programs are installed"
    done
}

remove_shell_files() {
    shell_files | while read -r _ place; do rm -f "$share/$place"; done
    # The pages of an older version may have other names.
    rm -f "$share"/man/man1/ccsession-*.1
    for folder in bash-completion/completions bash-completion zsh/site-functions zsh fish/vendor_completions.d fish man/man1 man; do
        rmdir "$share/$folder" 2>/dev/null || :
    done
    rmdir "$share" 2>/dev/null || :
}

# Plays a recorded session through the hooks that were just installed, in a separate HOME.
show() {
    demo=$(mktemp -d)
    trap 'rm -rf "$demo" || :' EXIT
    mkdir -p "$demo/home" "$demo/pointers" "$demo/shop/.git"
    unset CLAUDE_CODE_SESSION_ID CLAUDE_ENV_FILE CCSESSION_ID CCSESSION_STATE_DIR CCSESSION_CONFIG XDG_STATE_HOME XDG_CONFIG_HOME
    unset CCSESSION_TTL CCSESSION_CAPTURE CCSESSION_CONTEXT_LINE HOOK_DEBUG
    export HOME="$demo/home" CCSESSION_POINTER_DIR="$demo/pointers" CLAUDE_PROJECT_DIR="$demo/shop" CLAUDE_PID=$$
    cd "$demo/shop"
    say ''
    say 'A recorded session of Claude Code, played through these hooks (in a throw-away HOME).'
    say 'While it runs, every hook, shell and script in it can ask which session it is in:'
    recorded=$here/tests/data/payloads/demo.jsonl
    sed '$d' "$recorded" | while IFS= read -r payload; do play "$payload"; done
    run "$bin/ccsession" current
    run cat "$demo/pointers/claude_session_shop"
    run "$bin/ccsession" list
    play "$(tail -n 1 "$recorded")"
    say ''
    say 'When it has ended, what it did is on record:'
    run "$bin/ccsession" timeline
}

# Prints the last lines that a new user reads.
next_steps() {
    call=ccsession
    say ''
    say 'What to do next:'
    case :$PATH: in
        *":$bin:"*) ;;
        *)
            call=$bin/ccsession
            say "  add $bin to your PATH; until then, type the program's full path"
            ;;
    esac
    if [ "$register" = yes ]; then
        say "  $call import    records the past sessions whose transcripts Claude Code still has"
        say '  claude              starts a session; the hooks record it from its first moment'
        say "  $call doctor    checks that its events arrive"
    else
        say "  $call install   registers the hooks in Claude Code's settings"
    fi
    say "  $call list      shows the live sessions, $call timeline what one of them did"
    say "  $call dashboard shows them in a browser, $call report --open one on a page to keep or send"
    say ''
    say 'To upgrade, pull and run ./install.sh again; ./install.sh --uninstall removes it.'
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

if [ "$action" != build ]; then
    case ${HOME:-} in
        /*) [ "$register" = no ] || refuse_anothers "$HOME" ;;
    esac
    refuse_anothers "$prefix"
fi
if [ "$action" = uninstall ]; then
    uninstall
    exit 0
fi
if [ "$action" = build ]; then
    # Only the folder is printed to stdout.
    exec 3>&1 1>&2
    build
    programs=$target/$host/programs
    mkdir -p "$programs"
    put_programs "$programs" "$programs"
    printf '%s\n' "$programs" >&3
    exit 0
fi
refuse_folders
build
install_programs
if [ "$register" = yes ]; then
    # After minutes of building, the user may be away. So nothing is asked; the end says what to type.
    said=$("$bin/ccsession" install </dev/null) || fail 'could not register the hooks (see above); the programs are installed'
    # What to do next comes after the recorded session.
    [ "$quiet" = yes ] || printf '%s\n' "$said" | sed '/^next: /d'
    # Shows what else would let others in. This script does not change that.
    "$bin/ccsession" doctor | sed -n '/ access: /,/ remedy: /p' || :
fi
[ "$quiet" = no ] || exit 0
(show) || say 'could not show the recorded session; the installation itself is done'
next_steps
