//! Which hooks are ours, where installs are recorded, how the client reads its settings, and whether hooks run: as `install`,
//! `uninstall` and `doctor` report it.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::support::settings::{
    ccsession, doctor, findings, healthy, libexec, put, sandbox, user_settings,
};
use crate::support::{CCSESSION, ID, Run, Sandbox, copy_program, event, write_program};

/// The finding of one check, if there is one that is not as it should be.
fn bad(run: Run, check: &str) -> Option<String> {
    let found = findings(run).into_iter();
    let mut bad = found.filter(|it| it["check"] == check && it["grade"] != "ok");
    bad.next()
        .map(|it| it["found"].as_str().unwrap().to_owned())
}

/// How many handlers a settings file has at an event.
fn handlers(path: &Path, event: &str) -> usize {
    let settings: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    let groups = settings["hooks"][event]
        .as_array()
        .cloned()
        .unwrap_or_default();
    groups
        .iter()
        .map(|group| group["hooks"].as_array().unwrap().len())
        .sum()
}

fn with_command(event: &str, handler: &Value) -> String {
    json!({"hooks": {event: [{"hooks": [handler]}]}}).to_string()
}

#[test]
fn a_hook_of_ours_is_recognised_however_its_command_is_written() {
    let sandbox = sandbox();
    let path = user_settings(&sandbox);
    let dir = sandbox.home().join(".local/libexec/ccsession");
    libexec(&dir);
    symlink(dir.join("session-start"), sandbox.home().join("mine")).unwrap();
    let hook = dir.join("session-start").display().to_string();
    let run = |verb: &str| {
        ccsession(&sandbox, [verb])
            .env("CCSESSION_LIBEXEC", &dir)
            .stdout()
    };
    for command in [
        "$HOME/.local/libexec/ccsession/session-start",
        "${HOME}/.local/libexec/ccsession/session-start",
        "~/.local/libexec/ccsession/session-start",
        "~/mine",
        &format!("\"{hook}\""),
        &format!("'{hook}'"),
        &format!("HOOK_DEBUG=true {hook}"),
        &format!("env HOOK_DEBUG=true {hook}"),
        &format!("exec {hook}"),
        &format!("nice -n 5 {hook}"),
        &format!("sh -c '{hook}'"),
        &format!("{hook} || true"),
        &format!("{hook} >/dev/null 2>&1"),
        &format!("test -x {hook} && {hook}"),
        "ccsession hook",
        "/elsewhere/libexec/ccsession/session-start",
    ] {
        let before = with_command(
            "SessionStart",
            &json!({"type": "command", "command": command}),
        );
        put(&path, &before);
        run("install");
        assert_eq!(handlers(&path, "SessionStart"), 1, "{command}");
        run("uninstall");
        let left = fs::read_to_string(&path).unwrap();
        assert!(
            !left.contains("session-start") && !left.contains("hook\""),
            "{command}: {left}"
        );
    }
    let exec_form = json!({"type": "command", "command": "env", "args": ["A=b c", hook]});
    put(&path, &with_command("SessionStart", &exec_form));
    run("install");
    assert_eq!(handlers(&path, "SessionStart"), 1);
}

#[test]
fn a_stranger_whose_name_contains_ours_stays() {
    let sandbox = sandbox();
    let path = user_settings(&sandbox);
    for command in [
        "node /srv/ccsession-notes/session-start.js",
        "/srv/hooks/session-start",
        "echo /opt/libexec/ccsession/session-start",
        "ccsession-notes hook",
        "notify-send x && /opt/libexec/ccsession/session-start",
    ] {
        let before = with_command(
            "SessionStart",
            &json!({"type": "command", "command": command}),
        );
        put(&path, &before);
        ccsession(&sandbox, ["install"]).stdout();
        assert_eq!(handlers(&path, "SessionStart"), 2, "{command}");
        ccsession(&sandbox, ["uninstall"]).stdout();
        assert_eq!(fs::read_to_string(&path).unwrap(), before, "{command}");
    }
}

