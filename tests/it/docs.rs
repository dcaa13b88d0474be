//! The documents say what is true: what they list is compared with what the program has.

use std::collections::HashMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::Stdio;
use std::sync::mpsc::channel;

use ccsession::claude::versions::{Version, events_for};
use ccsession::model::Config;
use ccsession::model::config::ConfigKey;
use serde_json::{Value, json};
use unicode_width::UnicodeWidthStr;

use crate::support::recordings::play;
use crate::support::sink::Sink;
use crate::support::{
    CCSESSION, Run, Sandbox, as_client, data, event, text, wait_until, write_program,
};

fn document(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap()
}

/// Every document that a user or a contributor reads, by its path in the repository.
fn documents() -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    for folder in [
        "",
        "docs",
        "contrib",
        "contrib/lake",
        "contrib/clickhouse",
        "contrib/grafana",
        "hooks",
        "tests/harness",
        "tests/fleet",
    ] {
        for entry in fs::read_dir(root.join(folder)).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "md") {
                let path = path.strip_prefix(root).unwrap();
                found.push(path.to_str().unwrap().to_owned());
            }
        }
    }
    found.sort();
    assert!(found.len() > 15, "{found:?}");
    found
}

/// The pages that say how to use the program.
fn pages() -> Vec<String> {
    let mut pages = documents();
    pages.retain(|name| name == "README.md" || name.starts_with("docs/"));
    pages
}

/// The fenced blocks of `text` in this language.
fn blocks<'a>(text: &'a str, language: &str) -> Vec<&'a str> {
    let begin = format!("```{language}\n");
    text.split(begin.as_str())
        .skip(1)
        .map(|rest| rest.split("```").next().unwrap())
        .collect()
}

/// The commands of `ccsession` in the shell blocks of every page: the page, the line, the words behind `ccsession`.
fn commands() -> Vec<(String, String, Vec<String>)> {
    let mut found = Vec::new();
    for page in pages() {
        let text = document(&page);
        for line in blocks(&text, "sh").iter().flat_map(|block| block.lines()) {
            let code = line.split(" #").next().unwrap();
            for rest in code.split("ccsession ").skip(1) {
                let rest = rest.split([')', '|', '&']).next().unwrap();
                let words = rest.split(' ').filter(|word| !word.is_empty());
                let words = words.map(str::to_owned).collect();
                found.push((page.clone(), line.to_owned(), words));
            }
        }
    }
    assert!(found.len() > 60, "{}", found.len());
    found
}

#[test]
fn the_page_lists_every_setting_with_its_default_as_the_file_has_it() {
    let page = document("docs/configuration.md");
    let mut defaults = Config::default();
    for key in ConfigKey::ALL {
        let row = page
            .lines()
            .find(|line| line.starts_with(&format!("| `{}` | ", key.name())));
        let row = row.unwrap_or_else(|| panic!("the page does not list {}", key.name()));
        let default = row.split('|').nth(2).unwrap().trim().trim_matches('`');
        let line: toml::Table = format!("{} = {default}", key.name()).parse().unwrap();
        let value = key
            .name()
            .split('.')
            .fold(None, |table: Option<&toml::Value>, name| {
                table.map_or_else(|| line.get(name), |table| table.get(name))
            });
        let default = match value.unwrap() {
            toml::Value::String(text) => text.clone(),
            toml::Value::Boolean(switch) => switch.to_string(),
            toml::Value::Integer(number) => number.to_string(),
            toml::Value::Array(list) if list.is_empty() => "none".to_owned(),
            other => panic!("{row}: {other:?}"),
        };
        let before = defaults.get(key);
        defaults.set(key, &default).unwrap();
        assert_eq!(defaults.get(key), before, "{row}");
    }
}

#[test]
fn every_verb_in_the_pages_exists() {
    let sandbox = Sandbox::new();
    let help = sandbox.ccsession(["--help"]).stdout();
    let mut seen = 0;
    for page in pages() {
        let text = document(&page);
        // In running text, too: `ccsession verb`.
        for named in text.split("`ccsession ").skip(1) {
            let end = named.find(|c: char| !c.is_ascii_lowercase() && c != '-');
            let verb = &named[..end.unwrap_or(named.len())];
            if !verb.is_empty() && !verb.starts_with('-') {
                seen += 1;
                assert!(help.contains(&format!("  {verb} ")), "{page}: {verb}");
            }
        }
    }
    assert!(seen > 20, "{seen}");
}

