//! `ccsession current`: which session is this.

use anyhow::Result;
use serde::Serialize;
use serde_json::{Value, json};

use super::args::CurrentArgs;
use super::context::Context;
use super::output;
use super::status::{Status, refusal};
use crate::hook;
use crate::identity::ladder::{
    About, Answer, Candidate, Question, Rung, Sight, Step, Trust, last_of_project, project_here,
    resolve,
};
use crate::model::id::UNKNOWN;
use crate::model::{Project, ProjectName, SessionId};
use crate::store::project;

pub(super) fn run(context: &Context, args: CurrentArgs) -> Result<Status> {
    let config = context.config()?;
    let (state, fault) = context.state_or_fault();
    let sight = Sight {
        env: &context.env,
        places: &context.places,
        config: &config,
        state: state.as_ref(),
        state_fault: fault.as_ref(),
        now: context.now,
    };
    let mut answer = if args.last {
        let project = match &args.project {
            Some(path) => project::existing(path)?,
            None => project_here(&context.env, None)?,
        };
        last(last_of_project(&sight, &project), project)
    } else {
        resolve(&sight, &question(&args)?)
    };
    if args.guess && answer.trust == Trust::Ambiguous {
        answer.id = answer
            .candidates
            .first()
            .map(|candidate| candidate.session_id.clone());
    }
    print(&args, &answer);
    Ok(if args.strict {
        strict(&answer)
    } else {
        Status::Done
    })
}

fn question(args: &CurrentArgs) -> Result<Question> {
    let about = match (&args.name, &args.project) {
        (Some(name), _) => About::Name(ProjectName::new(name.clone())),
        (None, Some(path)) => About::Project(project::existing(path)?),
        (None, None) => About::Here,
    };
    let explicit = args.session.as_deref().map(valid).transpose()?;
    let payload = if args.hook_input {
        hook::session_id_on_stdin()
    } else {
        None
    };
    Ok(Question {
        explicit,
        payload,
        about,
    })
}

/// An explicit id that is malformed is an error, not a reason to look elsewhere.
pub(super) fn valid(text: &str) -> Result<SessionId> {
    let shown = crate::model::text::escaped(text);
    text.parse().map_err(|why| {
        refusal(
            Status::Usage,
            format!("could not use `{shown}` as a session id: {why}"),
        )
    })
}

fn last(id: Option<SessionId>, project: Project) -> Answer {
    let saw = id
        .as_ref()
        .map_or("no session of this project is on record".to_owned(), |id| {
            format!("{id}, the last one")
        });
    let (rung, trust) = if id.is_some() {
        (Rung::Project, Trust::LastKnown)
    } else {
        (Rung::Unknown, Trust::None)
    };
    let steps = vec![Step {
        rung: Rung::Project,
        saw,
    }];
    Answer {
        id,
        rung,
        trust,
        project: Some(project),
        candidates: Vec::new(),
        steps,
    }
}

fn strict(answer: &Answer) -> Status {
    match answer.trust {
        Trust::Exact => Status::Done,
        Trust::Ambiguous => Status::Ambiguous,
        Trust::LastKnown => Status::LastKnown,
        Trust::None => Status::NotFound,
    }
}

fn print(args: &CurrentArgs, answer: &Answer) {
    let shown = answer.id.as_ref().map_or(UNKNOWN, SessionId::as_str);
    if args.json {
        return output::json(&as_json(answer, args.explain));
    }
    if args.explain {
        let steps = answer
            .steps
            .iter()
            .map(|step| format!("{:<12}{}\n", step.rung.as_str(), step.saw));
        let text: String = steps.collect();
        return output::print(&format!(
            "{text}{:<12}{shown} ({})\n",
            "answer",
            trust(answer.trust)
        ));
    }
    output::line(shown);
    if answer.trust == Trust::Ambiguous && !args.guess && output::are_warnings_for_people() {
        output::warn("several sessions are live in this project; --guess takes the first:");
        answer
            .candidates
            .iter()
            .for_each(|candidate| output::warn(candidate.session_id.as_str()));
    }
}

/// The answer as `--json` has it.
#[derive(Serialize)]
struct Printed<'a> {
    v: u64,
    session_id: Option<&'a SessionId>,
    rung: Rung,
    trust: Trust,
    project: Option<PrintedProject>,
    candidates: &'a [Candidate],
    #[serde(skip_serializing_if = "Option::is_none")]
    steps: Option<&'a [Step]>,
}

#[derive(Serialize)]
struct PrintedProject {
    name: String,
    root: String,
}

fn as_json(answer: &Answer, explain: bool) -> Value {
    let project = |project: &Project| PrintedProject {
        name: project.name().display(),
        root: project.root().to_string_lossy().into_owned(),
    };
    json!(Printed {
        v: 1,
        session_id: answer.id.as_ref(),
        rung: answer.rung,
        trust: answer.trust,
        project: answer.project.as_ref().map(project),
        candidates: &answer.candidates,
        steps: explain.then_some(answer.steps.as_slice()),
    })
}

fn trust(trust: Trust) -> &'static str {
    match trust {
        Trust::Exact => "exact",
        Trust::Ambiguous => "ambiguous",
        Trust::LastKnown => "last known",
        Trust::None => "nothing is known",
    }
}