#[test]
fn hooks_of_a_removed_installation_are_recognised_by_all_four() {
    let sandbox = sandbox();
    let gone = sandbox.path("cargo/bin");
    libexec(&gone);
    ccsession(&sandbox, ["install"])
        .env("CCSESSION_LIBEXEC", &gone)
        .stdout();
    fs::remove_dir_all(&gone).unwrap();
    fs::remove_dir_all(sandbox.state()).unwrap();
    ccsession(&sandbox, ["install"]).stdout();
    let settings = fs::read_to_string(user_settings(&sandbox)).unwrap();
    assert!(!settings.contains("cargo/bin"), "{settings}");
    assert_eq!(handlers(&user_settings(&sandbox), "SessionStart"), 1);
}

#[test]
fn uninstalling_everywhere_covers_every_recorded_install() {
    let sandbox = sandbox();
    let other = sandbox.home().join(".claude-work");
    let in_other = |verb: &[&str]| {
        let run = ccsession(&sandbox, []).env("CLAUDE_CONFIG_DIR", &other);
        verb.iter().fold(run, |run, word| run.arg(word))
    };
    ccsession(&sandbox, ["install"]).stdout();
    in_other(&["install"]).stdout();
    ccsession(&sandbox, ["install", "--scope", "local"]).stdout();
    let found = findings(doctor(&sandbox));
    let also = format!("also in {}", other.join("settings.json").display());
    assert!(found.iter().any(|it| it["found"] == also), "{found:#?}");

    let said = ccsession(&sandbox, ["uninstall"]).stdout();
    let stays = format!(
        "the hooks stay registered in {}; `ccsession uninstall --all` removes them everywhere\n",
        other.join("settings.json").display()
    );
    assert!(said.contains(&stays), "{said}");
    assert!(other.join("settings.json").exists());
    ccsession(&sandbox, ["uninstall", "--all"]).stdout();
    assert!(!other.exists(), "install made it");
    assert!(!sandbox.project().join(".claude").exists());
    assert_eq!(
        fs::read_dir(sandbox.state().join("installs"))
            .unwrap()
            .count(),
        0
    );
}

#[test]
fn a_file_that_cannot_be_edited_does_not_stop_uninstalling_elsewhere() {
    let sandbox = sandbox();
    let other = sandbox.home().join("another");
    ccsession(&sandbox, ["install"]).stdout();
    ccsession(&sandbox, ["install"])
        .env("CLAUDE_CONFIG_DIR", &other)
        .stdout();
    let broken = user_settings(&sandbox);
    fs::write(&broken, "{").unwrap();
    let said = ccsession(&sandbox, ["uninstall", "--all"]).output();
    assert_eq!(said.status.code(), Some(1));
    let stderr = String::from_utf8(said.stderr).unwrap();
    assert!(stderr.contains(&broken.display().to_string()), "{stderr}");
    assert!(!other.exists());
}

#[test]
fn what_is_registered_is_the_link_and_not_the_version_behind_it() {
    let sandbox = sandbox();
    let version = sandbox.path("Cellar/ccsession/0.1.0");
    fs::create_dir_all(version.join("bin")).unwrap();
    copy_program(CCSESSION, version.join("bin/ccsession"));
    libexec(&version.join("libexec/ccsession"));
    fs::create_dir_all(sandbox.path("opt")).unwrap();
    fs::create_dir_all(sandbox.path("links")).unwrap();
    symlink("../Cellar/ccsession/0.1.0", sandbox.path("opt/ccsession")).unwrap();
    symlink(
        "../opt/ccsession/bin/ccsession",
        sandbox.path("links/ccsession"),
    )
    .unwrap();
    let lasting = sandbox.path("opt/ccsession/libexec/ccsession/session-start");
    let path = format!(
        "{}:{}",
        sandbox.path("links").display(),
        sandbox.path("client").display()
    );
    let called = [
        sandbox.path("links/ccsession"),
        version.join("bin/ccsession"),
        PathBuf::from("ccsession"),
    ];
    for program in called {
        let run = sandbox
            .run("/bin/sh")
            .arg("-c")
            .arg(format!("{} install", program.display()));
        run.env("PATH", &path).stdout();
        let settings = fs::read_to_string(user_settings(&sandbox)).unwrap();
        let wanted = format!("\"{}\"", lasting.display());
        assert!(
            settings.contains(&wanted),
            "{}: {settings}",
            program.display()
        );
    }
    // Where updates put a link beside the versions.
    let versions = sandbox.path("installs/ccsession");
    let version = versions.join("0.1.0");
    fs::create_dir_all(version.join("bin")).unwrap();
    copy_program(CCSESSION, version.join("bin/ccsession"));
    libexec(&version.join("libexec/ccsession"));
    symlink("0.1.0", versions.join("latest")).unwrap();
    let run = sandbox.run(version.join("bin/ccsession")).arg("install");
    run.env("PATH", sandbox.path("client")).stdout();
    let settings = fs::read_to_string(user_settings(&sandbox)).unwrap();
    let lasting = versions.join("latest/libexec/ccsession/session-start");
    assert!(
        settings.contains(&lasting.display().to_string()),
        "{settings}"
    );
}