#[test]
fn every_option_in_the_pages_exists() {
    let sandbox = Sandbox::new();
    let mut helps: HashMap<Vec<String>, String> = HashMap::new();
    for (page, line, words) in commands() {
        let is_group = words[0] == "archive";
        let verb = words[..if is_group { 2 } else { 1 }].to_vec();
        let help = helps.entry(verb).or_insert_with_key(|verb| {
            let words = verb.iter().map(String::as_str).chain(["--help"]);
            sandbox.ccsession(words).stdout()
        });
        let ours = words.iter().take_while(|word| *word != "--");
        for option in ours.filter(|word| word.starts_with("--")) {
            assert!(help.contains(option.as_str()), "{page}: {line}: {option}");
        }
    }
}

/// A user's machine with one session that has ended, 65dd…, one that goes on, and the programs that the pages name.
fn machine() -> Sandbox {
    let sandbox = play("c");
    let bin = sandbox.path("bin");
    let repository = sandbox.home().join("src/shop/.git");
    for dir in [&bin, &repository] {
        fs::create_dir_all(dir).unwrap();
    }
    let about = "case \"$*\" in --version) echo '2.1.131 (Claude Code)';; esac";
    write_program(bin.join("claude"), &format!("#!/bin/sh\n{about}\n"));
    write_program(bin.join("systemctl"), "#!/bin/sh\nexit 0\n");
    write_program(bin.join("less"), "#!/bin/sh\nexec cat\n");
    for browser in ["xdg-open", "open"] {
        write_program(bin.join(browser), "#!/bin/sh\nexit 0\n");
    }
    write_program(bin.join("make"), "#!/bin/sh\nexit 0\n");
    let projects = sandbox.home().join(".claude/projects");
    fs::create_dir_all(projects.parent().unwrap()).unwrap();
    let mut copy = std::process::Command::new("cp");
    copy.arg("-R").arg(data("transcripts/c")).arg(&projects);
    assert!(copy.status().unwrap().success(), "{copy:?}");
    shell(&sandbox).arg("ccsession install").stdout();
    let start = event(
        "SessionStart",
        LIVE,
        json!({"source": "startup", "session_title": "webhook hunt"}),
    );
    as_hook(&sandbox, &start).silent();
    work(&sandbox);
    sandbox
}

/// What the live session did: it edited a file and made a commit.
fn work(sandbox: &Sandbox) {
    let file = sandbox.project().join("src/main.rs");
    for (tool, input) in [
        ("Edit", json!({"file_path": file})),
        ("Bash", json!({"description": "Commit the fix"})),
    ] {
        let call = json!({"tool_name": tool, "tool_use_id": tool, "tool_input": input});
        as_hook(sandbox, &event("PreToolUse", LIVE, call.clone())).silent();
        if tool == "Bash" {
            let (none, id) = ("0".repeat(40), "1a2b3c4d".repeat(5));
            let git = sandbox.project().join(".git");
            fs::create_dir_all(git.join("logs")).unwrap();
            fs::write(git.join("HEAD"), format!("{id}\n")).unwrap();
            let now = chrono::Utc::now().timestamp();
            let made = format!("{none} {id} A <a@b> {now} +0000\tcommit (initial): Fix it\n");
            fs::write(git.join("logs/HEAD"), made).unwrap();
        }
        as_hook(sandbox, &event("PostToolUse", LIVE, call)).silent();
    }
}

/// The session that goes on.
const LIVE: &str = "0b1f3c52-6b0e-4d0a-9d4e-2f6f0f5f9a11";

/// A hook of a client of which this process is one.
fn as_hook(sandbox: &Sandbox, payload: &Value) -> Run {
    let run = sandbox.hook(payload);
    run.env("CLAUDE_PROJECT_DIR", sandbox.project())
        .env("CLAUDE_PID", as_client())
}

/// `sh -c` with what a user would type as the next argument.
fn shell(sandbox: &Sandbox) -> Run {
    let programs = Path::new(CCSESSION).parent().unwrap();
    let path = format!(
        "{}:{}:/usr/local/bin:/usr/bin:/bin",
        sandbox.path("bin").display(),
        programs.display()
    );
    sandbox.run("/bin/sh").env("PATH", path).arg("-c")
}

