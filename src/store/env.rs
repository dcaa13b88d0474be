//! The only reader of the environment. An empty variable counts as unset. A value that is not UTF-8
//! is kept unchanged.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use crate::model::config::ConfigKey;
use crate::model::traceparent::TraceParent;

/// The environment variables that this program reads.
#[derive(Debug, Clone, Default)]
pub struct Environment {
    /// `HOME`, if it is an absolute path.
    pub home: Option<PathBuf>,
    /// `XDG_STATE_HOME`, if it is an absolute path.
    pub xdg_state_home: Option<PathBuf>,
    /// `XDG_CONFIG_HOME`, if it is an absolute path.
    pub xdg_config_home: Option<PathBuf>,
    /// `XDG_CACHE_HOME`, if it is an absolute path.
    pub xdg_cache_home: Option<PathBuf>,
    /// `CCSESSION_STATE_DIR`: the state directory, instead of the default one.
    pub state_dir: Option<PathBuf>,
    /// `CCSESSION_POINTER_DIR`: the directory of the pointers, instead of `/tmp`.
    pub pointer_dir: Option<PathBuf>,
    /// `CCSESSION_CONFIG`: the configuration file, instead of the default one.
    pub config: Option<PathBuf>,
    /// `CCSESSION_LIBEXEC`: the directory of the hooks' executables.
    pub libexec: Option<PathBuf>,
    /// `HOOK_DEBUG=true`: hooks report errors on stderr.
    pub hook_debug: bool,
    /// `CCSESSION_ID`: the session id that `ccsession run` or another program has set.
    pub ccsession_id: Option<OsString>,
    /// `CLAUDE_CODE_SESSION_ID`: the session id that Claude Code sets, from 2.1.132 on for its Bash
    /// tool and from 2.1.160 on for hooks.
    pub claude_session_id: Option<OsString>,
    /// `CLAUDE_PID`: the pid of the Claude Code process, which sets it from 2.1.214 on.
    pub claude_pid: Option<u32>,
    /// Whether `CLAUDECODE` is set: Claude Code started this process, or an ancestor of it.
    pub is_from_client: bool,
    /// `CLAUDE_PROJECT_DIR`: the directory in which Claude Code was started.
    pub claude_project_dir: Option<PathBuf>,
    /// `CLAUDE_ENV_FILE`: the shell file that Claude Code runs before each later Bash call of the
    /// session.
    pub claude_env_file: Option<PathBuf>,
    /// `CLAUDE_CONFIG_DIR`: Claude Code's own directory, instead of `~/.claude`.
    pub claude_config_dir: Option<PathBuf>,
    /// `TRACEPARENT`: the span of Claude Code's own telemetry that this process is part of, if the
    /// variable has the form of version 00.
    pub traceparent: Option<String>,
    /// `PATH`: where programs are searched for.
    pub path: Option<OsString>,
    /// The variables of ccsession that should contain an absolute path, but contain something else.
    pub relative: Vec<&'static str>,
}

impl Environment {
    /// Reads the process's environment.
    pub fn read() -> Self {
        let mut relative = Vec::new();
        let mut ours = |name| {
            let path = PathBuf::from(variable(name)?);
            if path.is_absolute() {
                return Some(path);
            }
            relative.push(name);
            None
        };
        Self {
            home: absolute("HOME"),
            xdg_state_home: absolute("XDG_STATE_HOME"),
            xdg_config_home: absolute("XDG_CONFIG_HOME"),
            xdg_cache_home: absolute("XDG_CACHE_HOME"),
            state_dir: ours("CCSESSION_STATE_DIR"),
            pointer_dir: ours("CCSESSION_POINTER_DIR"),
            config: ours("CCSESSION_CONFIG"),
            libexec: ours("CCSESSION_LIBEXEC"),
            hook_debug: variable("HOOK_DEBUG").is_some_and(|value| is_true(&value)),
            ccsession_id: variable("CCSESSION_ID"),
            claude_session_id: variable("CLAUDE_CODE_SESSION_ID"),
            claude_pid: variable("CLAUDE_PID").and_then(|pid| pid.to_str()?.parse().ok()),
            is_from_client: variable("CLAUDECODE").is_some(),
            claude_project_dir: absolute("CLAUDE_PROJECT_DIR"),
            claude_env_file: absolute("CLAUDE_ENV_FILE"),
            claude_config_dir: absolute("CLAUDE_CONFIG_DIR"),
            traceparent: variable("TRACEPARENT")
                .and_then(|value| value.into_string().ok())
                .filter(|value| TraceParent::parse(value).is_some()),
            path: variable("PATH"),
            relative,
        }
    }
}