#[test]
fn a_hard_link_stays_one_and_a_group_and_attributes_are_kept() {
    let sandbox = sandbox();
    let path = user_settings(&sandbox);
    put(&path, "{\"model\": \"opus\"}");
    let other = sandbox.home().join("dotfiles.json");
    fs::hard_link(&path, &other).unwrap();
    ccsession(&sandbox, ["install"]).stdout();
    assert_eq!(fs::metadata(&path).unwrap().nlink(), 2);
    assert!(
        fs::read_to_string(&other)
            .unwrap()
            .contains("session-start")
    );
    ccsession(&sandbox, ["uninstall"]).stdout();
    assert_eq!(fs::read_to_string(&other).unwrap(), "{\"model\": \"opus\"}");
    fs::remove_file(&other).unwrap();
    if std::os::unix::fs::chown(&path, None, Some(20_001)).is_ok() {
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        ccsession(&sandbox, ["install"]).stdout();
        let found = fs::metadata(&path).unwrap();
        assert_eq!((found.gid(), found.mode() & 0o777), (20_001, 0o640));
    }
}

#[test]
fn a_settings_file_that_is_a_mount_is_written_into() {
    let sandbox = sandbox();
    let path = user_settings(&sandbox);
    put(&path, "{\"env\": {\"X\": \"1\"}}");
    let script = format!(
        "mount --bind {0} {0} || exit 77; {CCSESSION} install >/dev/null && grep -c session-start {0}; {CCSESSION} uninstall >/dev/null; cat {0}",
        path.display()
    );
    let run = sandbox
        .run("unshare")
        .arg("-rm")
        .arg("sh")
        .arg("-c")
        .arg(&script);
    let done = run
        .env(
            "PATH",
            format!(
                "{}:/usr/bin:/bin:/usr/sbin",
                sandbox.path("client").display()
            ),
        )
        .env("CCSESSION_LIBEXEC", sandbox.path("libexec"))
        .output();
    if done.status.code() != Some(0) {
        return; // Namespaces are not permitted here.
    }
    let said = String::from_utf8(done.stdout).unwrap();
    assert_eq!(said, "1\n{\"env\": {\"X\": \"1\"}}");
}

#[test]
fn installing_into_a_shared_file_warns_that_its_paths_are_private() {
    let sandbox = sandbox();
    let said = ccsession(&sandbox, ["install", "--scope", "project"]).stdout();
    assert!(said.contains("it names programs of this machine"), "{said}");
    for scope in ["user", "local"] {
        let said = ccsession(&sandbox, ["install", "--scope", scope]).stdout();
        assert!(!said.contains("this machine"), "{said}");
    }
}

#[test]
fn a_value_that_makes_the_client_ignore_the_file_is_a_fault() {
    for (value, why) in [
        (json!({"model": 4}), "`model` is not a string"),
        (
            json!({"permissions": {"allow": "Bash"}}),
            "`permissions.allow` is not a list",
        ),
        (
            json!({"disableAllHooks": "true"}),
            "`disableAllHooks` is not true or false",
        ),
    ] {
        let sandbox = sandbox();
        let path = user_settings(&sandbox);
        put(&path, &value.to_string());
        let ignores = format!("Claude Code ignores {}: {why}", path.display());
        let said = ccsession(&sandbox, ["install"]).stdout();
        assert!(!said.contains("are recorded"), "{said}");
        assert!(said.contains(&ignores), "{said}");
        assert_eq!(bad(doctor(&sandbox), "settings"), Some(ignores));
        let installed = bad(doctor(&sandbox), "installed").unwrap();
        assert_eq!(
            installed,
            "no settings file that Claude Code uses here registers the hooks"
        );
    }
    // Another file that is ignored costs only itself.
    let sandbox = healthy();
    let project = sandbox.project().join(".claude/settings.json");
    put(&project, "{\"model\": 4}");
    assert_eq!(bad(doctor(&sandbox), "installed"), None);
    assert!(
        bad(doctor(&sandbox), "settings")
            .unwrap()
            .contains("ignores")
    );
}