/// Runs a block; each of its lines must succeed. A message file for git is its first argument.
fn run_block(sandbox: &Sandbox, page: &str, block: &str) {
    let message = sandbox.path("message");
    fs::write(&message, "Add a parser\n").unwrap();
    // No other machine can be reached: its sessions are those here.
    write_program(
        sandbox.path("bin/ssh"),
        "#!/bin/sh\nshift 3\nexec sh -c \"$1\"\n",
    );
    let mut script = "set -u\nrsync() { for to; do :; done; mkdir -p \"$to\"; cp -R \"$CCSESSION_STATE_DIR/sessions\" \"$to\"; }\n".to_owned();
    // What does not end by itself is run elsewhere; the board needs a terminal, and `curl` a dashboard.
    let endless = ["ccsession top", "ccsession dashboard", "curl "];
    let is_run = |line: &&str| {
        !line.contains("--follow") && !endless.iter().any(|command| line.starts_with(command))
    };
    for line in block.lines().filter(is_run) {
        if line.contains("archive restore") {
            // As Claude Code does after 30 days.
            script += "rm -r ~/.claude/projects\n";
        }
        script += line;
        script += "\nstatus=$?; [ $status = 0 ] || { echo \"status $status\" >&2; exit 1; }\n";
    }
    let output = shell(sandbox).arg(&script).arg("sh").arg(&message).output();
    assert!(
        output.status.success(),
        "{page}:\n{block}\n{}{}",
        text(&output.stdout),
        text(&output.stderr)
    );
}

/// Runs a command that follows, until it has printed an event; it must end when nobody reads any more.
fn run_follower(sandbox: &Sandbox, line: &str) {
    let mut run = shell(sandbox).arg(line);
    run.command.stdin(Stdio::null()).stdout(Stdio::piped());
    let mut child = run.command.spawn().unwrap();
    let mut printed = BufReader::new(child.stdout.take().unwrap());
    let (sender, first) = channel();
    let reader = std::thread::spawn(move || {
        let mut line = String::new();
        printed.read_line(&mut line).unwrap();
        sender.send(line).unwrap();
    });
    let told = || {
        for id in [LIVE, "65dd02b6-7134-4576-a982-e8658c4175aa"] {
            let notice = json!({"notification_type": "idle_prompt"});
            as_hook(sandbox, &event("Notification", id, notice)).silent();
        }
    };
    wait_until(|| {
        told();
        first.try_recv().is_ok_and(|line: String| !line.is_empty())
    });
    reader.join().unwrap();
    let (sender, end) = channel();
    std::thread::spawn(move || sender.send(child.wait().unwrap()));
    wait_until(|| {
        told();
        end.try_recv().is_ok()
    });
}

#[test]
fn every_command_in_the_readme_does_what_it_should() {
    run_page("README.md");
}

#[test]
fn every_command_in_the_guide_does_what_it_should() {
    run_page("docs/guide.md");
}

#[test]
fn every_command_in_the_other_pages_does_what_it_should() {
    for page in pages() {
        if page != "README.md" && page != "docs/guide.md" && document(&page).contains("```sh") {
            run_page(&page);
        }
    }
}

/// Runs every shell block of a page, in order, on a machine of its own.
fn run_page(page: &str) {
    // These install and test the checkout itself; `.ci/run` does both. A package does not contain it.
    let of_ci = [
        "./install.sh\n",
        "./install.sh --uninstall\n",
        "cargo test\n",
    ];
    let ci = Path::new(env!("CARGO_MANIFEST_DIR")).join(".ci/run");
    let ci = fs::read_to_string(ci).map(|ci| ci.replace(" --prefix \"$place/prefix\"", ""));
    let sandbox = machine();
    let sink = Sink::new();
    if page == "docs/ship.md" {
        let config = format!(
            "[ship.team]\nendpoint = \"{}\"\ncompression = \"none\"\n",
            sink.url()
        );
        let dir = sandbox.home().join(".config/ccsession");
        fs::create_dir_all(&dir).unwrap();
        fs::write(dir.join("config.toml"), config).unwrap();
    }
    let mut ran = 0;
    for block in blocks(&document(page), "sh") {
        if of_ci.contains(&block) {
            assert!(ci.as_ref().is_ok_and(|ci| ci.contains(block.trim_end())) || ci.is_err());
            continue;
        }
        // A block before may have uninstalled it.
        shell(&sandbox).arg("ccsession install").stdout();
        run_block(&sandbox, page, block);
        for line in block.lines().filter(|line| line.contains("--follow")) {
            run_follower(&sandbox, line);
        }
        ran += block.lines().count();
    }
    assert!(ran > 2, "{page}: {ran}");
}

