//! Who said what: nothing that a person typed is missing from an archive's text, and nothing that the client wrote appears
//! as a person's.

use std::fs;

use serde_json::{Value, json};

use crate::support::archives::{begun, clock_out, write};
use crate::support::{ID, Sandbox};

/// A transcript that is being written: each record follows the one before.
#[derive(Default)]
struct Transcript {
    lines: Vec<String>,
    parent: Value,
    count: usize,
}

impl Transcript {
    /// Writes a record with an id, a parent and a time.
    fn record(&mut self, kind: &str, more: Value) -> &mut Self {
        self.count += 1;
        let uuid = format!("u-{}", self.count);
        let mut record = json!({"type": kind, "sessionId": ID, "uuid": uuid, "parentUuid": self.parent,
            "timestamp": format!("2026-11-20T12:{:02}:{:02}.000Z", self.count / 60, self.count % 60)});
        record
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        self.parent = uuid.into();
        self.lines.push(record.to_string());
        self
    }

    fn user(&mut self, content: impl Into<Value>) -> &mut Self {
        self.record(
            "user",
            json!({"message": {"role": "user", "content": content.into()}}),
        )
    }

    fn model(&mut self, text: &str) -> &mut Self {
        let content = json!([{"type": "text", "text": text}]);
        self.record(
            "assistant",
            json!({"message": {"role": "assistant", "model": "opus", "content": content}}),
        )
    }

    fn queue(&mut self, operation: &str, more: Value) -> &mut Self {
        let mut record =
            json!({"type": "queue-operation", "operation": operation, "sessionId": ID});
        record
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        self.lines.push(record.to_string());
        self
    }

    fn attached(&mut self, prompt: Value, mode: &str) -> &mut Self {
        let attachment = json!({"type": "queued_command", "prompt": prompt, "commandMode": mode});
        self.record("attachment", json!({"attachment": attachment}))
    }

    fn result(&mut self, content: Value, is_error: bool, details: Value) -> &mut Self {
        let content = json!([{"type": "tool_result", "tool_use_id": "t", "content": content, "is_error": is_error}]);
        self.record(
            "user",
            json!({"message": {"role": "user", "content": content}, "toolUseResult": details}),
        )
    }

    /// The messages of the archive's text, without head and end.
    fn text(&self, more: &[&str]) -> String {
        let sandbox = Sandbox::archiving();
        let transcript = begun(&sandbox, json!({}));
        write(&transcript, self.lines.join("\n") + "\n");
        let text = fs::read_to_string(clock_out(&sandbox, more)).unwrap();
        let (_, body) = text.split_once("\n\n").unwrap();
        let (body, _) = body
            .rsplit_once(&format!("{}\nEnd of session", "=".repeat(80)))
            .unwrap();
        body.to_owned()
    }

    #[track_caller]
    fn check(&self, expected: &[(&str, &str)]) {
        let block = |(who, text): &(&str, &str)| match text.is_empty() {
            true => format!("[{who}]\n\n"),
            false => format!("[{who}]\n{text}\n\n"),
        };
        assert_eq!(
            self.text(&[]),
            expected.iter().map(block).collect::<String>()
        );
    }
}

#[test]
fn what_was_typed_while_the_model_worked_is_there_once() {
    let typed = |text: &str| json!({"content": text});
    let mut it = Transcript::default();
    it.user("build it");
    // Attached, before or behind what the queue says of it.
    it.queue("enqueue", typed("use grammar A"))
        .attached(json!("use grammar A"), "prompt")
        .queue("remove", typed("use grammar A"));
    let absorbed = |text: &str| json!({"content": text, "reason": "absorbed_mid_turn"});
    it.queue("enqueue", typed("name it B"))
        .queue("remove", absorbed("name it B"))
        .attached(
            json!([{"type": "text", "text": "name it B"}, {"type": "image", "source": {}}]),
            "prompt",
        );
    // Only in the queue, of a new client and of an old one.
    it.queue("enqueue", typed("and C"))
        .queue("remove", absorbed("and C"));
    it.queue("enqueue", typed("and D"))
        .queue(
            "enqueue",
            typed("<task-notification>\n<summary>E</summary>\n</task-notification>"),
        )
        .queue("remove", json!({}));
    it.attached(
        json!("<task-notification>\n<summary>E</summary>\n</task-notification>"),
        "task-notification",
    )
    .queue("remove", json!({}));
    it.attached(json!("ls"), "bash");
    // What is taken becomes a message of its own, and what is withdrawn was never said.
    it.queue("enqueue", typed("then F"))
        .queue("dequeue", json!({}))
        .user("then F");
    it.queue("enqueue", typed("oh no"))
        .queue("popAll", typed("oh no"));
    it.queue("enqueue", typed("never heard")).model("Done.");
    it.check(&[
        ("user", "build it"),
        ("user", "use grammar A"),
        ("user", "name it B\n[image]"),
        ("user", "and C"),
        ("user", "and D"),
        ("notice", "E"),
        ("user", "! ls"),
        ("user", "then F"),
        ("user", "never heard"),
        ("assistant", "Done."),
    ]);
}

