//! Which project a session is in, and what answer a shell there gets.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::{Call, Client, answer, check, current_in, outside, repository, twins};
use crate::support::{ID, Sandbox, as_client, event, json_lines};

fn by_name(sandbox: &Sandbox, name: &str) -> Value {
    let call = Call::current(&["--name", name], &sandbox.home());
    answer(&outside(sandbox, &call))
}

#[test]
fn projects_of_one_name_are_two_projects() {
    let sandbox = Sandbox::just_swept();
    let [one, two] = twins(&sandbox);
    let mut first = Client::in_session(&sandbox, "s-1", &one);
    let mut second = Client::in_session(&sandbox, "s-2", &two);
    for (dir, id) in [(&one, "s-1"), (&two, "s-2")] {
        for dir in [dir.clone(), dir.join("src/deep")] {
            check(&current_in(&sandbox, &dir), Some(id), "project", "exact");
        }
    }
    check(
        &by_name(&sandbox, "shop"),
        Some("s-2"),
        "pointer",
        "last_known",
    );
    // Each client's own calls, wherever they are and whatever the pointer says.
    for dir in [&one, &two, &sandbox.home()] {
        check(&first.current_in(dir), Some("s-1"), "process", "exact");
        check(&second.current_in(dir), Some("s-2"), "process", "exact");
    }
    // Asked about the other project, a session does not answer for itself.
    let about = |project: &Path| Call::current(&["--project", project.to_str().unwrap()], &one);
    check(
        &answer(&first.run(&about(&two))),
        Some("s-2"),
        "project",
        "exact",
    );
    check(
        &answer(&first.run(&about(&one))),
        Some("s-1"),
        "process",
        "exact",
    );

    // The pointer names the session of the other project, or a dead one.
    first.end("s-1", "other", &one);
    check(&current_in(&sandbox, &one), None, "unknown", "none");
    check(&current_in(&sandbox, &two), Some("s-2"), "project", "exact");
    check(
        &by_name(&sandbox, "shop"),
        Some("s-2"),
        "pointer",
        "last_known",
    );
    second.kill();
    for dir in [&one, &two] {
        check(&current_in(&sandbox, dir), None, "unknown", "none");
    }
    check(&by_name(&sandbox, "shop"), None, "unknown", "none");
}

/// A worktree of the repository at `main`, as git makes it.
fn worktree(main: &Path, at: &Path, branch: &str) -> PathBuf {
    let admin = main.join(".git/worktrees").join(branch);
    fs::create_dir_all(&admin).unwrap();
    fs::create_dir_all(at.join("src")).unwrap();
    fs::write(at.join(".git"), format!("gitdir: {}\n", admin.display())).unwrap();
    fs::write(admin.join("HEAD"), format!("ref: refs/heads/{branch}\n")).unwrap();
    fs::write(admin.join("commondir"), "../..\n").unwrap();
    at.to_owned()
}

#[test]
fn a_worktree_is_a_project_of_its_own() {
    let sandbox = Sandbox::just_swept();
    let main = repository(&sandbox.project());
    fs::write(main.join(".git/HEAD"), "ref: refs/heads/main\n").unwrap();
    let beside = worktree(&main, &sandbox.path("shop-beside"), "beside");
    let within = worktree(&main, &main.join(".claude/worktrees/within"), "within");
    let places = [(&main, "main"), (&beside, "beside"), (&within, "within")];
    let _clients = places.map(|(dir, id)| Client::in_session(&sandbox, id, dir));
    for (dir, id) in places {
        let record = sandbox.record(id);
        assert_eq!(record["project"]["root"], dir.to_str().unwrap());
        assert_eq!(record["head"]["branch"], id);
        for dir in [dir.clone(), dir.join("src")] {
            check(&current_in(&sandbox, &dir), Some(id), "project", "exact");
        }
    }
}

#[test]
fn a_project_is_the_same_by_a_link_and_from_a_subfolder() {
    let sandbox = Sandbox::just_swept();
    let root = repository(&sandbox.path("real/shop"));
    let link = sandbox.path("link");
    symlink(&root, &link).unwrap();
    for start in [link.clone(), link.join("src"), root.join("src/deep")] {
        let mut client = Client::start(&sandbox);
        let begin = event(
            "SessionStart",
            "s-1",
            json!({"source": "startup", "cwd": start}),
        );
        let call = Call::hook(&begin, &start).env("CLAUDE_PROJECT_DIR", &start);
        assert_eq!(client.run(&call), "");
        assert_eq!(
            sandbox.record("s-1")["project"]["root"],
            root.to_str().unwrap()
        );
        assert!(sandbox.pointer("shop").exists());
        for dir in [&root, &root.join("src/deep"), &link, &link.join("src")] {
            check(&current_in(&sandbox, dir), Some("s-1"), "project", "exact");
        }
        client.end("s-1", "other", &start);
        check(&current_in(&sandbox, &root), None, "unknown", "none");
        fs::remove_dir_all(sandbox.session("s-1")).unwrap();
    }
}