/// The anchors of a document, as GitHub and MkDocs make them of headings.
fn anchors(text: &str) -> Vec<String> {
    let headings = text.lines().filter(|line| line.starts_with('#'));
    headings
        .map(|line| {
            let heading = line.trim_start_matches('#').trim().to_lowercase();
            let kept = |c: &char| c.is_alphanumeric() || "-_ ".contains(*c);
            heading
                .chars()
                .filter(kept)
                .collect::<String>()
                .replace(' ', "-")
        })
        .collect()
}

#[test]
fn every_link_in_a_document_leads_somewhere() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut seen = 0;
    for name in documents() {
        let text = document(&name);
        for link in text.split("](").skip(1) {
            let link = link.split(')').next().unwrap();
            if link.contains("://") || link.contains(' ') {
                continue;
            }
            seen += 1;
            let (path, anchor) = link.split_once('#').unwrap_or((link, ""));
            let place = match path {
                "" => root.join(&name),
                path => root.join(&name).parent().unwrap().join(path),
            };
            assert!(place.exists(), "{name}: {link}");
            if !anchor.is_empty() {
                let anchors = anchors(&fs::read_to_string(place).unwrap());
                assert!(anchors.iter().any(|it| it == anchor), "{name}: {link}");
            }
        }
    }
    assert!(seen > 40, "{seen}");
}

#[test]
fn every_source_file_that_a_document_names_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut seen = 0;
    for name in documents() {
        let text = document(&name);
        let named = text.split('`').skip(1).step_by(2);
        let folders = [
            "src/", "tests/", "docs/", "benches/", "contrib/", "hooks/", "fuzz/",
        ];
        for path in named.filter(|code| folders.iter().any(|folder| code.starts_with(folder))) {
            let path = path.split(' ').next().unwrap();
            if !path.contains(['*', '{']) {
                seen += 1;
                assert!(root.join(path).exists(), "{name}: {path}");
            }
        }
    }
    assert!(seen > 40, "{seen}");
}

/// The picture of a terminal in which `command` printed `printed`, with its colours.
fn picture(command: &str, printed: &str) -> String {
    let printed = format!("$ {command}\n{printed}");
    let lines: Vec<&str> = printed.lines().collect();
    let plain = |line: &str| {
        let mut parts = line.split("\x1b[");
        let first = parts.next().unwrap_or_default().to_owned();
        parts.fold(first, |text, part| text + part.split_once('m').unwrap().1)
    };
    let columns = lines.iter().map(|line| plain(line).width()).max();
    let (width, height) = (columns.unwrap() * 8 + 32, lines.len() * 18 + 30);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\">\n\
         <rect width=\"100%\" height=\"100%\" rx=\"8\" fill=\"#0d1117\"/>\n\
         <g font-family=\"DejaVu Sans Mono, Menlo, Consolas, monospace\" font-size=\"13\" fill=\"#e6edf3\" xml:space=\"preserve\">\n"
    );
    for (row, line) in lines.iter().enumerate() {
        let (mut column, y) = (0, row * 18 + 26);
        for (index, part) in line.split("\x1b[").enumerate() {
            let (code, text) = match index {
                0 => ("", part),
                _ => part.split_once('m').unwrap(),
            };
            // Colours, in bold or underlined; in reverse, the whole line has another ground.
            let codes: Vec<&str> = code.split(';').collect();
            let colour = codes.last().copied().unwrap_or_default();
            if codes.contains(&"7") && column == 0 {
                let top = y - 13;
                svg += &format!(
                    "<rect x=\"16\" y=\"{top}\" width=\"{}\" height=\"18\" fill=\"#30363d\"/>\n",
                    width - 32
                );
            }
            let fill = match colour {
                "" | "0" | "1" | "4" | "7" => "#e6edf3",
                "31" => "#ff7b72",
                "32" => "#56d364",
                "33" => "#d29922",
                "34" => "#79c0ff",
                "35" => "#d2a8ff",
                "36" => "#56d4dd",
                "90" => "#8b949e",
                other => panic!("the picture has no colour for {other}: {line:?}"),
            };
            let how = match codes.contains(&"1") {
                true => " font-weight=\"bold\"",
                false => "",
            };
            // Each column begins at its place, whatever the width of the letters before it.
            let mut rest = text;
            while !rest.trim_start().is_empty() {
                let piece = rest.trim_start();
                let before = text.width() - piece.width();
                let (piece, after) = piece.split_at(piece.find("  ").unwrap_or(piece.len()));
                let (x, length) = ((column + before) * 8 + 16, piece.width() * 8);
                let piece = piece.replace('&', "&amp;").replace('<', "&lt;");
                svg += &format!(
                    "<text x=\"{x}\" y=\"{y}\" textLength=\"{length}\" fill=\"{fill}\"{how}>{piece}</text>\n"
                );
                rest = after;
            }
            column += text.width();
        }
    }
    svg + "</g>\n</svg>\n"
}