/// What the environment says about the user's terminal and locale.
#[derive(Debug, Clone, Copy, Default)]
pub struct Screen {
    /// `COLUMNS`: the width in characters.
    pub columns: Option<usize>,
    /// `NO_COLOR`: disables colours.
    pub no_color: bool,
    /// Whether to print ASCII instead of symbols and lines such as `─`: for a screen reader
    /// (`CLAUDE_AX_SCREEN_READER`), in a locale without them (`LC_ALL`, `LC_CTYPE`, `LANG`), or on
    /// a terminal without them (`TERM` is `dumb` or `linux`).
    pub is_plain: bool,
    /// Whether the locale has only ASCII characters.
    pub is_ascii: bool,
    /// Whether the terminal can move its cursor: `TERM` is set, and is not `dumb`.
    pub has_cursor: bool,
}

impl Screen {
    /// Reads the process's environment.
    pub fn read() -> Self {
        let columns = variable("COLUMNS").and_then(|columns| columns.to_str()?.parse().ok());
        Self {
            columns: columns.filter(|columns| *columns > 0),
            no_color: variable("NO_COLOR").is_some(),
            is_plain: is_plain(variable),
            is_ascii: is_ascii(variable),
            has_cursor: variable("TERM").is_some_and(|terminal| terminal != "dumb"),
        }
    }
}

fn is_plain(variable: impl Fn(&str) -> Option<OsString>) -> bool {
    let is_read_out = variable("CLAUDE_AX_SCREEN_READER").is_some_and(|value| {
        let value = value.to_string_lossy().to_lowercase();
        !matches!(value.trim(), "0" | "false" | "no" | "off")
    });
    let terminal = variable("TERM").unwrap_or_default();
    let is_simple = terminal == "dumb" || terminal == "linux";
    is_read_out || is_ascii(&variable) || is_simple
}

fn is_ascii(variable: impl Fn(&str) -> Option<OsString>) -> bool {
    // The first variable that is set decides. If none is, as in many containers, UTF-8 is assumed.
    let mut locales = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter();
    let locale = locales.find_map(variable);
    locale.is_some_and(|locale| {
        let locale = locale.to_string_lossy().to_lowercase();
        !locale.contains("utf-8") && !locale.contains("utf8")
    })
}

/// The variable in which a completion script names its shell.
pub const COMPLETE: &str = "CCSESSION_COMPLETE";

/// Returns the shell that requests completions, or `None` if this is a normal call.
pub fn completing_shell() -> Option<OsString> {
    variable(COMPLETE)
}

/// Returns the index of the word to complete. The scripts of `clap_complete` set it.
pub fn completed_word() -> Option<usize> {
    variable("_CLAP_COMPLETE_INDEX")?.to_str()?.parse().ok()
}

/// Returns `PAGER`: the program that shows long texts.
pub fn pager() -> Option<String> {
    variable("PAGER")?.into_string().ok()
}

/// Returns `TZ`: the user's time zone. A value that is not UTF-8 counts as unset, as for chrono.
pub fn time_zone() -> Option<String> {
    variable("TZ")?.into_string().ok()
}

/// Returns the programs in `BROWSER`, which open pages. The first one that exists should be used.
pub fn browsers() -> Vec<String> {
    let given = variable("BROWSER").and_then(|given| given.into_string().ok());
    let programs = given.iter().flat_map(|given| given.split(':'));
    let programs = programs.filter(|program| !program.is_empty());
    programs.map(str::to_owned).collect()
}

