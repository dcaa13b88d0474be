//! Links, permission bits, other users, scopes: the file that is edited is the one that is meant.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;

use super::{backups, check_registered, events_up_to, names, read};
use crate::support::files::everything;
use crate::support::settings::{ccsession, put, sandbox, user_settings};
use crate::support::{CCSESSION, Run, Sandbox, copy_program, mode};

#[test]
fn a_link_into_dotfiles_stays_and_its_target_is_edited() {
    let sandbox = sandbox();
    let path = user_settings(&sandbox);
    let target = sandbox.home().join("dotfiles/claude.json");
    put(&target, "{\"model\": \"opus\"}\n");
    fs::set_permissions(&target, fs::Permissions::from_mode(0o640)).unwrap();
    fs::create_dir(path.parent().unwrap()).unwrap();
    symlink("../dotfiles/claude.json", &path).unwrap();

    let said = ccsession(&sandbox, ["install"]).stdout();
    assert!(
        said.contains(&format!("registered 20 events in {} (", target.display())),
        "{said}"
    );
    assert_eq!(
        fs::read_link(&path).unwrap(),
        Path::new("../dotfiles/claude.json")
    );
    check_registered(&sandbox, &target, &events_up_to("2.1.280"));
    assert_eq!(mode(&target), 0o640);
    assert_eq!(names(path.parent().unwrap()), ["settings.json"]);
    assert_eq!(names(target.parent().unwrap()), ["claude.json"]);
    let backup = backups(&sandbox).pop().unwrap();
    assert_eq!(read(&backup), "{\"model\": \"opus\"}\n");

    ccsession(&sandbox, ["uninstall"]).stdout();
    assert_eq!(
        fs::read_link(&path).unwrap(),
        Path::new("../dotfiles/claude.json")
    );
    assert_eq!(read(&target), "{\"model\": \"opus\"}\n");
    assert_eq!(names(&sandbox.state().join("installs")), [""; 0]);
}

#[test]
fn claude_codes_folder_may_be_a_link_itself() {
    let sandbox = sandbox();
    let target = sandbox.home().join("dotfiles/claude");
    fs::create_dir_all(&target).unwrap();
    symlink("dotfiles/claude", sandbox.home().join(".claude")).unwrap();
    let before = everything(&sandbox.home());
    ccsession(&sandbox, ["install"]).stdout();
    check_registered(
        &sandbox,
        &target.join("settings.json"),
        &events_up_to("2.1.280"),
    );
    ccsession(&sandbox, ["uninstall"]).stdout();
    assert_eq!(everything(&sandbox.home()), before);
    assert_eq!(names(&sandbox.state().join("installs")), [""; 0]);
}

#[test]
fn a_link_to_a_file_that_is_not_there_yet_creates_that_file() {
    for folder in ["", "claude/"] {
        let sandbox = sandbox();
        let path = user_settings(&sandbox);
        let link = format!("../dotfiles/{folder}settings.json");
        fs::create_dir_all(sandbox.home().join("dotfiles")).unwrap();
        fs::create_dir(path.parent().unwrap()).unwrap();
        symlink(&link, &path).unwrap();
        let before = everything(&sandbox.home());
        ccsession(&sandbox, ["install"]).stdout();
        assert_eq!(fs::read_link(&path).unwrap(), Path::new(&link));
        let target = sandbox
            .home()
            .join("dotfiles")
            .join(folder)
            .join("settings.json");
        check_registered(&sandbox, &target, &events_up_to("2.1.280"));
        assert_eq!(mode(&target), 0o600);
        ccsession(&sandbox, ["install"]).stdout();
        ccsession(&sandbox, ["uninstall"]).stdout();
        assert_eq!(everything(&sandbox.home()), before);
    }
}

#[test]
fn a_link_that_leads_nowhere_is_refused_and_stays() {
    let sandbox = sandbox();
    let path = user_settings(&sandbox);
    fs::create_dir(path.parent().unwrap()).unwrap();
    symlink("settings.json", &path).unwrap();
    let before = everything(&sandbox.home());
    let said = format!(
        "ccsession: could not trust `{}`: it is a symbolic link",
        path.display()
    );
    assert_eq!(ccsession(&sandbox, ["install"]).refused(1), said);
    fs::remove_file(&path).unwrap();
    symlink("../a/b/c/settings.json", &path).unwrap();
    let said = ccsession(&sandbox, ["install"]).refused(1);
    assert!(said.ends_with(": No such file or directory"), "{said}");
    fs::remove_file(&path).unwrap();
    symlink("settings.json", &path).unwrap();
    assert_eq!(everything(&sandbox.home()), before);
}