#[test]
fn a_client_that_goes_into_a_worktree_stays_in_its_project() {
    let sandbox = Sandbox::just_swept();
    let main = repository(&sandbox.project());
    let tree = worktree(&main, &sandbox.path("tree"), "tree");
    let mut client = Client::in_session(&sandbox, "s-1", &main);
    let moved = [
        json!({"hook_event_name": "CwdChanged", "old_cwd": main, "new_cwd": tree}),
        json!({"hook_event_name": "UserPromptSubmit", "prompt": "go on"}),
        json!({"hook_event_name": "PreToolUse", "tool_name": "Bash", "tool_use_id": "t1"}),
        json!({"hook_event_name": "Stop"}),
    ];
    for payload in &moved {
        for id in [Some("s-1"), None] {
            let mut payload = payload.clone();
            payload["cwd"] = tree.to_str().unwrap().into();
            if let Some(id) = id {
                payload["session_id"] = id.into();
            }
            let call = Call::hook(&payload, &tree).env("CLAUDE_PROJECT_DIR", &main);
            assert_eq!(client.run(&call), "");
        }
    }
    assert_eq!(sandbox.journal("s-1").len(), 1 + 2 * moved.len());
    assert!(!sandbox.pointer("tree").exists());

    for depth in 0..3 {
        let call = Call::current(&[], &tree).through(depth);
        check(&answer(&client.run(&call)), Some("s-1"), "process", "exact");
        let call = call.env("CLAUDE_CODE_SESSION_ID", "s-1");
        check(
            &answer(&client.run(&call)),
            Some("s-1"),
            "environment",
            "exact",
        );
    }
    check(&current_in(&sandbox, &tree), None, "unknown", "none");
    check(
        &current_in(&sandbox, &main),
        Some("s-1"),
        "project",
        "exact",
    );

    let mut other = Client::in_session(&sandbox, "s-2", &tree);
    check(
        &current_in(&sandbox, &tree),
        Some("s-2"),
        "project",
        "exact",
    );
    check(
        &current_in(&sandbox, &main),
        Some("s-1"),
        "project",
        "exact",
    );
    check(&client.current_in(&tree), Some("s-1"), "process", "exact");
    check(&other.current_in(&main), Some("s-2"), "process", "exact");
}

/// Where the client does not say where it was started, its record does.
#[test]
fn a_prompt_from_another_directory_moves_no_session() {
    let sandbox = Sandbox::just_swept();
    let [one, two] = twins(&sandbox);
    let mut client = Client::in_session(&sandbox, "s-1", &one);
    let _other = Client::in_session(&sandbox, "s-2", &two);
    client.hook(
        "UserPromptSubmit",
        "s-1",
        json!({"prompt": "go on", "cwd": two}),
        &two,
    );
    check(&current_in(&sandbox, &one), Some("s-1"), "project", "exact");
    check(&current_in(&sandbox, &two), Some("s-2"), "project", "exact");
}

/// Neither in a directory such as /tmp, nor where it is another user's.
#[test]
fn a_planted_repository_above_moves_no_session() {
    const STRANGER: u32 = 65534;
    for is_anothers in [false, true] {
        if is_anothers && !rustix::process::geteuid().is_root() {
            println!("skipped: only root can give a directory away");
            continue;
        }
        let sandbox = Sandbox::just_swept();
        let above = sandbox.path("above");
        let projects = ["one", "two"].map(|name| above.join(name));
        for project in &projects {
            fs::create_dir_all(project).unwrap();
        }
        let mut first = Client::in_session(&sandbox, "s-1", &projects[0]);
        fs::create_dir(above.join(".git")).unwrap();
        if is_anothers {
            for path in [above.join(".git"), above.clone()] {
                chown(path, Some(STRANGER), Some(STRANGER)).unwrap();
            }
        } else {
            fs::set_permissions(&above, Permissions::from_mode(0o1777)).unwrap();
        }
        let _second = Client::in_session(&sandbox, "s-2", &projects[1]);
        first.hook(
            "UserPromptSubmit",
            "s-1",
            json!({"prompt": "go on"}),
            &projects[0],
        );
        for (project, id) in projects.iter().zip(["s-1", "s-2"]) {
            check(&current_in(&sandbox, project), Some(id), "project", "exact");
            assert_eq!(
                sandbox.record(id)["project"]["root"],
                project.to_str().unwrap()
            );
        }
        check(&current_in(&sandbox, &above), None, "unknown", "none");
        assert!(!sandbox.pointer("above").exists());
    }
}

