//! The cleanup timer: what `install --timer` writes, what it asks systemd for, and that `uninstall` removes exactly that.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::files::everything;
use crate::support::settings::{ccsession, put, sandbox, user_settings};
use crate::support::{CCSESSION, Run, Sandbox, copy_program, mode, text, write_program};

const NAMES: [&str; 2] = ["ccsession-cleanup.service", "ccsession-cleanup.timer"];
const MARK: &str = "# Written by `ccsession install --timer`, and removed by `ccsession uninstall`. To keep your changes, remove this line.";
/// A stand-in for systemctl, which notes what it is asked for and which unit files are there then, and links as it does.
const SYSTEMCTL: &str = r#"#!/bin/sh
units=${XDG_CONFIG_HOME:-$HOME/.config}/systemd/user
there=
for unit in "$units"/ccsession-cleanup.*; do [ ! -e "$unit" ] || there="$there ${unit##*.}"; done
echo "$*:$there" >> "$HOME/asked"
wants=$units/timers.target.wants
case $2 in
    enable) /bin/mkdir -p "$wants"; /bin/ln -sf "$units/$4" "$wants/$4" ;;
    disable) /bin/rm -f "$wants/$3" "$wants/$4"; /bin/rmdir "$wants" 2>/dev/null || : ;;
esac
"#;
const NO_BUS: &str =
    "#!/bin/sh\necho 'Failed to connect to bus: No medium found' >&2; echo more >&2; exit 1\n";

/// A sandbox with a client, executables and this systemctl.
fn with_systemctl(script: &str) -> Sandbox {
    let sandbox = sandbox();
    write_program(sandbox.path("client/systemctl"), script);
    sandbox
}

fn units(sandbox: &Sandbox) -> [PathBuf; 2] {
    let dir = sandbox.home().join(".config/systemd/user");
    NAMES.map(|name| dir.join(name))
}

/// What systemctl was asked for since the last look.
fn asked(sandbox: &Sandbox) -> Vec<String> {
    let path = sandbox.home().join("asked");
    let asked = fs::read_to_string(&path).unwrap_or_default();
    let _ = fs::remove_file(path);
    asked.lines().map(str::to_owned).collect()
}

fn install(sandbox: &Sandbox) -> Run {
    ccsession(sandbox, ["install", "--timer"])
}

fn uninstall(sandbox: &Sandbox) -> Run {
    ccsession(sandbox, ["uninstall"])
}

#[test]
fn a_timer_is_written_enabled_and_taken_away_again() {
    let sandbox = with_systemctl(SYSTEMCTL);
    let before = everything(&sandbox.home());
    let said = install(&sandbox).stdout();
    let [service, timer] = units(&sandbox);
    let expected = format!(
        "wrote {}\nwrote {}\nenabled ccsession-cleanup.timer: a cleanup every five minutes\n",
        service.display(),
        timer.display()
    );
    assert!(
        said.starts_with("registered 20 events") && said.ends_with(&expected),
        "{said}"
    );
    let enabling = [
        "--user daemon-reload: service timer",
        "--user enable --now ccsession-cleanup.timer: service timer",
    ];
    assert_eq!(asked(&sandbox), enabling);
    for unit in [&service, &timer] {
        assert_eq!(mode(unit), 0o644);
        assert!(
            fs::read_to_string(unit)
                .unwrap()
                .starts_with(&format!("{MARK}\n[Unit]\n"))
        );
    }
    let program = fs::canonicalize(CCSESSION).unwrap();
    let service_text = fs::read_to_string(&service).unwrap();
    let start = format!(
        "\nExecStart={} cleanup --if-due --quiet\n",
        program.display()
    );
    assert!(service_text.contains(&start), "{service_text}");
    let timer_text = fs::read_to_string(&timer).unwrap();
    for line in [
        "OnBootSec=5min",
        "OnUnitActiveSec=5min",
        "Persistent=true",
        "WantedBy=timers.target",
    ] {
        assert!(timer_text.contains(&format!("\n{line}\n")), "{timer_text}");
    }

    let said = uninstall(&sandbox).stdout();
    let expected = format!(
        "removed {}\nremoved {}\nremoved the hooks from",
        timer.display(),
        service.display()
    );
    assert!(said.starts_with(&expected), "{said}");
    assert_eq!(
        asked(&sandbox),
        [
            "--user disable --now ccsession-cleanup.timer: service timer",
            "--user daemon-reload:"
        ]
    );
    assert_eq!(everything(&sandbox.home()), before);
    let left: Vec<String> = sandbox
        .files()
        .into_iter()
        .filter(|it| it.contains("installs"))
        .collect();
    assert_eq!(left, [""; 0]);
}