#[test]
fn permission_bits_are_kept_under_any_umask() {
    for bits in [0o600, 0o640, 0o644, 0o664, 0o400] {
        for umask in ["0000", "0777"] {
            let sandbox = sandbox();
            let path = user_settings(&sandbox);
            put(&path, "{}");
            fs::set_permissions(&path, fs::Permissions::from_mode(bits)).unwrap();
            let verbs = format!("umask {umask}; {CCSESSION} install");
            let shell = sandbox
                .run("/bin/sh")
                .arg("-c")
                .arg(verbs)
                .env("PATH", sandbox.path("client"))
                .env("CCSESSION_LIBEXEC", sandbox.path("libexec"));
            shell.stdout();
            assert_eq!(mode(&path), bits, "{bits:o} {umask}");
            ccsession(&sandbox, ["uninstall"]).stdout();
            assert_eq!(
                (mode(&path), read(&path).as_str()),
                (bits, "{}"),
                "{bits:o} {umask}"
            );
        }
    }
}

#[test]
fn a_new_file_has_the_permissions_of_its_scope() {
    for (scope, name, bits) in [
        ("user", "home/.claude/settings.json", 0o600),
        ("local", "shop/.claude/settings.local.json", 0o600),
        ("project", "shop/.claude/settings.json", 0o644),
    ] {
        let sandbox = sandbox();
        ccsession(&sandbox, ["install", "--scope", scope]).stdout();
        assert_eq!(mode(&sandbox.path(name)), bits, "{scope}");
    }
}

#[test]
fn something_other_than_a_settings_file_is_refused_at_once() {
    let refused = |prepare: &dyn Fn(&Path), why: &str| {
        let sandbox = sandbox();
        let path = user_settings(&sandbox);
        fs::create_dir(path.parent().unwrap()).unwrap();
        prepare(&path);
        for verb in ["install", "uninstall"] {
            let said = ccsession(&sandbox, [verb]).refused(1);
            assert_eq!(said, why.replace("PATH", path.to_str().unwrap()));
        }
        assert_eq!(names(path.parent().unwrap()), ["settings.json"]);
    };
    refused(
        &|path| fs::create_dir(path).unwrap(),
        "ccsession: could not trust `PATH`: it is not a regular file",
    );
    refused(
        &|path| {
            let status = Command::new("mkfifo").arg(path).status();
            assert!(status.unwrap().success());
        },
        "ccsession: could not trust `PATH`: it is not a regular file",
    );
    refused(
        &|path| fs::write(path, b"{\"a\": \"\xff\"}").unwrap(),
        "ccsession: could not read `PATH`: it is not UTF-8",
    );
    refused(
        &|path| fs::write(path, vec![b' '; (1 << 20) + 1]).unwrap(),
        "ccsession: could not trust `PATH`: it is too large (1048577 bytes)",
    );
}

fn am_root() -> bool {
    rustix::process::geteuid().is_root()
}

#[test]
fn another_users_file_is_refused() {
    if !am_root() {
        println!("only root can make another user's file: skipped");
        return;
    }
    let sandbox = sandbox();
    let path = user_settings(&sandbox);
    put(&path, "{}");
    std::os::unix::fs::chown(&path, Some(65534), Some(65534)).unwrap();
    let before = everything(&sandbox.home());
    let said = format!(
        "ccsession: could not trust `{}`: it belongs to another user (uid 65534)",
        path.display()
    );
    assert_eq!(ccsession(&sandbox, ["install"]).refused(1), said);
    assert_eq!(ccsession(&sandbox, ["uninstall"]).refused(1), said);
    assert_eq!(everything(&sandbox.home()), before);
}

#[test]
fn root_creates_no_file_among_another_users() {
    if !am_root() {
        println!("only root can make another user's folder: skipped");
        return;
    }
    let sandbox = sandbox();
    let project = sandbox.project();
    std::os::unix::fs::chown(&project, Some(65534), Some(65534)).unwrap();
    let before = everything(&project);
    for scope in ["local", "project"] {
        for more in [&[][..], &["--dry-run"]] {
            let arguments = [&["install", "--scope", scope][..], more].concat();
            let run = sandbox.ccsession(arguments);
            let run = run.env("CCSESSION_LIBEXEC", sandbox.path("libexec"));
            let said = run.refused(1);
            let expected = format!(
                "ccsession: could not trust `{}`: it belongs to another user (uid 65534)",
                project.display()
            );
            assert_eq!(said, expected);
        }
    }
    assert_eq!(everything(&project), before);
}

/// The CLI as an ordinary user: this one or, for root, `nobody`, who then owns the sandbox. Nothing where root cannot
/// become another.
fn as_ordinary_user(sandbox: &Sandbox, verb: &str) -> Option<Run> {
    if !am_root() {
        return Some(ccsession(sandbox, [verb]));
    }
    let program = sandbox.path("ccsession");
    if !program.exists() {
        copy_program(CCSESSION, &program); // a link would give the build's own program away
    }
    let owned = everything(&sandbox.path("")).into_keys();
    for path in owned.chain([sandbox.path("")]) {
        std::os::unix::fs::lchown(path, Some(65534), Some(65534)).unwrap();
    }
    Command::new("setpriv").arg("--version").output().ok()?;
    let run = sandbox
        .run("setpriv")
        .arg("--reuid=65534")
        .arg("--regid=65534")
        .arg("--clear-groups")
        .arg(program)
        .arg(verb);
    let path = format!("{}:/usr/bin:/bin", sandbox.path("client").display());
    Some(
        run.env("PATH", path)
            .env("CCSESSION_LIBEXEC", sandbox.path("libexec")),
    )
}