/// A client that was started before the hooks were installed, or has none, is not the session that happens to live beside
/// it, however its process is known.
#[test]
fn an_unrecorded_client_is_not_in_the_projects_only_session() {
    let sandbox = Sandbox::just_swept();
    let project = repository(&sandbox.project());
    let mut recorded = Client::in_session(&sandbox, "s-1", &project);
    let by_name = Client::by_name(&sandbox);
    let by_variable = Client::start(&sandbox);
    for mut client in [by_name, by_variable] {
        for name in ["Stop", "PreToolUse", "UserPromptSubmit"] {
            let call = Call::hook(&json!({"hook_event_name": name}), &project);
            assert_eq!(client.run(&call), "");
        }
        assert_ne!(client.current_in(&project)["trust"], "exact");
    }
    assert_eq!(sandbox.journal("s-1").len(), 1);
    assert_eq!(
        json_lines(&sandbox.state().join("unattributed.jsonl")).len(),
        6
    );
    check(
        &recorded.current_in(&project),
        Some("s-1"),
        "process",
        "exact",
    );
}

#[test]
fn a_session_is_in_the_directory_of_its_last_event_with_the_current_branch() {
    let sandbox = Sandbox::just_swept();
    let repository = |name: &str, branch: &str| {
        let root = sandbox.path(name);
        fs::create_dir_all(root.join(".git")).unwrap();
        fs::write(
            root.join(".git/HEAD"),
            format!("ref: refs/heads/{branch}\n"),
        )
        .unwrap();
        root
    };
    let began = repository("shop", "main");
    let moved = repository("shop-wt", "topic");
    let at = |name: &str, dir: &Path, more: Value| {
        let mut payload = event(name, ID, more);
        payload["cwd"] = json!(dir);
        payload["transcript_path"] = json!(dir.join("t.jsonl"));
        let hook = sandbox.hook(&payload).dir(dir);
        hook.env("CLAUDE_PID", as_client()).silent();
    };
    let told = || {
        let list = sandbox.ccsession(["list", "--all", "--json"]).json();
        let show = sandbox.ccsession(["show", ID, "--json"]).json();
        let (listed, shown) = (&list["sessions"][0], &show["session"]);
        for member in ["cwd", "transcript_path", "head"] {
            assert_eq!(listed[member], shown[member], "{member}");
        }
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let branch = text(&shown["head"]["branch"]);
        (text(&shown["cwd"]), text(&shown["transcript_path"]), branch)
    };
    let expected = |dir: &Path, branch: &str| {
        let text = |path: &Path| path.to_str().unwrap().to_owned();
        (text(dir), text(&dir.join("t.jsonl")), branch.to_owned())
    };
    at("SessionStart", &began, json!({"source": "startup"}));
    assert_eq!(told(), expected(&began, "main"));
    at("UserPromptSubmit", &moved, json!({}));
    assert_eq!(told(), expected(&moved, "topic"));
    // A subagent's folder is not the session's.
    at(
        "PreToolUse",
        &began,
        json!({"agent_id": "a1", "tool_name": "Bash", "tool_use_id": "t1"}),
    );
    assert_eq!(told(), expected(&moved, "topic"));
    repository("shop-wt", "other");
    assert_eq!(told(), expected(&moved, "other"));
    at(
        "CwdChanged",
        &moved,
        json!({"old_cwd": moved, "new_cwd": began}),
    );
    assert_eq!(told().0, began.to_str().unwrap());
    at("Stop", &began, json!({}));
    assert_eq!(told(), expected(&began, "main"));
    // Of a session that is over, the branch is what was last on record.
    at("SessionEnd", &began, json!({"reason": "other"}));
    repository("shop", "later");
    assert_eq!(told(), expected(&began, "main"));
}