#[test]
fn what_the_client_writes_as_the_user_is_not_shown_as_the_users() {
    let mut it = Transcript::default();
    it.user("<command-name>/model</command-name>\n<command-args>opus</command-args>");
    it.user("<local-command-stdout>Set model</local-command-stdout>");
    it.user("<bash-input>ls</bash-input>")
        .user("<bash-stdout>a.txt</bash-stdout><bash-stderr></bash-stderr>");
    it.record(
        "user",
        json!({"isMeta": true, "message": {"content": "told to the model"}}),
    );
    it.record(
        "user",
        json!({"isCompactSummary": true, "message": {"content": "So far: all."}}),
    );
    it.record(
        "user",
        json!({"origin": {"kind": "task-notification"}, "message": {"content": "it ended"}}),
    );
    it.record(
        "user",
        json!({"sourceToolUseID": "t", "message": {"content": "of a skill"}}),
    );
    it.record(
        "system",
        json!({"subtype": "local_command", "content": "<command-name>/theme</command-name>"}),
    );
    it.user(json!([{"type": "text", "text": "<ide_opened_file>a.rs</ide_opened_file>"}, {"type": "text", "text": "what is it?"}]));
    it.record("assistant", json!({"isApiErrorMessage": true, "message": {"model": "<synthetic>", "content": [{"type": "text", "text": "API Error: 500"}]}}));
    it.model("(no content)").model("A file.");
    it.user(json!([{"type": "text", "text": "[Request interrupted by user]"}]));
    it.user("why does it print <bash-stdout>?");
    it.check(&[
        ("user", "/model opus"),
        ("user", "! ls"),
        ("summary", "So far: all."),
        ("notice", "it ended"),
        ("notice", "of a skill"),
        ("user", "/theme"),
        ("user", "what is it?"),
        ("notice", "API Error: 500"),
        ("assistant", "A file."),
        ("notice", "Request interrupted by user"),
        ("user", "why does it print <bash-stdout>?"),
    ]);
    let with_tools = it.text(&["--tools"]);
    assert!(with_tools.contains("[output]\na.txt\n"), "{with_tools}");
}

#[test]
fn the_words_of_a_refusal_an_answer_and_a_changed_plan_are_there() {
    let no = "The user doesn't want to proceed with this tool use. The tool use was rejected (eg. if it was a file edit, the new_string was NOT written to the file).";
    let mut it = Transcript::default();
    it.user("plan it");
    it.result(json!(format!("{no} To tell you how to proceed, the user said:\nuse queue A\n\nNote: The user's next message may contain a correction.")), true, json!("Error"));
    it.result(
        json!(format!(
            "{no} The user provided the following reason for the rejection:  not yet"
        )),
        true,
        json!("Error"),
    );
    it.result(
        json!(format!("{no} STOP what you are doing")),
        true,
        json!("Error"),
    );
    it.result(json!(format!("{no} To tell you how to proceed, the user said:\nThe user wants to clarify these questions.\n\nQuestions asked:\n- \"How?\"\n  Answer: slowly")), true, json!("Error"));
    let answers = json!({"questions": [], "answers": {"Which?": "that one", "And?": ["a", "b"]}, "annotations": {"Which?": {"notes": "soon"}}});
    it.result(json!("User has answered your questions: …"), false, answers);
    it.result(json!("User has answered your questions: \"Why?\"=\"because\". You can now continue with the user's answers in mind."), false, json!("text"));
    it.result(json!("Your questions have been answered: \"Who?\"=\"Ada\". You can now continue with these answers in mind."), false, json!("text"));
    it.result(
        json!("The user answered: \"When?\"=\"now\". Read the answers carefully"),
        false,
        json!("text"),
    );
    it.result(
        json!("User has approved your plan.\n\n## Approved Plan (edited by user):\n1. mine"),
        false,
        json!({}),
    );
    // What a tool prints is nobody's word, whatever it is.
    it.result(json!(format!("{no} the user said: x")), false, json!({}));
    it.result(
        json!("grep: User has answered your questions: no"),
        false,
        json!({"stdout": "answers"}),
    );
    it.check(&[
        ("user", "plan it"),
        ("user", "use queue A"),
        ("user", "not yet"),
        ("user", "slowly"),
        ("user", "And? a, b\nWhich? that one (soon)"),
        ("user", "\"Why?\"=\"because\""),
        ("user", "\"Who?\"=\"Ada\""),
        ("user", "\"When?\"=\"now\""),
        ("user", "1. mine"),
    ]);
}

