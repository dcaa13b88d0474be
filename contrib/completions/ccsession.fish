# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_ccsession_global_optspecs
    string join \n h/help V/version
end

function __fish_ccsession_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_ccsession_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_ccsession_using_subcommand
    set -l cmd (__fish_ccsession_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c ccsession -n "__fish_ccsession_needs_command" -s h -l help -d 'Print help'
complete -c ccsession -n "__fish_ccsession_needs_command" -s V -l version -d 'Print version'
complete -c ccsession -n "__fish_ccsession_needs_command" -f -a "current" -d 'Print the session id of this shell, script or project'
complete -c ccsession -n "__fish_ccsession_needs_command" -f -a "id" -d 'Print the session id of this shell, script or project'
complete -c ccsession -n "__fish_ccsession_needs_command" -f -a "whoami" -d 'Print the session id of this shell, script or project'
complete -c ccsession -n "__fish_ccsession_needs_command" -f -a "store" -d 'Make a session the current one of a project'
complete -c ccsession -n "__fish_ccsession_needs_command" -f -a "list" -d 'List live sessions'
complete -c ccsession -n "__fish_ccsession_needs_command" -f -a "ls" -d 'List live sessions'
complete -c ccsession -n "__fish_ccsession_needs_command" -f -a "ps" -d 'List live sessions'
complete -c ccsession -n "__fish_ccsession_needs_command" -f -a "show" -d 'Show everything known about one session'
complete -c ccsession -n "__fish_ccsession_needs_command" -f -a "timeline" -d 'Show a session\'s calls in order, under the prompts they serve'
complete -c ccsession -n "__fish_ccsession_needs_command" -f -a "log" -d 'Show a session\'s calls in order, under the prompts they serve'
complete -c ccsession -n "__fish_ccsession_needs_command" -f -a "stats" -d 'Count calls, failures, durations, hours and tokens'
complete -c ccsession -n "__fish_ccsession_needs_command" -f -a "clock-out" -d 'Archive a session: messages, transcript and journal'
complete -c ccsession -n "__fish_ccsession_needs_command" -f -a "archive" -d 'List, read, search, verify, restore or prune archives'
complete -c ccsession -n "__fish_ccsession_needs_command" -f -a "metrics" -d 'Print counters for a monitoring system'
complete -c ccsession -n "__fish_ccsession_needs_command" -f -a "cleanup" -d 'Remove stale state and print the number of pointers removed'
complete -c ccsession -n "__fish_ccsession_needs_command" -f -a "gc" -d 'Remove stale state and print the number of pointers removed'
complete -c ccsession -n "__fish_ccsession_needs_command" -f -a "config" -d 'Show every path and setting, and where each comes from'
complete -c ccsession -n "__fish_ccsession_needs_command" -f -a "clock-in" -d 'Give a session a role and a focus; list others with the same focus'
complete -c ccsession -n "__fish_ccsession_needs_command" -f -a "run" -d 'Run a command in a session of its own'
complete -c ccsession -n "__fish_ccsession_needs_command" -f -a "import" -d 'Import past sessions from Claude Code\'s transcripts'
complete -c ccsession -n "__fish_ccsession_needs_command" -f -a "install" -d 'Register the hooks in Claude Code\'s settings'
complete -c ccsession -n "__fish_ccsession_needs_command" -f -a "uninstall" -d 'Remove the hooks from Claude Code\'s settings'
complete -c ccsession -n "__fish_ccsession_needs_command" -f -a "doctor" -d 'Check the installation and say how to fix what is wrong'
complete -c ccsession -n "__fish_ccsession_needs_command" -f -a "hook" -d 'Handle any hook event (JSON on stdin); prints nothing'
complete -c ccsession -n "__fish_ccsession_needs_command" -f -a "help" -d 'Print this help, or the help of a verb'
complete -c ccsession -n "__fish_ccsession_needs_command" -f -a "version" -d 'Print the version'
complete -c ccsession -n "__fish_ccsession_using_subcommand current" -s p -l project -d 'Use the project of this directory' -r -F
complete -c ccsession -n "__fish_ccsession_using_subcommand current" -l name -d 'Use the pointer of projects with this name' -r
complete -c ccsession -n "__fish_ccsession_using_subcommand current" -l session -d 'Use this session id' -r
complete -c ccsession -n "__fish_ccsession_using_subcommand current" -l pid -d 'Print the session of this process' -r
complete -c ccsession -n "__fish_ccsession_using_subcommand current" -l format -d 'Print TEXT with fields such as {short} filled in, for prompts and status bars' -r
complete -c ccsession -n "__fish_ccsession_using_subcommand current" -l hook-input -d 'Read a hook\'s JSON on stdin and use its session id'
complete -c ccsession -n "__fish_ccsession_using_subcommand current" -l guess -d 'If several sessions match, print the most recently active one'
complete -c ccsession -n "__fish_ccsession_using_subcommand current" -l last -d 'Print the project\'s last session, even if it has ended'
complete -c ccsession -n "__fish_ccsession_using_subcommand current" -s a -l all -d 'Print every live session of the project, most recently active first'
complete -c ccsession -n "__fish_ccsession_using_subcommand current" -l strict -d 'Exit with 3 if unknown, 4 if ambiguous, 6 if only the last known'
complete -c ccsession -n "__fish_ccsession_using_subcommand current" -l explain -d 'Print each source that was asked, what it knew, and why it did not answer'
complete -c ccsession -n "__fish_ccsession_using_subcommand current" -s j -l json -d 'Print one JSON object'
complete -c ccsession -n "__fish_ccsession_using_subcommand current" -s h -l help -d 'Print help'
complete -c ccsession -n "__fish_ccsession_using_subcommand id" -s p -l project -d 'Use the project of this directory' -r -F
complete -c ccsession -n "__fish_ccsession_using_subcommand id" -l name -d 'Use the pointer of projects with this name' -r
complete -c ccsession -n "__fish_ccsession_using_subcommand id" -l session -d 'Use this session id' -r
complete -c ccsession -n "__fish_ccsession_using_subcommand id" -l pid -d 'Print the session of this process' -r
complete -c ccsession -n "__fish_ccsession_using_subcommand id" -l format -d 'Print TEXT with fields such as {short} filled in, for prompts and status bars' -r
complete -c ccsession -n "__fish_ccsession_using_subcommand id" -l hook-input -d 'Read a hook\'s JSON on stdin and use its session id'
complete -c ccsession -n "__fish_ccsession_using_subcommand id" -l guess -d 'If several sessions match, print the most recently active one'
complete -c ccsession -n "__fish_ccsession_using_subcommand id" -l last -d 'Print the project\'s last session, even if it has ended'
complete -c ccsession -n "__fish_ccsession_using_subcommand id" -s a -l all -d 'Print every live session of the project, most recently active first'
complete -c ccsession -n "__fish_ccsession_using_subcommand id" -l strict -d 'Exit with 3 if unknown, 4 if ambiguous, 6 if only the last known'
complete -c ccsession -n "__fish_ccsession_using_subcommand id" -l explain -d 'Print each source that was asked, what it knew, and why it did not answer'
complete -c ccsession -n "__fish_ccsession_using_subcommand id" -s j -l json -d 'Print one JSON object'
complete -c ccsession -n "__fish_ccsession_using_subcommand id" -s h -l help -d 'Print help'
complete -c ccsession -n "__fish_ccsession_using_subcommand whoami" -s p -l project -d 'Use the project of this directory' -r -F
complete -c ccsession -n "__fish_ccsession_using_subcommand whoami" -l name -d 'Use the pointer of projects with this name' -r
complete -c ccsession -n "__fish_ccsession_using_subcommand whoami" -l session -d 'Use this session id' -r
complete -c ccsession -n "__fish_ccsession_using_subcommand whoami" -l pid -d 'Print the session of this process' -r
complete -c ccsession -n "__fish_ccsession_using_subcommand whoami" -l format -d 'Print TEXT with fields such as {short} filled in, for prompts and status bars' -r
complete -c ccsession -n "__fish_ccsession_using_subcommand whoami" -l hook-input -d 'Read a hook\'s JSON on stdin and use its session id'
complete -c ccsession -n "__fish_ccsession_using_subcommand whoami" -l guess -d 'If several sessions match, print the most recently active one'
complete -c ccsession -n "__fish_ccsession_using_subcommand whoami" -l last -d 'Print the project\'s last session, even if it has ended'
complete -c ccsession -n "__fish_ccsession_using_subcommand whoami" -s a -l all -d 'Print every live session of the project, most recently active first'
complete -c ccsession -n "__fish_ccsession_using_subcommand whoami" -l strict -d 'Exit with 3 if unknown, 4 if ambiguous, 6 if only the last known'
complete -c ccsession -n "__fish_ccsession_using_subcommand whoami" -l explain -d 'Print each source that was asked, what it knew, and why it did not answer'
complete -c ccsession -n "__fish_ccsession_using_subcommand whoami" -s j -l json -d 'Print one JSON object'
complete -c ccsession -n "__fish_ccsession_using_subcommand whoami" -s h -l help -d 'Print help'
complete -c ccsession -n "__fish_ccsession_using_subcommand store" -s p -l project -d 'Store the id for the project of this directory' -r -F
complete -c ccsession -n "__fish_ccsession_using_subcommand store" -s h -l help -d 'Print help'
complete -c ccsession -n "__fish_ccsession_using_subcommand list" -s p -l project -d 'List only the sessions of this directory\'s project' -r -F
complete -c ccsession -n "__fish_ccsession_using_subcommand list" -l state -d 'List only sessions in this state; repeatable' -r -f -a "active\t'Live, with an event within the idle timeout or an open call'
idle\t'Live, with no event within the idle timeout'
ended\t'Its last process reported the end'
abandoned\t'Its processes are gone, and none reported an end'"
complete -c ccsession -n "__fish_ccsession_using_subcommand list" -s n -l limit -d 'List at most so many sessions' -r
complete -c ccsession -n "__fish_ccsession_using_subcommand list" -s a -l all -d 'Include ended and abandoned sessions'
complete -c ccsession -n "__fish_ccsession_using_subcommand list" -s w -l waiting -d 'List only sessions that wait for a person: for permission, an answer, or the next prompt'
complete -c ccsession -n "__fish_ccsession_using_subcommand list" -s j -l json -d 'Print one JSON object'
complete -c ccsession -n "__fish_ccsession_using_subcommand list" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ccsession -n "__fish_ccsession_using_subcommand ls" -s p -l project -d 'List only the sessions of this directory\'s project' -r -F
complete -c ccsession -n "__fish_ccsession_using_subcommand ls" -l state -d 'List only sessions in this state; repeatable' -r -f -a "active\t'Live, with an event within the idle timeout or an open call'
idle\t'Live, with no event within the idle timeout'
ended\t'Its last process reported the end'
abandoned\t'Its processes are gone, and none reported an end'"
complete -c ccsession -n "__fish_ccsession_using_subcommand ls" -s n -l limit -d 'List at most so many sessions' -r
complete -c ccsession -n "__fish_ccsession_using_subcommand ls" -s a -l all -d 'Include ended and abandoned sessions'
complete -c ccsession -n "__fish_ccsession_using_subcommand ls" -s w -l waiting -d 'List only sessions that wait for a person: for permission, an answer, or the next prompt'
complete -c ccsession -n "__fish_ccsession_using_subcommand ls" -s j -l json -d 'Print one JSON object'
complete -c ccsession -n "__fish_ccsession_using_subcommand ls" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ccsession -n "__fish_ccsession_using_subcommand ps" -s p -l project -d 'List only the sessions of this directory\'s project' -r -F
complete -c ccsession -n "__fish_ccsession_using_subcommand ps" -l state -d 'List only sessions in this state; repeatable' -r -f -a "active\t'Live, with an event within the idle timeout or an open call'
idle\t'Live, with no event within the idle timeout'
ended\t'Its last process reported the end'
abandoned\t'Its processes are gone, and none reported an end'"
complete -c ccsession -n "__fish_ccsession_using_subcommand ps" -s n -l limit -d 'List at most so many sessions' -r
complete -c ccsession -n "__fish_ccsession_using_subcommand ps" -s a -l all -d 'Include ended and abandoned sessions'
complete -c ccsession -n "__fish_ccsession_using_subcommand ps" -s w -l waiting -d 'List only sessions that wait for a person: for permission, an answer, or the next prompt'
complete -c ccsession -n "__fish_ccsession_using_subcommand ps" -s j -l json -d 'Print one JSON object'
complete -c ccsession -n "__fish_ccsession_using_subcommand ps" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ccsession -n "__fish_ccsession_using_subcommand show" -s j -l json -d 'Print one JSON object'
complete -c ccsession -n "__fish_ccsession_using_subcommand show" -s h -l help -d 'Print help'
complete -c ccsession -n "__fish_ccsession_using_subcommand timeline" -l notify -d 'With --follow, run this shell command once for each session that begins to wait for a person' -r
complete -c ccsession -n "__fish_ccsession_using_subcommand timeline" -s s -l since -d 'Show only calls since then: `today`, `monday`, `2h`, `14:30`, `2026-11-01`' -r
complete -c ccsession -n "__fish_ccsession_using_subcommand timeline" -l tool -d 'Show only calls of this tool; repeatable' -r
complete -c ccsession -n "__fish_ccsession_using_subcommand timeline" -l agent -d 'Show only calls of this subagent, by id prefix or type; `main` is the main thread' -r
complete -c ccsession -n "__fish_ccsession_using_subcommand timeline" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c ccsession -n "__fish_ccsession_using_subcommand timeline" -l bars -d 'When to draw bars and lines' -r -f -a "auto\t'Unless a screen reader, the locale or the terminal calls for plain text'
always\t'Always'
never\t'Never: plain text'"
complete -c ccsession -n "__fish_ccsession_using_subcommand timeline" -s f -l follow -d 'Print events as they come: of this session or, without ID, of all'
complete -c ccsession -n "__fish_ccsession_using_subcommand timeline" -l failed -d 'Show only calls that failed, were denied or never returned'
complete -c ccsession -n "__fish_ccsession_using_subcommand timeline" -s j -l json -d 'Print one JSON object'
complete -c ccsession -n "__fish_ccsession_using_subcommand timeline" -l jsonl -d 'Print a JSON line for each call; with --follow, for each event as recorded'
complete -c ccsession -n "__fish_ccsession_using_subcommand timeline" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ccsession -n "__fish_ccsession_using_subcommand log" -l notify -d 'With --follow, run this shell command once for each session that begins to wait for a person' -r
complete -c ccsession -n "__fish_ccsession_using_subcommand log" -s s -l since -d 'Show only calls since then: `today`, `monday`, `2h`, `14:30`, `2026-11-01`' -r
complete -c ccsession -n "__fish_ccsession_using_subcommand log" -l tool -d 'Show only calls of this tool; repeatable' -r
complete -c ccsession -n "__fish_ccsession_using_subcommand log" -l agent -d 'Show only calls of this subagent, by id prefix or type; `main` is the main thread' -r
complete -c ccsession -n "__fish_ccsession_using_subcommand log" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c ccsession -n "__fish_ccsession_using_subcommand log" -l bars -d 'When to draw bars and lines' -r -f -a "auto\t'Unless a screen reader, the locale or the terminal calls for plain text'
always\t'Always'
never\t'Never: plain text'"
complete -c ccsession -n "__fish_ccsession_using_subcommand log" -s f -l follow -d 'Print events as they come: of this session or, without ID, of all'
complete -c ccsession -n "__fish_ccsession_using_subcommand log" -l failed -d 'Show only calls that failed, were denied or never returned'
complete -c ccsession -n "__fish_ccsession_using_subcommand log" -s j -l json -d 'Print one JSON object'
complete -c ccsession -n "__fish_ccsession_using_subcommand log" -l jsonl -d 'Print a JSON line for each call; with --follow, for each event as recorded'
complete -c ccsession -n "__fish_ccsession_using_subcommand log" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ccsession -n "__fish_ccsession_using_subcommand stats" -s p -l project -d 'Count the sessions of this directory\'s project' -r -F
complete -c ccsession -n "__fish_ccsession_using_subcommand stats" -s s -l since -d 'Count only what began since then: `today`, `monday`, `7d`, `2026-11`' -r
complete -c ccsession -n "__fish_ccsession_using_subcommand stats" -l bars -d 'When to draw bars' -r -f -a "auto\t'Unless a screen reader, the locale or the terminal calls for plain text'
always\t'Always'
never\t'Never: plain text'"
complete -c ccsession -n "__fish_ccsession_using_subcommand stats" -s a -l all -d 'Count every session on record'
complete -c ccsession -n "__fish_ccsession_using_subcommand stats" -s j -l json -d 'Print one JSON object'
complete -c ccsession -n "__fish_ccsession_using_subcommand stats" -l csv -d 'Print a line of comma-separated values for each tool'
complete -c ccsession -n "__fish_ccsession_using_subcommand stats" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ccsession -n "__fish_ccsession_using_subcommand clock-out" -l description -d 'Describe the session in a sentence' -r
complete -c ccsession -n "__fish_ccsession_using_subcommand clock-out" -l transcript -d 'Also archive this transcript, whatever its name' -r -F
complete -c ccsession -n "__fish_ccsession_using_subcommand clock-out" -l tools -d 'Include tool calls and their results in the text'
complete -c ccsession -n "__fish_ccsession_using_subcommand clock-out" -s j -l json -d 'Print one JSON object'
complete -c ccsession -n "__fish_ccsession_using_subcommand clock-out" -s h -l help -d 'Print help'
complete -c ccsession -n "__fish_ccsession_using_subcommand archive; and not __fish_seen_subcommand_from list ls show search verify restore prune" -s h -l help -d 'Print help'
complete -c ccsession -n "__fish_ccsession_using_subcommand archive; and not __fish_seen_subcommand_from list ls show search verify restore prune" -f -a "list" -d 'List archives, newest first'
complete -c ccsession -n "__fish_ccsession_using_subcommand archive; and not __fish_seen_subcommand_from list ls show search verify restore prune" -f -a "ls" -d 'List archives, newest first'
complete -c ccsession -n "__fish_ccsession_using_subcommand archive; and not __fish_seen_subcommand_from list ls show search verify restore prune" -f -a "show" -d 'Print the text of an archive'
complete -c ccsession -n "__fish_ccsession_using_subcommand archive; and not __fish_seen_subcommand_from list ls show search verify restore prune" -f -a "search" -d 'Search the text of archived sessions, long tool outputs included'
complete -c ccsession -n "__fish_ccsession_using_subcommand archive; and not __fish_seen_subcommand_from list ls show search verify restore prune" -f -a "verify" -d 'Check every part of archives against its checksum'
complete -c ccsession -n "__fish_ccsession_using_subcommand archive; and not __fish_seen_subcommand_from list ls show search verify restore prune" -f -a "restore" -d 'Restore a transcript so that Claude Code can resume its session'
complete -c ccsession -n "__fish_ccsession_using_subcommand archive; and not __fish_seen_subcommand_from list ls show search verify restore prune" -f -a "prune" -d 'List archives beyond an age, and remove them with --yes'
complete -c ccsession -n "__fish_ccsession_using_subcommand archive; and __fish_seen_subcommand_from list" -s p -l project -d 'Only archives of this directory\'s project, or of projects with this name' -r -F
complete -c ccsession -n "__fish_ccsession_using_subcommand archive; and __fish_seen_subcommand_from list" -l role -d 'Only archives of sessions with this role' -r
complete -c ccsession -n "__fish_ccsession_using_subcommand archive; and __fish_seen_subcommand_from list" -l focus -d 'Only archives of sessions with this focus' -r
complete -c ccsession -n "__fish_ccsession_using_subcommand archive; and __fish_seen_subcommand_from list" -s s -l since -d 'Only archives of sessions that began since then: `today`, `monday`, `30d`, `2026-11`' -r
complete -c ccsession -n "__fish_ccsession_using_subcommand archive; and __fish_seen_subcommand_from list" -s n -l limit -d 'List at most so many archives' -r
complete -c ccsession -n "__fish_ccsession_using_subcommand archive; and __fish_seen_subcommand_from list" -s j -l json -d 'Print one JSON object'
complete -c ccsession -n "__fish_ccsession_using_subcommand archive; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help'
complete -c ccsession -n "__fish_ccsession_using_subcommand archive; and __fish_seen_subcommand_from ls" -s p -l project -d 'Only archives of this directory\'s project, or of projects with this name' -r -F
complete -c ccsession -n "__fish_ccsession_using_subcommand archive; and __fish_seen_subcommand_from ls" -l role -d 'Only archives of sessions with this role' -r
complete -c ccsession -n "__fish_ccsession_using_subcommand archive; and __fish_seen_subcommand_from ls" -l focus -d 'Only archives of sessions with this focus' -r
complete -c ccsession -n "__fish_ccsession_using_subcommand archive; and __fish_seen_subcommand_from ls" -s s -l since -d 'Only archives of sessions that began since then: `today`, `monday`, `30d`, `2026-11`' -r
complete -c ccsession -n "__fish_ccsession_using_subcommand archive; and __fish_seen_subcommand_from ls" -s n -l limit -d 'List at most so many archives' -r
complete -c ccsession -n "__fish_ccsession_using_subcommand archive; and __fish_seen_subcommand_from ls" -s j -l json -d 'Print one JSON object'
complete -c ccsession -n "__fish_ccsession_using_subcommand archive; and __fish_seen_subcommand_from ls" -s h -l help -d 'Print help'
complete -c ccsession -n "__fish_ccsession_using_subcommand archive; and __fish_seen_subcommand_from show" -l transcript -d 'Print the transcript, as JSON lines'
complete -c ccsession -n "__fish_ccsession_using_subcommand archive; and __fish_seen_subcommand_from show" -l journal -d 'Print the journal, as JSON lines'
complete -c ccsession -n "__fish_ccsession_using_subcommand archive; and __fish_seen_subcommand_from show" -l manifest -d 'Print the manifest, as JSON'
complete -c ccsession -n "__fish_ccsession_using_subcommand archive; and __fish_seen_subcommand_from show" -l no-pager -d 'Do not use a pager'
complete -c ccsession -n "__fish_ccsession_using_subcommand archive; and __fish_seen_subcommand_from show" -s h -l help -d 'Print help'
complete -c ccsession -n "__fish_ccsession_using_subcommand archive; and __fish_seen_subcommand_from search" -s p -l project -d 'Only archives of this directory\'s project, or of projects with this name' -r -F
complete -c ccsession -n "__fish_ccsession_using_subcommand archive; and __fish_seen_subcommand_from search" -l role -d 'Only archives of sessions with this role' -r
complete -c ccsession -n "__fish_ccsession_using_subcommand archive; and __fish_seen_subcommand_from search" -l focus -d 'Only archives of sessions with this focus' -r
complete -c ccsession -n "__fish_ccsession_using_subcommand archive; and __fish_seen_subcommand_from search" -s s -l since -d 'Only archives of sessions that began since then: `today`, `monday`, `30d`, `2026-11`' -r
complete -c ccsession -n "__fish_ccsession_using_subcommand archive; and __fish_seen_subcommand_from search" -l ids -d 'Print only session ids'
complete -c ccsession -n "__fish_ccsession_using_subcommand archive; and __fish_seen_subcommand_from search" -s h -l help -d 'Print help'
complete -c ccsession -n "__fish_ccsession_using_subcommand archive; and __fish_seen_subcommand_from verify" -s j -l json -d 'Print one JSON object'
complete -c ccsession -n "__fish_ccsession_using_subcommand archive; and __fish_seen_subcommand_from verify" -s h -l help -d 'Print help'
complete -c ccsession -n "__fish_ccsession_using_subcommand archive; and __fish_seen_subcommand_from restore" -l to -d 'Restore below this folder instead of `~/.claude/projects`' -r -F
complete -c ccsession -n "__fish_ccsession_using_subcommand archive; and __fish_seen_subcommand_from restore" -s h -l help -d 'Print help'
complete -c ccsession -n "__fish_ccsession_using_subcommand archive; and __fish_seen_subcommand_from prune" -l older-than -d 'The age, such as `365d`; without it, `retention.archive` applies' -r
complete -c ccsession -n "__fish_ccsession_using_subcommand archive; and __fish_seen_subcommand_from prune" -l yes -d 'Remove the archives listed'
complete -c ccsession -n "__fish_ccsession_using_subcommand archive; and __fish_seen_subcommand_from prune" -s j -l json -d 'Print one JSON object'
complete -c ccsession -n "__fish_ccsession_using_subcommand archive; and __fish_seen_subcommand_from prune" -s h -l help -d 'Print help'
complete -c ccsession -n "__fish_ccsession_using_subcommand metrics" -l output -d 'Write atomically to this file, readable by everyone' -r -F
complete -c ccsession -n "__fish_ccsession_using_subcommand metrics" -s j -l json -d 'Print one JSON object'
complete -c ccsession -n "__fish_ccsession_using_subcommand metrics" -l prometheus -d 'Print in the Prometheus text format'
complete -c ccsession -n "__fish_ccsession_using_subcommand metrics" -s h -l help -d 'Print help'
complete -c ccsession -n "__fish_ccsession_using_subcommand cleanup" -l ttl -d 'Treat pointers older than this as stale, instead of the `ttl` setting' -r
complete -c ccsession -n "__fish_ccsession_using_subcommand cleanup" -l dry-run -d 'Print to stderr what would be done, and why; change nothing'
complete -c ccsession -n "__fish_ccsession_using_subcommand cleanup" -l if-due -d 'Do nothing if a cleanup ran within `cleanup_interval`'
complete -c ccsession -n "__fish_ccsession_using_subcommand cleanup" -s q -l quiet -d 'Print only warnings'
complete -c ccsession -n "__fish_ccsession_using_subcommand cleanup" -s j -l json -d 'Print one JSON object'
complete -c ccsession -n "__fish_ccsession_using_subcommand cleanup" -l detach -d 'Leave the session of the process that started this'
complete -c ccsession -n "__fish_ccsession_using_subcommand cleanup" -s h -l help -d 'Print help'
complete -c ccsession -n "__fish_ccsession_using_subcommand gc" -l ttl -d 'Treat pointers older than this as stale, instead of the `ttl` setting' -r
complete -c ccsession -n "__fish_ccsession_using_subcommand gc" -l dry-run -d 'Print to stderr what would be done, and why; change nothing'
complete -c ccsession -n "__fish_ccsession_using_subcommand gc" -l if-due -d 'Do nothing if a cleanup ran within `cleanup_interval`'
complete -c ccsession -n "__fish_ccsession_using_subcommand gc" -s q -l quiet -d 'Print only warnings'
complete -c ccsession -n "__fish_ccsession_using_subcommand gc" -s j -l json -d 'Print one JSON object'
complete -c ccsession -n "__fish_ccsession_using_subcommand gc" -l detach -d 'Leave the session of the process that started this'
complete -c ccsession -n "__fish_ccsession_using_subcommand gc" -s h -l help -d 'Print help'
complete -c ccsession -n "__fish_ccsession_using_subcommand config" -l example -d 'Print a commented configuration file'
complete -c ccsession -n "__fish_ccsession_using_subcommand config" -s j -l json -d 'Print one JSON object'
complete -c ccsession -n "__fish_ccsession_using_subcommand config" -s h -l help -d 'Print help'
complete -c ccsession -n "__fish_ccsession_using_subcommand clock-in" -l role -d 'The session\'s role, such as `reviewer`' -r
complete -c ccsession -n "__fish_ccsession_using_subcommand clock-in" -l focus -d 'What the session works on' -r
complete -c ccsession -n "__fish_ccsession_using_subcommand clock-in" -l session -d 'The session, known or new; without it this shell\'s, else a new one' -r
complete -c ccsession -n "__fish_ccsession_using_subcommand clock-in" -l note -d 'Add a note to the session\'s record; repeatable' -r
complete -c ccsession -n "__fish_ccsession_using_subcommand clock-in" -l exclusive -d 'Exit with 75, changing nothing, if another live session of the project has this focus'
complete -c ccsession -n "__fish_ccsession_using_subcommand clock-in" -s q -l quiet -d 'Print only the session id'
complete -c ccsession -n "__fish_ccsession_using_subcommand clock-in" -s j -l json -d 'Print one JSON object'
complete -c ccsession -n "__fish_ccsession_using_subcommand clock-in" -s h -l help -d 'Print help'
complete -c ccsession -n "__fish_ccsession_using_subcommand run" -l session-id -d 'Use this id instead of a new one' -r
complete -c ccsession -n "__fish_ccsession_using_subcommand run" -l resume -d 'Resume this session' -r
complete -c ccsession -n "__fish_ccsession_using_subcommand run" -l name -d 'The session\'s name' -r
complete -c ccsession -n "__fish_ccsession_using_subcommand run" -l role -d 'The session\'s role, such as `reviewer`' -r
complete -c ccsession -n "__fish_ccsession_using_subcommand run" -l focus -d 'What the session works on; taken from the branch if omitted' -r
complete -c ccsession -n "__fish_ccsession_using_subcommand run" -s h -l help -d 'Print help'
complete -c ccsession -n "__fish_ccsession_using_subcommand import" -s p -l project -d 'Import only sessions of this directory\'s project' -r -F
complete -c ccsession -n "__fish_ccsession_using_subcommand import" -s s -l since -d 'Import only sessions active since then: `today`, `monday`, `30d`, `2026-11`' -r
complete -c ccsession -n "__fish_ccsession_using_subcommand import" -l dry-run -d 'Print what would be imported; import nothing'
complete -c ccsession -n "__fish_ccsession_using_subcommand import" -s j -l json -d 'Print one JSON object'
complete -c ccsession -n "__fish_ccsession_using_subcommand import" -s h -l help -d 'Print help'
complete -c ccsession -n "__fish_ccsession_using_subcommand install" -l scope -d 'Which settings file' -r -f -a "user\t'`~/.claude/settings.json`: every project of yours'
project\t'`.claude/settings.json`: everyone in this project'
local\t'`.claude/settings.local.json`: you in this project'"
complete -c ccsession -n "__fish_ccsession_using_subcommand install" -l timer -d 'Also add a systemd user timer that cleans up every five minutes'
complete -c ccsession -n "__fish_ccsession_using_subcommand install" -l dry-run -d 'Print the change as a diff; change nothing'
complete -c ccsession -n "__fish_ccsession_using_subcommand install" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ccsession -n "__fish_ccsession_using_subcommand uninstall" -l scope -d 'Which settings file; `user` also removes the timer' -r -f -a "user\t'`~/.claude/settings.json`: every project of yours'
project\t'`.claude/settings.json`: everyone in this project'
local\t'`.claude/settings.local.json`: you in this project'"
complete -c ccsession -n "__fish_ccsession_using_subcommand uninstall" -l timer -d 'Remove only the timer, not the hooks'
complete -c ccsession -n "__fish_ccsession_using_subcommand uninstall" -s a -l all -d 'Remove the hooks from every settings file with a recorded install'
complete -c ccsession -n "__fish_ccsession_using_subcommand uninstall" -l dry-run -d 'Print the change as a diff; change nothing'
complete -c ccsession -n "__fish_ccsession_using_subcommand uninstall" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ccsession -n "__fish_ccsession_using_subcommand doctor" -s j -l json -d 'Print one JSON object'
complete -c ccsession -n "__fish_ccsession_using_subcommand doctor" -s h -l help -d 'Print help'
complete -c ccsession -n "__fish_ccsession_using_subcommand hook" -s h -l help -d 'Print help'
complete -c ccsession -n "__fish_ccsession_using_subcommand help" -s h -l help -d 'Print help'
complete -c ccsession -n "__fish_ccsession_using_subcommand version" -s h -l help -d 'Print help'
