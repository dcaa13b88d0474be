//! Finds the programs that a hook's command line runs, as far as its text shows. Knows words,
//! quotes, some variables, and programs that run other programs. Pure: this module reads no file
//! and runs nothing.

/// Words of the shell that may precede a command.
const KEYWORDS: [&str; 10] = [
    "!", "{", "}", "if", "then", "else", "elif", "do", "while", "until",
];

/// Commands that run no other program.
const IDLE: [&str; 12] = [
    ":", "true", "false", "exit", "cd", "export", "test", "[", "fi", "done", "set", "umask",
];

/// Programs that run the command among their own arguments.
const WRAPPERS: [&str; 20] = [
    "builtin",
    "caffeinate",
    "chronic",
    "chrt",
    "command",
    "doas",
    "env",
    "exec",
    "flock",
    "ionice",
    "nice",
    "nohup",
    "setpriv",
    "setsid",
    "stdbuf",
    "sudo",
    "systemd-run",
    "taskset",
    "time",
    "timeout",
];

/// Shells that run the text after `-c`.
const SHELLS: [&str; 7] = ["ash", "bash", "dash", "fish", "ksh", "sh", "zsh"];

/// How many levels of nested shells are examined.
const MAX_DEPTH: u8 = 4;

/// The variables that a command line may use.
pub(super) trait Variables {
    /// Returns the value of a variable, or `None` if it is unknown.
    fn value(&self, name: &str) -> Option<String>;
}

/// Returns the words of each command in `line`, the program first. Drops keywords and assignments
/// before the program, and replaces a shell by the commands of its script. Other wrappers stay.
pub(super) fn commands(line: &str, variables: &dyn Variables) -> Vec<Vec<String>> {
    read(line, variables, MAX_DEPTH)
}

fn read(line: &str, variables: &dyn Variables, depth: u8) -> Vec<Vec<String>> {
    let simple = CommandWords::new(line, variables).commands();
    let mut found = Vec::new();
    for words in simple {
        let words = without_prefix(words);
        let Some(program) = words.first() else {
            continue;
        };
        let script = SHELLS
            .contains(&base(program))
            .then(|| script(&words))
            .flatten();
        match script {
            Some(script) if depth > 0 => found.extend(read(&script, variables, depth - 1)),
            _ => found.push(words),
        }
    }
    found
}

/// Returns the last component of a path.
pub(super) fn base(program: &str) -> &str {
    program.rsplit('/').next().unwrap_or(program)
}

/// Returns whether a command of this name runs no program.
pub(super) fn is_idle(program: &str) -> bool {
    IDLE.contains(&program)
}

/// Returns whether a program runs one of its arguments as a command.
pub(super) fn is_wrapper(program: &str) -> bool {
    WRAPPERS.contains(&base(program)) || SHELLS.contains(&base(program))
}

fn without_prefix(words: Vec<String>) -> Vec<String> {
    let is_prefix = |word: &String| KEYWORDS.contains(&word.as_str()) || is_assignment(word);
    words.into_iter().skip_while(is_prefix).collect()
}

fn is_assignment(word: &str) -> bool {
    let Some((name, _)) = word.split_once('=') else {
        return false;
    };
    let mut bytes = name.bytes();
    let starts = bytes
        .next()
        .is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'_');
    starts && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// Returns the text after `-c`, which a shell runs.
fn script(words: &[String]) -> Option<String> {
    let mut words = words.iter().skip(1);
    let is_c =
        |word: &String| word.starts_with('-') && !word.starts_with("--") && word.ends_with('c');
    words.find(|word| is_c(word))?;
    words.next().cloned()
}

/// Splits a line into words, command by command.
struct CommandWords<'a> {
    chars: std::iter::Peekable<std::str::Chars<'a>>,
    variables: &'a dyn Variables,
    commands: Vec<Vec<String>>,
    command: Vec<String>,
    word: Option<String>,
    /// True if the next word is the target of a redirection.
    is_target: bool,
}