/// Returns whether the user has set options for `less` in `LESS`.
pub fn has_less_options() -> bool {
    variable("LESS").is_some()
}

/// Returns whether the user is on this machine by `ssh` (`SSH_CONNECTION`).
pub fn is_remote() -> bool {
    variable("SSH_CONNECTION").is_some()
}

/// Returns `PATH`: where programs are searched for.
pub fn program_path() -> Option<OsString> {
    variable("PATH")
}

/// Returns the setting of the proxy: `https_proxy` if the connection is encrypted, else
/// `http_proxy`; or else `all_proxy`. The upper-case names are read, too, except `HTTP_PROXY`: in a
/// CGI program, it comes from the request.
#[cfg(feature = "cli")]
pub fn proxy(is_encrypted: bool) -> Option<EnvSetting> {
    let names: &[&str] = match is_encrypted {
        true => &["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"],
        false => &["http_proxy", "all_proxy", "ALL_PROXY"],
    };
    names.iter().find_map(|name| named(name))
}

/// Returns `no_proxy`, the hosts that are reached without a proxy, or its upper-case form.
#[cfg(feature = "cli")]
pub fn no_proxy() -> Option<EnvSetting> {
    named("no_proxy").or_else(|| named("NO_PROXY"))
}

/// A variable that is set in the environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnvSetting {
    /// The name of the variable.
    pub variable: String,
    /// The value of the variable. Bytes that are not UTF-8 are replaced, so that the value is
    /// rejected like any invalid one.
    pub value: String,
}

/// Returns ccsession's variable for `key`, if it is set.
pub fn setting(key: ConfigKey) -> Option<EnvSetting> {
    named(key.variable())
}

/// Returns the older session manager's variable for `key`, if it is set.
pub fn inherited_setting(key: ConfigKey) -> Option<EnvSetting> {
    named(key.inherited_variable()?)
}

fn named(variable: &str) -> Option<EnvSetting> {
    let value = self::variable(variable)?;
    Some(EnvSetting {
        variable: variable.to_owned(),
        value: value.to_string_lossy().into_owned(),
    })
}

fn variable(name: &str) -> Option<OsString> {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the one reader of the environment"
    )]
    let value = std::env::var_os(name);
    value.filter(|value| !value.is_empty())
}

/// Returns whether the value is `true`. A comment may follow, as in a `.env` file.
fn is_true(value: &OsStr) -> bool {
    let value = value.to_string_lossy();
    let value = value.split('#').next().unwrap_or_default().trim();
    value.eq_ignore_ascii_case("true") || value == "1"
}

fn absolute(name: &str) -> Option<PathBuf> {
    variable(name)
        .map(PathBuf::from)
        .filter(|path| path.is_absolute())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drawn_characters_are_for_those_who_can_see_them() {
        let check = |variables: &[(&str, &str)], expected: bool| {
            let of = |name: &str| {
                let mut all = variables.iter().filter(|(set, _)| *set == name);
                all.next().map(|(_, value)| OsString::from(value))
            };
            assert_eq!(is_plain(of), expected, "{variables:?}");
        };
        check(&[], false);
        check(
            &[("LANG", "de_DE.UTF-8"), ("TERM", "xterm-256color")],
            false,
        );
        check(&[("LANG", "C.utf8")], false);
        check(&[("LANG", "C")], true);
        check(&[("LANG", "en_US.ISO-8859-1")], true);
        check(&[("LC_ALL", "C"), ("LANG", "en_US.UTF-8")], true);
        check(&[("LC_CTYPE", "C.UTF-8"), ("LANG", "C")], false);
        check(&[("LC_ALL", "POSIX")], true);
        check(&[("TERM", "dumb")], true);
        check(&[("TERM", "linux"), ("LANG", "C.UTF-8")], true);
        check(&[("CLAUDE_AX_SCREEN_READER", "1")], true);
        check(&[("CLAUDE_AX_SCREEN_READER", "true")], true);
        check(&[("CLAUDE_AX_SCREEN_READER", "0")], false);
    }
}