#[test]
fn a_second_install_changes_nothing_and_a_moved_program_is_followed() {
    let sandbox = with_systemctl(SYSTEMCTL);
    install(&sandbox).stdout();
    let before = everything(&sandbox.home().join(".config"));
    let _ = asked(&sandbox);
    let said = install(&sandbox).stdout();
    assert!(
        said.ends_with("\nccsession-cleanup.timer exists already; nothing was changed\n"),
        "{said}"
    );
    assert_eq!(
        asked(&sandbox),
        ["--user enable --now ccsession-cleanup.timer: service timer"]
    );
    assert_eq!(everything(&sandbox.home().join(".config")), before);

    let [service, _] = units(&sandbox);
    let moved = fs::read_to_string(&service)
        .unwrap()
        .replace("ExecStart=/", "ExecStart=/elsewhere/");
    fs::write(&service, moved).unwrap();
    let said = install(&sandbox).stdout();
    assert!(
        said.contains(&format!("wrote {}\n", service.display())),
        "{said}"
    );
    assert!(!fs::read_to_string(&service).unwrap().contains("elsewhere"));
    assert_eq!(asked(&sandbox)[0], "--user daemon-reload: service timer");
    // What the first install made, the last one still knows.
    uninstall(&sandbox).stdout();
    assert!(!sandbox.home().join(".config").exists());
}

#[test]
fn a_dry_run_shows_the_files_and_changes_nothing() {
    let sandbox = with_systemctl(SYSTEMCTL);
    let before = everything(&sandbox.path(""));
    let output = ccsession(&sandbox, ["install", "--timer", "--dry-run"]).output();
    assert_eq!(output.status.code(), Some(0));
    let shown = text(&output.stdout);
    for unit in units(&sandbox) {
        let expected = format!("--- {0}\n+++ {0}\n@@ -0,0 +1,", unit.display());
        assert!(shown.contains(&expected), "{shown}");
    }
    assert!(shown.contains("\n+OnUnitActiveSec=5min\n"), "{shown}");
    assert_eq!(
        text(&output.stderr),
        "would run `systemctl --user enable --now ccsession-cleanup.timer`\n"
    );
    assert_eq!(everything(&sandbox.path("")), before);

    install(&sandbox).stdout();
    let _ = asked(&sandbox);
    let before = everything(&sandbox.path(""));
    let output = ccsession(&sandbox, ["uninstall", "--dry-run"]).output();
    let shown = text(&output.stdout);
    assert!(shown.contains("\n-OnUnitActiveSec=5min\n"), "{shown}");
    assert_eq!(
        text(&output.stderr),
        "would run `systemctl --user disable --now ccsession-cleanup.timer`\n"
    );
    // The lock is all that a look may leave.
    assert_eq!(everything(&sandbox.path("")), before);
}

#[test]
fn a_file_that_somebody_else_wrote_stays_and_nothing_is_installed() {
    let theirs = "[Service]\nExecStart=/mine\n";
    // A mark that does not stand first is a quotation.
    let quoted = format!("[Unit]\n{MARK}\n");
    for (name, content) in [(NAMES[0], theirs), (NAMES[1], &quoted), (NAMES[1], "")] {
        let sandbox = with_systemctl(SYSTEMCTL);
        let unit = sandbox.home().join(".config/systemd/user").join(name);
        put(&unit, content);
        let before = everything(&sandbox.path(""));
        let said = install(&sandbox).refused(1);
        let expected = format!(
            "ccsession: could not write `{}`: it exists and was not written by `ccsession install --timer`; remove or rename it first",
            unit.display()
        );
        assert_eq!(said, expected);
        assert_eq!(everything(&sandbox.path("")), before);

        let output = uninstall(&sandbox).output();
        assert_eq!(output.status.code(), Some(0));
        let left = format!(
            "ccsession: left `{}` as it is: `ccsession install --timer` did not write it\n",
            unit.display()
        );
        assert_eq!(text(&output.stderr), left);
        assert_eq!(fs::read_to_string(&unit).unwrap(), content);
        assert_eq!(asked(&sandbox), [""; 0]);
    }
}