impl<'a> CommandWords<'a> {
    fn new(line: &'a str, variables: &'a dyn Variables) -> Self {
        Self {
            chars: line.chars().peekable(),
            variables,
            commands: Vec::new(),
            command: Vec::new(),
            word: None,
            is_target: false,
        }
    }

    fn commands(mut self) -> Vec<Vec<String>> {
        while let Some(char) = self.chars.next() {
            match char {
                ' ' | '\t' => self.end_word(),
                '\n' | ';' | '&' | '|' | '(' | ')' => self.end_command(char),
                '<' | '>' => {
                    let is_descriptor = |word: &String| word.bytes().all(|it| it.is_ascii_digit());
                    if self.word.as_ref().is_some_and(is_descriptor) {
                        self.word = None;
                    }
                    self.end_word();
                    while self.chars.next_if(|next| "<>&|".contains(*next)).is_some() {}
                    self.is_target = true;
                }
                '#' if self.word.is_none() => {
                    while self.chars.next_if(|next| *next != '\n').is_some() {}
                }
                '\'' => {
                    let word = self.word.get_or_insert_default();
                    word.extend(self.chars.by_ref().take_while(|next| *next != '\''));
                }
                '"' => self.double_quoted(),
                '\\' => {
                    if let Some(next) = self.chars.next().filter(|next| *next != '\n') {
                        self.push(next);
                    }
                }
                '$' => self.variable(),
                '~' if self.word.is_none() => self.tilde(),
                other => self.push(other),
            }
        }
        self.end_command('\n');
        self.commands
    }

    fn push(&mut self, char: char) {
        self.word.get_or_insert_default().push(char);
    }

    fn double_quoted(&mut self) {
        self.word.get_or_insert_default();
        while let Some(char) = self.chars.next() {
            match char {
                '"' => return,
                '\\' => {
                    let next = self.chars.next_if(|next| "$`\"\\\n".contains(*next));
                    match next {
                        Some('\n') => {}
                        Some(next) => self.push(next),
                        None => self.push('\\'),
                    }
                }
                '$' => self.variable(),
                other => self.push(other),
            }
        }
    }

    fn variable(&mut self) {
        let mut name = String::new();
        let mut default = None;
        if self.chars.next_if_eq(&'{').is_some() {
            let inside: String = self
                .chars
                .by_ref()
                .take_while(|next| *next != '}')
                .collect();
            let end = inside.find(|it: char| !it.is_ascii_alphanumeric() && it != '_');
            let (before, after) = inside.split_at(end.unwrap_or(inside.len()));
            name.push_str(before);
            let after = after.strip_prefix(':').unwrap_or(after);
            default = after.strip_prefix('-').map(str::to_owned);
        } else {
            let is_name = |next: &char| next.is_ascii_alphanumeric() || *next == '_';
            while let Some(next) = self.chars.next_if(is_name) {
                name.push(next);
            }
        }
        if name.is_empty() {
            return self.push('$');
        }
        let value = self.variables.value(&name).or_else(|| {
            let default = default?;
            let words = CommandWords::new(&default, self.variables).commands();
            words.into_iter().flatten().next()
        });
        // Keep the name of an unknown variable, because the rest of the word is still useful.
        let value = value.unwrap_or_else(|| format!("${name}"));
        self.word.get_or_insert_default().push_str(&value);
    }

    /// Reads a tilde. It means the home directory only if the word ends there or a slash follows.
    fn tilde(&mut self) {
        let is_home = matches!(
            self.chars.peek(),
            None | Some('/' | ' ' | '\t' | ';' | '&' | '|')
        );
        match self.variables.value("HOME").filter(|_| is_home) {
            Some(home) => self.word.get_or_insert_default().push_str(&home),
            None => self.push('~'),
        }
    }

    fn end_word(&mut self) {
        let Some(word) = self.word.take() else {
            return;
        };
        if !std::mem::take(&mut self.is_target) {
            self.command.push(word);
        }
    }

