//! The paths of directories and files, derived only from the environment. This module opens no
//! file.

use std::path::{Path, PathBuf};

use super::env::Environment;

/// The paths of this user's files.
#[derive(Debug, Clone)]
pub struct Places {
    /// The state directory; `None` without an absolute HOME. There is no fallback in `/tmp`, where
    /// other users could create it first.
    pub state: Option<PathBuf>,
    /// The directory of the pointers.
    pub pointers: PathBuf,
    /// The configuration file; `None` without an absolute HOME.
    pub config: Option<PathBuf>,
}

impl Places {
    /// Derives the paths from `env`.
    pub fn new(env: &Environment) -> Self {
        Self {
            state: state_dir(env),
            pointers: env
                .pointer_dir
                .clone()
                .unwrap_or_else(|| PathBuf::from("/tmp")),
            config: config_file(env),
        }
    }
}

fn state_dir(env: &Environment) -> Option<PathBuf> {
    let default = || {
        let base = env
            .xdg_state_home
            .clone()
            .or_else(|| Some(env.home.as_ref()?.join(".local/state")))?;
        Some(base.join("ccsession"))
    };
    env.state_dir.clone().or_else(default)
}

fn config_file(env: &Environment) -> Option<PathBuf> {
    let default = || {
        let base = env
            .xdg_config_home
            .clone()
            .or_else(|| Some(env.home.as_ref()?.join(".config")))?;
        Some(base.join("ccsession/config.toml"))
    };
    env.config.clone().or_else(default)
}

/// Returns the folder of the hooks' executables that belong to the CLI at `program`. It is
/// `CCSESSION_LIBEXEC`, else `../libexec/ccsession` relative to the CLI's folder if that exists,
/// else the CLI's own folder (after `cargo install`).
pub fn libexec_dir(env: &Environment, program: &Path, exists: impl Fn(&Path) -> bool) -> PathBuf {
    if let Some(dir) = &env.libexec {
        return dir.clone();
    }
    let own = program.parent().unwrap_or(Path::new("/"));
    let beside = own
        .parent()
        .unwrap_or(Path::new("/"))
        .join("libexec/ccsession");
    if exists(&beside) {
        beside
    } else {
        own.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn explicit_places_win_over_xdg_and_home() {
        let mut env = Environment {
            home: Some("/home/dev".into()),
            ..Environment::default()
        };
        assert_eq!(
            Places::new(&env).state,
            Some("/home/dev/.local/state/ccsession".into())
        );
        assert_eq!(
            Places::new(&env).config,
            Some("/home/dev/.config/ccsession/config.toml".into())
        );
        assert_eq!(Places::new(&env).pointers, Path::new("/tmp"));
        env.xdg_state_home = Some("/x".into());
        assert_eq!(Places::new(&env).state, Some("/x/ccsession".into()));
        env.state_dir = Some("/s".into());
        assert_eq!(Places::new(&env).state, Some("/s".into()));
    }

    #[test]
    fn without_a_home_there_is_no_state() {
        let places = Places::new(&Environment::default());
        assert_eq!((places.state, places.config), (None, None));
    }

    #[test]
    fn hooks_are_in_libexec_or_beside_the_program() {
        let env = Environment::default();
        let program = Path::new("/p/bin/ccsession");
        assert_eq!(
            libexec_dir(&env, program, |_| true),
            Path::new("/p/libexec/ccsession")
        );
        assert_eq!(libexec_dir(&env, program, |_| false), Path::new("/p/bin"));
    }
}