#[test]
fn a_masked_unit_stays_masked() {
    let sandbox = with_systemctl(SYSTEMCTL);
    let [_, timer] = units(&sandbox);
    fs::create_dir_all(timer.parent().unwrap()).unwrap();
    symlink("/dev/null", &timer).unwrap();
    install(&sandbox).refused(1);
    assert_eq!(fs::read_link(&timer).unwrap(), Path::new("/dev/null"));
}

#[test]
fn a_file_with_our_mark_is_ours_even_if_edited_and_without_it_is_not() {
    let sandbox = with_systemctl(SYSTEMCTL);
    install(&sandbox).stdout();
    let [service, timer] = units(&sandbox);
    let edited = fs::read_to_string(&timer)
        .unwrap()
        .replace(&format!("{MARK}\n"), "");
    fs::write(&timer, &edited).unwrap();
    let output = uninstall(&sandbox).output();
    assert_eq!(output.status.code(), Some(0));
    assert!(!service.exists());
    assert_eq!(fs::read_to_string(&timer).unwrap(), edited);
}

#[test]
fn without_an_answer_from_systemd_the_commands_to_type_are_shown() {
    for (script, why) in [
        (Some(NO_BUS), "Failed to connect to bus: No medium found"),
        (
            Some("#!/bin/sh\nexit 3\n"),
            "systemctl ended with exit status: 3",
        ),
        (None, "there is no systemctl on the PATH"),
    ] {
        let sandbox = sandbox();
        if let Some(script) = script {
            write_program(sandbox.path("client/systemctl"), script);
        }
        let before = everything(&sandbox.home());
        let output = install(&sandbox).output();
        assert_eq!(output.status.code(), Some(0));
        let program = fs::canonicalize(CCSESSION).unwrap();
        let expected = format!(
            "ccsession: could not enable the timer: {why}; run `systemctl --user daemon-reload && systemctl --user enable --now ccsession-cleanup.timer`, \
             or give cron the line `* * * * * {} cleanup --if-due --quiet`\n",
            program.display()
        );
        assert_eq!(text(&output.stderr), expected);
        let [service, timer] = units(&sandbox);
        assert!(service.exists() && timer.exists());
        // Whoever typed it left a link, which systemd cannot take away any more.
        let wants = timer.parent().unwrap().join("timers.target.wants");
        fs::create_dir(&wants).unwrap();
        symlink(&timer, wants.join(NAMES[1])).unwrap();
        let output = uninstall(&sandbox).output();
        assert_eq!(output.status.code(), Some(0));
        let said = text(&output.stderr);
        assert!(
            said.starts_with(&format!("ccsession: could not stop the timer: {why}; ")),
            "{said}"
        );
        assert_eq!(everything(&sandbox.home()), before);
    }
}

#[test]
fn files_from_before_stay_when_the_timer_is_removed() {
    let sandbox = with_systemctl(SYSTEMCTL);
    let other = sandbox.home().join(".config/systemd/user/other.timer");
    put(&other, "[Timer]\n");
    let before = everything(&sandbox.home());
    install(&sandbox).stdout();
    uninstall(&sandbox).stdout();
    let _ = asked(&sandbox);
    assert_eq!(everything(&sandbox.home()), before);
}

#[test]
fn the_timer_can_be_removed_alone_and_stays_after_uninstalling_another_scope() {
    let sandbox = with_systemctl(SYSTEMCTL);
    install(&sandbox).stdout();
    let settings = fs::read_to_string(user_settings(&sandbox)).unwrap();
    ccsession(&sandbox, ["uninstall", "--scope", "project"]).stdout();
    assert!(units(&sandbox).iter().all(|unit| unit.exists()));
    ccsession(&sandbox, ["uninstall", "--timer"]).stdout();
    assert!(!sandbox.home().join(".config").exists());
    assert_eq!(
        fs::read_to_string(user_settings(&sandbox)).unwrap(),
        settings
    );
    ccsession(&sandbox, ["uninstall", "--timer"]).expect(0, "", "");
}