#[test]
fn settings_that_the_client_can_read_are_read() {
    for before in [
        "\u{feff}{\"model\": \"opus\"}",
        "{\"model\": \"opus\", \"model\": \"haiku\"}",
        "{\"hooks\": {\"Elicitation\": null}}",
        "{\"unknown\": 7}",
        "{\"hooks\": {\"Nope\": [{\"hooks\": [{\"type\": \"command\", \"command\": \"x\"}]}]}}",
    ] {
        let sandbox = sandbox();
        let path = user_settings(&sandbox);
        put(&path, before);
        let said = ccsession(&sandbox, ["install"]).stdout();
        assert!(said.contains("are recorded"), "{said}");
        let found = findings(doctor(&sandbox));
        let faults: Vec<&Value> = found.iter().filter(|it| it["grade"] == "fault").collect();
        assert!(faults.is_empty(), "{faults:#?}");
        assert!(
            found
                .iter()
                .any(|it| it["found"] == "20 events in the user settings")
        );
        ccsession(&sandbox, ["uninstall"]).stdout();
        assert_eq!(fs::read_to_string(&path).unwrap(), before);
    }
}

#[test]
fn the_projects_settings_are_those_of_the_folder_where_the_client_starts() {
    let sandbox = sandbox();
    fs::create_dir_all(sandbox.project().join(".git")).unwrap();
    let below = sandbox.project().join("sub/deep");
    fs::create_dir_all(&below).unwrap();
    ccsession(&sandbox, ["install", "--scope", "project"]).stdout();
    let said = bad(doctor(&sandbox).dir(&below), "settings").unwrap();
    let expected = format!(
        "{} registers the hooks, but a Claude Code started in {} does not read it",
        sandbox.project().join(".claude/settings.json").display(),
        below.display()
    );
    assert_eq!(said, expected);
    assert!(bad(doctor(&sandbox).dir(&below), "installed").is_some());
    assert_eq!(bad(doctor(&sandbox), "installed"), None);
    // Local settings are the repository's.
    ccsession(&sandbox, ["uninstall", "--scope", "project"]).stdout();
    ccsession(&sandbox, ["install", "--scope", "local"]).stdout();
    assert_eq!(bad(doctor(&sandbox).dir(&below), "installed"), None);
}

#[test]
fn the_shortest_retention_of_any_project_counts() {
    let sandbox = healthy();
    let project = sandbox.project().join(".claude");
    let transcripts = |sandbox: &Sandbox| {
        let found = findings(doctor(sandbox)).into_iter();
        let mut found = found.filter(|it| it["check"] == "transcripts");
        found.next().unwrap()["found"].as_str().unwrap().to_owned()
    };
    assert!(transcripts(&sandbox).starts_with("Claude Code keeps them for 30 days;"));
    for (name, days) in [("settings.json", 5), ("settings.local.json", 3)] {
        let path = project.join(name);
        put(&path, &json!({"cleanupPeriodDays": days}).to_string());
        let expected = format!(
            "Claude Code keeps them for {days} days (set in {});",
            path.display()
        );
        let said = transcripts(&sandbox);
        assert!(said.starts_with(&expected), "{said}");
    }
    // From elsewhere, too: a session of that project is on record.
    let run = doctor(&sandbox).dir(sandbox.home());
    let found = findings(run)
        .into_iter()
        .find(|it| it["check"] == "transcripts");
    assert!(
        found.unwrap()["found"]
            .as_str()
            .unwrap()
            .contains("for 3 days")
    );
}

fn transcript(sandbox: &Sandbox, id: &str, calls: &[&str]) -> PathBuf {
    let path = sandbox
        .home()
        .join(".claude/projects/p")
        .join(format!("{id}.jsonl"));
    let cwd = sandbox.project();
    let line = |(number, call): (usize, &&str)| {
        json!({
            "type": "assistant", "sessionId": id, "cwd": cwd, "uuid": format!("u{number}"),
            "timestamp": "2026-11-20T10:00:00.000Z",
            "message": {"id": format!("m{number}"), "role": "assistant", "model": "m",
                        "content": [{"type": "tool_use", "id": call, "name": "Bash", "input": {}}]},
        })
        .to_string()
    };
    let lines: Vec<String> = calls.iter().enumerate().map(line).collect();
    put(&path, &format!("{}\n", lines.join("\n")));
    path
}