#[test]
fn a_read_only_folder_is_left_as_it_is() {
    let sandbox = sandbox();
    let path = user_settings(&sandbox);
    let dir = path.parent().unwrap();
    put(&path, "{}");
    fs::set_permissions(dir, fs::Permissions::from_mode(0o555)).unwrap();
    let before = everything(&sandbox.home());
    let Some(run) = as_ordinary_user(&sandbox, "install") else {
        println!("root cannot become another user without setpriv: skipped");
        return;
    };
    let said = run.refused(1);
    let expected = format!(
        "ccsession: could not create a temporary file in `{}`: Permission denied",
        dir.display()
    );
    let names = everything(&sandbox.home());
    fs::set_permissions(dir, fs::Permissions::from_mode(0o755)).unwrap();
    assert!(said.starts_with(&expected), "{said}");
    assert_eq!(names, before);
}

#[test]
fn an_unreadable_file_is_left_as_it_is() {
    let sandbox = sandbox();
    let path = user_settings(&sandbox);
    put(&path, "{}");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o000)).unwrap();
    let Some(run) = as_ordinary_user(&sandbox, "install") else {
        println!("root cannot become another user without setpriv: skipped");
        return;
    };
    let said = format!(
        "ccsession: could not open `{}`: Permission denied",
        path.display()
    );
    assert_eq!(run.refused(1), said);
    assert_eq!(mode(&path), 0);
    assert_eq!(names(path.parent().unwrap()), ["settings.json"]);
}

#[test]
fn the_scopes_of_a_project_are_at_its_root_and_leave_the_users_file_alone() {
    for (scope, name) in [
        ("project", "settings.json"),
        ("local", "settings.local.json"),
    ] {
        let sandbox = sandbox();
        put(&user_settings(&sandbox), "{}");
        let home = everything(&sandbox.home());
        fs::create_dir_all(sandbox.project().join(".git")).unwrap();
        let deep = sandbox.project().join("src/deep");
        fs::create_dir_all(&deep).unwrap();
        let before = everything(&sandbox.project());
        let path = sandbox.project().join(".claude").join(name);

        let said = ccsession(&sandbox, ["install", "--scope", scope])
            .dir(&deep)
            .stdout();
        assert!(
            said.starts_with(&format!("registered 20 events in {} (", path.display())),
            "{said}"
        );
        check_registered(&sandbox, &path, &events_up_to("2.1.280"));
        assert_eq!(names(&sandbox.project().join(".claude")), [name]);
        let uninstall = ccsession(&sandbox, ["uninstall", "--scope", scope]).dir(&deep);
        uninstall.expect(
            0,
            &format!("removed the hooks from {}\n", path.display()),
            "",
        );
        assert_eq!(everything(&sandbox.project()), before);
        assert_eq!(everything(&sandbox.home()), home);
    }
}

#[test]
fn two_scopes_are_installed_and_uninstalled_separately() {
    let sandbox = sandbox();
    let (user, project) = (
        user_settings(&sandbox),
        sandbox.project().join(".claude/settings.json"),
    );
    put(&user, "{ }");
    put(&project, "{\n}");
    ccsession(&sandbox, ["install"]).stdout();
    ccsession(&sandbox, ["install", "--scope", "project"]).stdout();
    ccsession(&sandbox, ["uninstall"]).stdout();
    assert_eq!(read(&user), "{ }");
    check_registered(&sandbox, &project, &events_up_to("2.1.280"));
    ccsession(&sandbox, ["uninstall", "--scope", "project"]).stdout();
    assert_eq!(read(&project), "{\n}");
}

#[test]
fn claude_codes_own_folder_may_be_elsewhere() {
    let sandbox = sandbox();
    let dir = sandbox.path("elsewhere");
    ccsession(&sandbox, ["install"])
        .env("CLAUDE_CONFIG_DIR", &dir)
        .stdout();
    check_registered(
        &sandbox,
        &dir.join("settings.json"),
        &events_up_to("2.1.280"),
    );
    assert_eq!(names(&sandbox.home()), [""; 0]);
    ccsession(&sandbox, ["uninstall"])
        .env("CLAUDE_CONFIG_DIR", &dir)
        .stdout();
    assert!(!dir.exists());
}

#[test]
fn without_a_home_it_says_what_to_set() {
    let sandbox = sandbox();
    let said = ccsession(&sandbox, ["install"])
        .env("HOME", "relative")
        .refused(1);
    assert_eq!(
        said,
        "ccsession: could not find Claude Code's directory: set HOME or CLAUDE_CONFIG_DIR"
    );
}