#[test]
fn the_configuration_directory_may_be_elsewhere() {
    let sandbox = with_systemctl(SYSTEMCTL);
    let config = sandbox.path("config");
    install(&sandbox).env("XDG_CONFIG_HOME", &config).stdout();
    let service = config.join("systemd/user").join(NAMES[0]);
    assert!(!sandbox.home().join(".config").exists());
    let service_text = fs::read_to_string(&service).unwrap();
    // What the shell says of places, systemd has to be told.
    for (variable, path) in [
        ("CCSESSION_STATE_DIR", sandbox.state()),
        ("CCSESSION_POINTER_DIR", sandbox.pointers()),
        ("XDG_CONFIG_HOME", config.clone()),
    ] {
        let line = format!("\nEnvironment=\"{variable}={}\"\n", path.display());
        assert!(service_text.contains(&line), "{service_text}");
    }
    assert!(!service_text.contains("CCSESSION_CONFIG"), "{service_text}");
    uninstall(&sandbox).env("XDG_CONFIG_HOME", &config).stdout();
    assert!(!config.exists());
    let said = install(&sandbox)
        .env("HOME", "relative")
        .env("CLAUDE_CONFIG_DIR", sandbox.path("c"));
    let said = said.refused(1);
    assert!(said.contains("set HOME or XDG_CONFIG_HOME"), "{said}");
}

#[test]
fn systemd_finds_nothing_wrong_with_the_units() {
    let runtime = Sandbox::new();
    let verify = |unit: &Path| {
        Command::new("systemd-analyze")
            .args(["--user", "verify"])
            .arg(unit)
            .env("XDG_RUNTIME_DIR", runtime.path(""))
            .output()
    };
    let probe = runtime.path("probe.service");
    fs::write(&probe, "[Service]\nType=oneshot\nExecStart=/bin/sh\n").unwrap();
    if !verify(&probe).is_ok_and(|output| output.status.success() && output.stderr.is_empty()) {
        println!("skipped: systemd-analyze is missing or cannot verify here");
        return;
    }
    for dir in ["plain", "with space", "100%h $HOME ${x}"] {
        let sandbox = with_systemctl(SYSTEMCTL);
        fs::create_dir(sandbox.path(dir)).unwrap();
        let program = sandbox.path(dir).join("ccsession");
        copy_program(CCSESSION, &program);
        let mut run = sandbox.run(&program).arg("install").arg("--timer");
        run.command.env("PATH", sandbox.path("client"));
        run.env("CCSESSION_LIBEXEC", sandbox.path("libexec"))
            .env(
                "CCSESSION_CONFIG",
                sandbox.path("a \"b\" \\c %h/config.toml"),
            )
            .stdout();
        for unit in units(&sandbox) {
            let said = verify(&unit).unwrap();
            assert_eq!(
                (said.status.code(), text(&said.stderr)),
                (Some(0), String::new()),
                "{dir}"
            );
        }
        // It would notice a program that is not there under the name that it reads.
        fs::remove_file(&program).unwrap();
        let said = text(&verify(&units(&sandbox)[0]).unwrap().stderr);
        assert!(
            said.contains(&format!("{} is not executable", program.display())),
            "{said}"
        );
    }
}

#[test]
fn a_program_that_systemd_could_not_start_is_refused() {
    let sandbox = with_systemctl(SYSTEMCTL);
    fs::create_dir(sandbox.path("a\"b")).unwrap();
    let program = sandbox.path("a\"b").join("ccsession");
    copy_program(CCSESSION, &program);
    let mut run = sandbox.run(&program).arg("install").arg("--timer");
    run.command.env("PATH", sandbox.path("client"));
    let said = run
        .env("CCSESSION_LIBEXEC", sandbox.path("libexec"))
        .refused(1);
    assert!(
        said.contains("systemd accepts no path with quotes"),
        "{said}"
    );
    assert!(!user_settings(&sandbox).exists());
}

#[test]
fn the_script_that_uninstalls_takes_the_timer_away() {
    let sandbox = with_systemctl(SYSTEMCTL);
    let prefix = sandbox.path("prefix");
    fs::create_dir_all(prefix.join("bin")).unwrap();
    let program = prefix.join("bin/ccsession");
    for register in [&[][..], &["--no-register"]] {
        copy_program(CCSESSION, &program);
        let with = |run: Run| {
            let path = format!("{}:/usr/bin:/bin", sandbox.path("client").display());
            run.env("PATH", path)
                .env("CCSESSION_LIBEXEC", sandbox.path("libexec"))
        };
        with(sandbox.run(&program))
            .arg("install")
            .arg("--timer")
            .stdout();
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("install.sh");
        let mut run = with(sandbox.run(script))
            .arg("--uninstall")
            .arg("--prefix")
            .arg(&prefix);
        run.command.args(register);
        run.stdout();
        assert!(!sandbox.home().join(".config").exists() && !program.exists());
        assert_eq!(user_settings(&sandbox).exists(), !register.is_empty());
    }
}
