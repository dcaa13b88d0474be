//! `ccsession doctor`: checks the installation, and prints what is wrong and how to fix it.

use anyhow::Result;
use clap::Args;
use serde_json::json;

use super::context::Context;
use super::output;
use super::status::Status;
use crate::setup::doctor::{Finding, Grade, examine};

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  ccsession doctor")]
pub(super) struct DoctorArgs {
    /// Print one JSON object
    #[arg(long, short)]
    pub(super) json: bool,
}

pub(super) fn run(context: &Context, args: DoctorArgs) -> Result<Status> {
    let findings = examine(&context.env, &context.places, context.now);
    let faulty = findings.iter().any(|finding| finding.grade == Grade::Fault);
    if args.json {
        output::json(&json!({"v": 1, "ok": !faulty, "findings": findings}));
    } else {
        let text: String = findings.iter().map(as_text).collect();
        output::print(&text);
    }
    Ok(if faulty { Status::Fault } else { Status::Done })
}

fn as_text(finding: &Finding) -> String {
    let mark = match finding.grade {
        Grade::Ok => "ok   ",
        Grade::Note => "note ",
        Grade::Fault => "FAULT",
    };
    let remedy = finding
        .remedy
        .as_ref()
        .map(|remedy| format!("      remedy: {remedy}\n"))
        .unwrap_or_default();
    format!("{mark} {}: {}\n{remedy}", finding.check, finding.found)
}
