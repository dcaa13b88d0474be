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
use crate::model::duration;
use crate::setup::programs;
use crate::ship::destination::{Destination, Destinations};
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
    // A file that cannot be read at all is reported already.
    let destinations = Destinations::read(&context.places, &context.env).unwrap_or_default();
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
        let destinations: Vec<_> = destinations.usable.iter().map(as_json).collect();
        output::json(
            &json!({"v": 1, "places": places, "settings": settings, "destinations": destinations}),
        );
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
        if !destinations.usable.is_empty() {
            output::print(&format!("\n{}", table_of(&destinations.usable)));
        }
    }
    let complaints = loaded.complaints.iter().chain(&destinations.unknown);
    complaints.for_each(|complaint| output::complain(&complaint.to_string()));
    let wrong = destinations.wrong.iter();
    wrong.for_each(|(_, why)| output::complain(&why.to_string()));
    let bad = |complaint: &Complaint| !matches!(complaint, Complaint::UnknownKey { .. });
    let is_wrong = loaded.complaints.iter().any(bad) || !destinations.wrong.is_empty();
    Ok(if !is_wrong {
        Status::Done
    } else {
        Status::Failed
    })
}

fn table_of(destinations: &[Destination]) -> TextTable {
    let mut table = TextTable::new(&[
        "DESTINATION",
        "ENDPOINT",
        "PROTOCOL",
        "SENDS",
        "SPANS",
        "HEADERS",
        "COMPRESSION",
        "TIMEOUT",
    ]);
    for it in destinations {
        let is_otlp = !it.signals.is_empty();
        let signals: Vec<&str> = it.signals.iter().map(|signal| signal.name()).collect();
        table.row([
            it.name.clone(),
            it.endpoint.to_string(),
            it.protocol.name().to_owned(),
            if is_otlp {
                signals.join(",")
            } else {
                "events".to_owned()
            },
            if is_otlp { it.spans.name() } else { "" }.to_owned(),
            it.headers_file.as_deref().map(shown).unwrap_or_default(),
            it.compression.name().to_owned(),
            duration::text(it.timeout),
        ]);
    }
    table
}

fn as_json(it: &Destination) -> serde_json::Value {
    let signals: Vec<&str> = it.signals.iter().map(|signal| signal.name()).collect();
    json!({
        "name": it.name,
        "endpoint": it.endpoint.to_string(),
        "protocol": it.protocol.name(),
        "signals": signals,
        "spans": (!signals.is_empty()).then(|| it.spans.name()),
        "headers_file": it.headers_file.as_ref().map(|path| path.to_string_lossy()),
        "compression": it.compression.name(),
        "timeout": duration::text(it.timeout),
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