#[test]
fn the_picture_in_the_readme_is_what_the_program_prints() {
    let sandbox = play("c");
    let command = "ccsession timeline 65dd";
    let run = sandbox.ccsession(["timeline", "65dd", "--color", "always"]);
    let run = run.env("TZ", "UTC").env("LC_ALL", "C.UTF-8");
    let now = picture(command, &run.env("COLUMNS", "100").stdout());
    check_picture("docs/timeline.svg", &now);
}

/// The board as the unit tests of its view have it: they compare it with what the program draws.
#[test]
fn the_pictures_of_the_board_are_what_the_program_draws() {
    for (screen, arguments, drawn) in [
        ("80x24", "", "top"),
        ("80x24-plain", " --color never", "top-plain"),
        ("120x40", "", "top-120x40"),
        ("200x60", "", "top-200x60"),
    ] {
        let board = document(&format!("tests/data/top/{screen}.ansi"));
        let board = picture(&format!("ccsession top{arguments}"), &board);
        check_picture(&format!("docs/{drawn}.svg"), &board);
    }
}

#[track_caller]
fn check_picture(name: &str, now: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    // `just picture` draws it again.
    if std::env::var_os("CCSESSION_DRAW").is_some() {
        fs::write(&path, now).unwrap();
    }
    let drawn = fs::read_to_string(path).unwrap_or_default();
    assert_eq!(drawn, now, "see `just picture`");
}

#[test]
fn the_list_in_the_readme_has_the_columns_that_the_program_prints() {
    let sandbox = machine();
    let readme = document("README.md");
    let (_, printed) = readme.split_once("$ ccsession list\n").unwrap();
    let columns = printed.lines().next().unwrap().split_whitespace();
    let call =
        json!({"tool_name": "Bash", "tool_use_id": "toolu_1", "tool_input": {"command": "ls"}});
    as_hook(&sandbox, &event("PreToolUse", LIVE, call)).silent();
    let list = sandbox.ccsession(["list"]).stdout();
    let heading = list.lines().next().unwrap().split_whitespace();
    assert_eq!(columns.collect::<Vec<_>>(), heading.collect::<Vec<_>>());
}

/// The sentences of a document's running text, lists and tables, with a single word for each piece of code.
fn sentences(text: &str) -> Vec<String> {
    let mut paragraphs = vec![String::new()];
    let mut is_code = false;
    let mut is_list = false;
    for line in text.lines().map(str::trim) {
        // Lists that a test holds against the program's tables have no sentences.
        is_list = line.starts_with("<!--") && !line.contains("end")
            || is_list && !line.contains("<!-- end -->");
        is_code ^= line.starts_with("```");
        let is_text = !line.starts_with(['#', '<', '`', '!']);
        let is_text = is_text && !is_list;
        if is_code || !is_text || line.starts_with("- ") || line.is_empty() {
            paragraphs.push(String::new());
        }
        if !is_code && is_text {
            let cells = line
                .strip_prefix('|')
                .map(|row| row.split('|').map(str::trim));
            match cells {
                Some(cells) => paragraphs.extend(cells.map(str::to_owned)),
                None => {
                    *paragraphs.last_mut().unwrap() +=
                        &format!(" {}", line.trim_start_matches("- "))
                }
            }
        }
    }
    let mut found = Vec::new();
    for paragraph in paragraphs {
        let parts = paragraph.split('`').enumerate();
        let words = parts.map(|(index, part)| if index % 2 == 0 { part } else { "code" });
        let mut sentence = String::new();
        for word in words.collect::<String>().split_whitespace() {
            sentence += word;
            sentence.push(' ');
            if word.ends_with(['.', '?', '!']) {
                found.push(std::mem::take(&mut sentence));
            }
        }
        found.push(sentence);
    }
    found.retain(|sentence| sentence.split_whitespace().count() > 1);
    found
}

#[test]
fn running_text_is_at_most_two_hundred_columns_wide() {
    for name in documents() {
        for line in document(&name)
            .lines()
            .filter(|line| !line.starts_with('|'))
        {
            assert!(line.chars().count() <= 200, "{name}: {line}");
        }
    }
}

