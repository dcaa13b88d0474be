//! `ccsession config`: shows all paths and settings, and where each setting comes from.

use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::Args;
use serde_json::json;

use super::context::Context;
use super::output;
use super::status::Status;
use super::table::TextTable;
use crate::claude::dirs::claude_dir;
use crate::claude::retention::{self, Retention};
use crate::model::Config;
use crate::model::config::ConfigKey;
use crate::setup::programs;
use crate::store::config::{Complaint, load};
use crate::store::shown;

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  ccsession config\n  ccsession config --example > config.toml")]
pub(super) struct ConfigArgs {
    /// Print a commented configuration file
    #[arg(long, conflicts_with = "json")]
    pub(super) example: bool,
    /// Print one JSON object
    #[arg(long, short)]
    pub(super) json: bool,
}

pub(super) fn run(context: &Context, args: ConfigArgs) -> Result<Status> {
    if args.example {
        output::print(&example());
        return Ok(Status::Done);
    }
    let keeping = Retention::of_client(&context.env);
    let loaded = retention::settled(load(&context.places), &keeping);
    let places = places(context);
    if args.json {
        let path = |path: &Option<PathBuf>| {
            path.as_ref()
                .map(|path| path.to_string_lossy().into_owned())
        };
        let places: serde_json::Map<_, _> = places
            .iter()
            .map(|(name, p)| ((*name).to_owned(), json!(path(p))))
            .collect();
        let setting = |(key, source): &(ConfigKey, _)| {
            let source: &crate::store::config::ConfigSource = source;
            json!({"key": key.name(), "value": loaded.config.get(*key), "source": source.to_string()})
        };
        let settings: Vec<_> = loaded.sources.iter().map(setting).collect();
        output::json(&json!({"v": 1, "places": places, "settings": settings}));
    } else {
        let mut table = TextTable::new(&["PLACE", "PATH"]);
        for (name, path) in &places {
            table.row([
                (*name).to_owned(),
                path.as_deref().map_or("-".to_owned(), shown),
            ]);
        }
        let mut settings = TextTable::new(&["SETTING", "VALUE", "FROM"]);
        for (key, source) in &loaded.sources {
            settings.row([
                key.name().to_owned(),
                loaded.config.get(*key),
                source.to_string(),
            ]);
        }
        output::print(&format!("{table}\n{settings}"));
    }
    loaded
        .complaints
        .iter()
        .for_each(|complaint| output::complain(&complaint.to_string()));
    let bad = |complaint: &Complaint| !matches!(complaint, Complaint::UnknownKey { .. });
    Ok(if !loaded.complaints.iter().any(bad) {
        Status::Done
    } else {
        Status::Failed
    })
}

fn places(context: &Context) -> Vec<(&'static str, Option<PathBuf>)> {
    let places = &context.places;
    vec![
        ("state", places.state.clone()),
        ("pointers", Some(places.pointers.clone())),
        ("config", places.config.clone()),
        ("program", programs::own().ok()),
        ("hooks", programs::hooks_dir(&context.env).ok()),
        (
            "claude",
            claude_dir(&context.env).as_deref().map(Path::to_owned),
        ),
    ]
}

fn example() -> String {
    let defaults = Config::default();
    let mut text = String::from(
        "# ccsession's configuration. Every line shows the default; remove the # to change it.\n",
    );
    for key in ConfigKey::ALL {
        let value = defaults.get(key);
        let quoted = if key == ConfigKey::Exclude {
            "[]".to_owned()
        } else if value.parse::<bool>().is_ok() || value.parse::<u64>().is_ok() {
            value
        } else {
            format!("\"{value}\"")
        };
        text.push_str(&format!(
            "\n# {}\n# In the environment: {}\n# {} = {quoted}\n",
            key.help(),
            key.variable(),
            key.name()
        ));
    }
    text
}