    fn end_command(&mut self, by: char) {
        // The `&` of `2>&1` belongs to the redirection. It does not put a command into the
        // background.
        if by == '&' && self.is_target && self.word.is_none() {
            return;
        }
        self.end_word();
        let command = std::mem::take(&mut self.command);
        if !command.is_empty() {
            self.commands.push(command);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use proptest::prelude::*;

    use super::*;
    use crate::claude::commands::quoted;

    struct HomeOnly;

    impl Variables for HomeOnly {
        fn value(&self, name: &str) -> Option<String> {
            (name == "HOME").then(|| "/home/dev".to_owned())
        }
    }

    #[track_caller]
    fn check(line: &str, expected: &[&[&str]]) {
        assert_eq!(commands(line, &HomeOnly), expected, "{line}");
    }

    #[test]
    fn a_program_is_found_however_it_is_written() {
        for line in [
            "/home/dev/x",
            "$HOME/x",
            "${HOME}/x",
            "~/x",
            "\"$HOME/x\"",
            "\"$HOME\"/x",
            "'/home/dev/x'",
            "/home/dev/\\x",
            "A=b $HOME/x",
            "A='b c' B= $HOME/x",
            "sh -c '$HOME/x'",
            "bash -lc \"~/x\"",
            "/bin/sh -ec 'A=b ~/x'",
            "${NOWHERE:-$HOME}/x",
            "$HOME/x >/dev/null 2>&1",
            "$HOME/x </dev/null # a comment",
            "( ~/x )",
            "{ ~/x; }",
        ] {
            check(line, &[&["/home/dev/x"]]);
        }
    }

    #[test]
    fn every_command_of_a_line_is_found() {
        check("a && b || true", &[&["a"], &["b"], &["true"]]);
        check("a | b; c & d\ne", &[&["a"], &["b"], &["c"], &["d"], &["e"]]);
        check(
            "if [ -x ~/x ]; then ~/x; fi",
            &[&["[", "-x", "/home/dev/x", "]"], &["/home/dev/x"], &["fi"]],
        );
        check("nice -n 5 ~/x", &[&["nice", "-n", "5", "/home/dev/x"]]);
        check("node ~/x.js", &[&["node", "/home/dev/x.js"]]);
    }

    #[test]
    fn unknown_syntax_stays_as_written() {
        check("$ELSEWHERE/x", &[&["$ELSEWHERE/x"]]);
        check("a~/x ~you/x '~/x' $", &[&["a~/x", "~you/x", "~/x", "$"]]);
        check("", &[]);
        check("'open", &[&["open"]]);
    }

    proptest! {
        #[test]
        fn any_line_is_read_without_a_panic(line in any::<String>(), more in "[a-z ~$'\"\\\\;&|(){}<>=#-]{0,40}") {
            let _ = commands(&line, &HomeOnly);
            let _ = commands(&more, &HomeOnly);
        }

        #[test]
        fn a_quoted_word_is_one_word(word in any::<String>().prop_filter("empty", |it| !it.is_empty() && !it.contains("${"))) {
            prop_assert_eq!(commands(&format!("a {}", quoted(&word)), &HomeOnly), vec![vec!["a".to_owned(), word]]);
        }
    }

    #[test]
    fn a_shell_reads_words_as_we_do() {
        for line in [
            "a 'b c' d\\ e \"f $HOME\"",
            "a \"\\$x\" '$y' b''c",
            "a ~/b \"~/c\" d#e",
        ] {
            let script = format!("a() {{ printf '%s\\n' a \"$@\"; }}; {line}");
            #[expect(
                clippy::disallowed_methods,
                reason = "the shell says how it reads words"
            )]
            let output = Command::new("sh")
                .env("HOME", "/home/dev")
                .args(["-c", &script])
                .output()
                .unwrap();
            let said = String::from_utf8(output.stdout).unwrap();
            let words: Vec<&str> = said.lines().collect();
            check(line, &[&words]);
        }
    }
}