#[test]
fn an_unrecorded_session_shows_that_hooks_do_not_run() {
    let sandbox = sandbox();
    ccsession(&sandbox, ["install"]).stdout();
    // A subagent's transcript is no session's.
    let agent = sandbox.home().join(".claude/projects/p/agent-a1.jsonl");
    put(&agent, "{}\n");
    assert_eq!(bad(doctor(&sandbox), "recorded"), None);
    let other = "99999999-9999-4999-8999-999999999999";
    let path = transcript(&sandbox, other, &["c1"]);
    let said = bad(doctor(&sandbox), "recorded").unwrap();
    let expected = format!(
        "hooks do not run: a session was not recorded since the last event; the last of them is {other}, in {}",
        path.display()
    );
    assert_eq!(said, expected);
    // Importing it is no hook's event.
    ccsession(&sandbox, ["import"]).stdout();
    assert!(bad(doctor(&sandbox), "recorded").is_some());
    assert_eq!(
        bad(doctor(&sandbox), "last event").unwrap(),
        "none was ever recorded"
    );
    // Why is told by the settings of where it was.
    put(
        &sandbox.project().join(".claude/settings.local.json"),
        "{\"disableAllHooks\": true}",
    );
    let said = bad(doctor(&sandbox), "recorded").unwrap();
    assert!(
        said.contains("; there disableAllHooks is true in "),
        "{said}"
    );
    // An event since then says that they run again.
    let start = event("SessionStart", ID, json!({"source": "startup"}));
    sandbox.hook(&start).silent();
    assert_eq!(bad(doctor(&sandbox), "recorded"), None);
}

#[test]
fn the_doctor_says_how_many_calls_of_a_transcript_hooks_recorded() {
    let sandbox = healthy();
    let path = transcript(&sandbox, ID, &["toolu_1", "toolu_2", "toolu_3"]);
    let call = json!({"transcript_path": path, "tool_name": "Bash", "tool_input": {}, "tool_use_id": "toolu_2"});
    sandbox.hook(&event("PreToolUse", ID, call)).silent();
    let shown = ccsession(&sandbox, ["show", ID, "--json"]).json();
    assert_eq!(shown["coverage"], json!({"calls": 3, "recorded": 1}));
    let shown = ccsession(&sandbox, ["show", ID]).stdout();
    assert!(
        shown.contains("1 of 3 calls in the transcript, by hooks"),
        "{shown}"
    );
    let said = bad(doctor(&sandbox), "coverage").unwrap();
    assert_eq!(
        said,
        "hooks recorded 1 of 3 calls in the transcripts of the last 1 sessions"
    );
    // What an import adds no hook has recorded.
    ccsession(&sandbox, ["import"]).stdout();
    let shown = ccsession(&sandbox, ["show", ID, "--json"]).json();
    assert_eq!(shown["coverage"], json!({"calls": 3, "recorded": 1}));
}

#[test]
fn the_client_is_looked_for_where_its_installers_put_it() {
    for place in [
        ".claude/local/claude",
        ".local/bin/claude",
        ".local/share/claude/versions/2.1.329",
        ".vscode/extensions/anthropic.claude-code-2.1.329-linux-x64/resources/native-binary/claude",
    ] {
        let sandbox = sandbox();
        crate::support::settings::no_client(&sandbox);
        let path = sandbox.home().join(place);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        write_program(&path, "#!/bin/sh\necho '2.1.329 (Claude Code)'\n");
        let said = ccsession(&sandbox, ["install"]).stdout();
        let known = format!("all that Claude Code 2.1.329, {}, supports", path.display());
        assert!(
            said.starts_with("registered 20 events") && said.contains(&known),
            "{said}"
        );
        assert_eq!(bad(doctor(&sandbox), "client"), None);
    }
    let sandbox = sandbox();
    crate::support::settings::client(
        &sandbox,
        "echo 'Using node v22.1.0'; echo '2.1.329 (Claude Code)'",
    );
    let said = ccsession(&sandbox, ["install"]).stdout();
    assert!(
        said.contains("(all that Claude Code 2.1.329 supports)"),
        "{said}"
    );
}