#[test]
fn images_and_documents_are_named_in_the_text() {
    let image = json!({"type": "image", "source": {"type": "base64", "data": "A".repeat(5000)}});
    let mut it = Transcript::default();
    it.user(json!([image, {"type": "text", "text": "what is this?"}, {"type": "document", "source": {}}]));
    it.result(json!([image, {"type": "tool_reference", "tool_name": "X"}, {"type": "text", "text": "end"}]), false, json!({}));
    it.check(&[("user", "[image]\nwhat is this?\n[document]")]);
    assert!(
        it.text(&["--tools"])
            .contains("[tool result]\n[image]\n[tool_reference]\nend\n")
    );
}

const LEFT: &str = "rewound: what follows was abandoned";
const LEFT_END: &str = "end of what was abandoned";

#[test]
fn what_the_user_rewound_is_marked() {
    let mut it = Transcript::default();
    it.user("question").model("answer");
    let fork = it.parent.clone();
    it.user("wrong")
        .model("wrong answer")
        .result(json!("x"), false, json!({}));
    it.parent = fork.clone();
    it.user("wrong again");
    it.parent = fork;
    it.user("right").model("right answer");
    it.check(&[
        ("user", "question"),
        ("assistant", "answer"),
        (LEFT, ""),
        ("user", "wrong"),
        ("assistant", "wrong answer"),
        ("user", "wrong again"),
        (LEFT_END, ""),
        ("user", "right"),
        ("assistant", "right answer"),
    ]);
    let mut it = Transcript::default();
    it.user("wrong").model("wrong answer");
    it.parent = Value::Null;
    it.user("right").model("right answer");
    it.check(&[
        (LEFT, ""),
        ("user", "wrong"),
        ("assistant", "wrong answer"),
        (LEFT_END, ""),
        ("user", "right"),
        ("assistant", "right answer"),
    ]);
}

/// Parallel results, a retry, a compaction, a subagent in an old client's transcript, a command that the client answers.
#[test]
fn branches_that_are_not_rewinds_are_not_marked() {
    let mut it = Transcript::default();
    it.user("question").model("one");
    let first = it.parent.clone();
    it.model("two");
    let second = it.parent.clone();
    it.parent = first;
    it.result(json!("a"), false, json!({}));
    it.parent = second.clone();
    it.result(json!("b"), false, json!({}));
    it.parent = second;
    it.model("three, again")
        .user("<command-name>/cost</command-name>");
    it.parent = "u-6".into();
    it.user("next");
    it.record(
        "user",
        json!({"isSidechain": true, "parentUuid": null, "message": {"content": "of a subagent"}}),
    );
    let last = it.parent.clone();
    it.record(
        "system",
        json!({"subtype": "compact_boundary", "parentUuid": null, "logicalParentUuid": last}),
    );
    it.user("after").model("end");
    let text = it.text(&[]);
    assert!(!text.contains("abandoned"), "{text}");
    // Nor where nothing tells what follows what.
    let mut it = Transcript::default();
    for _ in 0..3 {
        it.parent = Value::Null;
        it.user("alone");
        it.parent = Value::Null;
        it.model("alone, too");
    }
    assert!(!it.text(&[]).contains("abandoned"));
}

#[test]
fn a_rewind_is_seen_although_the_clock_was_set_back() {
    let mut it = Transcript::default();
    it.user("first").model("yes");
    let (at, count) = (it.parent.clone(), it.count);
    it.count = 1000;
    it.user("wrong").model("no");
    it.parent = at;
    it.count = count;
    it.user("right").model("done");
    let left = "[rewound: what follows was abandoned]\n\n[user]\nwrong\n";
    let text = it.text(&[]);
    assert!(text.contains(left), "{text}");
    assert!(
        text.ends_with("[user]\nright\n\n[assistant]\ndone\n\n"),
        "{text}"
    );
}
