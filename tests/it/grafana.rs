//! The dashboards in contrib/grafana: they ask only for metrics and columns that exist.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::support::recordings::play;

fn file(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap()
}

fn dashboard(name: &str) -> Value {
    serde_json::from_str(&file(&format!("contrib/grafana/{name}.json"))).unwrap()
}

/// The queries of a dashboard: each with the title of its panel.
fn queries(dashboard: &Value, member: &str) -> Vec<(String, String)> {
    let mut queries = Vec::new();
    for panel in dashboard["panels"].as_array().unwrap() {
        let title = panel["title"].as_str().unwrap();
        for target in panel["targets"].as_array().unwrap() {
            let query = target[member].as_str().unwrap();
            queries.push((title.to_owned(), query.to_owned()));
        }
    }
    queries
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    text.split(move |c| !is_part(c))
        .filter(|word| !word.is_empty())
}

/// The metrics that `metrics --prometheus` prints, each with its labels.
fn metrics() -> BTreeMap<String, BTreeSet<String>> {
    let printed = play("c").ccsession(["metrics", "--prometheus"]).stdout();
    let mut metrics: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for line in printed.lines().filter(|line| !line.starts_with('#')) {
        let (name, rest) = line.split_at(line.find(['{', ' ']).unwrap());
        let labels = metrics.entry(name.to_owned()).or_default();
        if let Some((pairs, _)) = rest.strip_prefix('{').and_then(|it| it.rsplit_once('}')) {
            let pairs = pairs.split("\",").filter_map(|pair| pair.split_once("=\""));
            labels.extend(pairs.map(|(label, _)| label.to_owned()));
        }
    }
    metrics
}

#[test]
fn every_metric_and_label_of_the_dashboard_is_printed() {
    let metrics = metrics();
    let dashboard = dashboard("metrics");
    let mut queries = queries(&dashboard, "expr");
    let variable = &dashboard["templating"]["list"][1]["query"]["query"];
    queries.push(("instance".to_owned(), variable.as_str().unwrap().to_owned()));
    let mut asked = BTreeSet::new();
    for (title, query) in &queries {
        let names = words(query).filter(|word| word.starts_with("ccsession_"));
        let names: Vec<&str> = names.collect();
        assert!(!names.is_empty(), "{title}");
        let mut known = BTreeSet::from(["instance"]);
        for name in names {
            let labels = metrics.get(name);
            let labels = labels.unwrap_or_else(|| panic!("{title}: {name} is not printed"));
            known.extend(labels.iter().map(String::as_str));
            asked.insert(name);
        }
        for by in query.split("by (").skip(1) {
            for label in words(by.split(')').next().unwrap()) {
                assert!(known.contains(label), "{title}: {label}");
            }
        }
        for selector in query.split('{').skip(1) {
            for pair in selector.split('}').next().unwrap().split(',') {
                let label = words(pair).next().unwrap();
                assert!(known.contains(label), "{title}: {label}");
            }
        }
    }
    // A share and a mean need two; the ages beside the oldest need no picture.
    assert!(asked.len() >= 14, "{asked:?}");
}

#[test]
fn the_dashboard_over_the_tables_asks_the_ten_questions() {
    let mut files: Vec<_> =
        fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("contrib/clickhouse/questions"))
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
    files.sort();
    let queries = queries(&dashboard("tables"), "rawSql");
    assert_eq!(queries.len(), files.len());
    for ((title, query), file) in queries.iter().zip(files) {
        let text = fs::read_to_string(&file).unwrap();
        let (heading, asked) = text.split_once('\n').unwrap();
        assert_eq!(query, asked.trim(), "{}", file.display());
        assert!(heading.contains(title.as_str()), "{title}");
    }
}