#[test]
fn the_glossary_has_each_word_once_and_in_order() {
    let page = document("docs/glossary.md");
    let rows = page.lines().filter(|line| line.starts_with("| ")).skip(1);
    let words: Vec<&str> = rows
        .map(|row| row.split('|').nth(1).unwrap().trim())
        .collect();
    assert!(words.len() > 40, "{words:?}");
    assert!(words.is_sorted_by(|word, next| word < next), "{words:?}");
}

/// Words that made readers stop and solve a sentence, each with a plain one that says the same.
const HARD_WORDS: [(&str, &str); 14] = [
    ("anew", "again"),
    ("by itself", "automatically"),
    ("by themselves", "automatically"),
    ("for people", "human-readable"),
    ("gone", "dead, ended or missing"),
    ("had by", "owned by"),
    ("leave away", "omit"),
    ("mend", "fix"),
    ("mended", "fixed"),
    ("no matter", "fine"),
    ("put away", "finalize"),
    ("client", "Claude Code"),
    ("clients", "Claude Code"),
    ("whoever", "the process that"),
];

#[test]
fn the_pages_are_in_short_sentences_and_plain_words() {
    assert!(document("README.md").lines().count() <= 230);
    let others = ["CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md"].map(str::to_owned);
    for page in pages().into_iter().chain(others) {
        let sentences = sentences(&document(&page));
        let mut lengths: Vec<usize> = Vec::new();
        for sentence in &sentences {
            let length = sentence.split_whitespace().count();
            assert!(length <= 25, "{page}: {length} words: {sentence}");
            lengths.push(length);
            for (hard, plain) in HARD_WORDS {
                let is_there = format!(
                    " {} ",
                    sentence.to_lowercase().replace([',', '.', ';', ':'], "")
                )
                .contains(&format!(" {hard} "));
                assert!(!is_there, "{page}: not `{hard}` but `{plain}`: {sentence}");
            }
        }
        lengths.sort_unstable();
        let median = lengths.get(lengths.len() / 2).copied();
        assert!(median <= Some(13), "{page}: a median of {median:?} words");
    }
}

#[test]
fn the_plugin_form_registers_what_an_install_would() {
    let hooks: Value = serde_json::from_str(&document("hooks/hooks.json")).unwrap();
    let hooks = hooks["hooks"].as_object().unwrap();
    // The plugin cannot choose by version; its README names the oldest client that it is for.
    let wanted = events_for(Some(Version(2, 1, 131)));
    assert_eq!(hooks.len(), wanted.len());
    for registration in wanted {
        let command = hooks[registration.event][0]["hooks"][0]["command"]
            .as_str()
            .unwrap();
        assert!(
            command.ends_with(&format!("/{}", registration.executable)),
            "{}",
            registration.event
        );
    }
}

#[test]
fn every_test_that_a_document_names_exists() {
    for name in ["ARCHITECTURE.md", "SECURITY.md"] {
        let text = document(name);
        let mut seen = 0;
        for named in text
            .split('`')
            .skip(1)
            .step_by(2)
            .filter(|code| code.contains("::") && !code.contains(' '))
        {
            let (module, test) = named.rsplit_once("::").unwrap();
            let path = Path::new(env!("CARGO_MANIFEST_DIR"))
                .join("tests/it")
                .join(format!("{}.rs", module.replace("::", "/")));
            let Ok(source) = fs::read_to_string(path) else {
                continue;
            };
            seen += 1;
            assert!(
                test == "*" || source.contains(&format!("fn {test}(")),
                "{name}: there is no test {named}"
            );
        }
        assert!(seen > 5, "{name}: {seen}");
    }
}

#[test]
fn every_attack_has_a_number_and_a_test() {
    let security = document("SECURITY.md");
    let rows: Vec<&str> = security
        .lines()
        .filter(|line| line.starts_with("| T"))
        .collect();
    assert!(rows.len() > 50, "{}", rows.len());
    for (index, row) in rows.iter().enumerate() {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let ["", number, attack, answer, tests, ""] = cells[..] else {
            panic!("{row}")
        };
        assert_eq!(number, format!("T{}", index + 1), "{row}");
        assert!(!attack.is_empty() && !answer.is_empty(), "{row}");
        assert!(tests.contains("::"), "{row}");
    }
}

#[test]
fn the_changelog_has_a_section_for_what_is_not_released() {
    assert!(document("CHANGELOG.md").contains("## Unreleased"));
}
