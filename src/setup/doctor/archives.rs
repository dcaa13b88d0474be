//! Reports whether ended sessions are archived, and how many of them are.

use super::Finding;
use crate::archive::known;
use crate::claude::retention::{self, Retention};
use crate::claude::transcript;
use crate::identity::liveness::Judge;
use crate::model::config::ConfigKey;
use crate::store::archive::Archives;
use crate::store::config::LoadedConfig;
use crate::store::processors::on_all_processors;
use crate::store::{Host, StateDir};

/// How many ended sessions there are.
#[derive(Debug, Default, PartialEq, Eq)]
struct EndedSessions {
    all: u64,
    /// How many ended sessions have an archive.
    archived: u64,
    /// How many ended sessions have neither an archive nor a transcript to archive.
    without_transcript: u64,
}

/// Reports whether ended sessions are archived automatically, and how many of them have an archive.
pub(super) fn examine(host: &Host<'_>, loaded: &LoadedConfig, keeping: &Retention) -> Finding {
    if let Some((found, remedy)) = retention::objection(loaded, keeping, host.places) {
        return Finding::note("archive", found, &remedy);
    }
    let rule = match loaded.config.archive_auto {
        true => "ended sessions are archived automatically".to_owned(),
        false => format!(
            "nothing is archived automatically: archive.auto is false, from {}",
            loaded.source(ConfigKey::ArchiveAuto)
        ),
    };
    let ended = host
        .state
        .and_then(|state| EndedSessions::count(host, state));
    Finding::ok("archive", rule + &ended.unwrap_or_default().sentence())
}

impl EndedSessions {
    fn count(host: &Host<'_>, state: &StateDir) -> Option<Self> {
        let judge = Judge::of(host)?;
        let archives = Archives::of(state);
        let ids: Vec<_> = state.session_ids().ok()?.collect();
        let looks = on_all_processors(&ids, |id| {
            let record = state.session(id).record().ok()??;
            if judge.find(id, &record).state.is_live() {
                return None;
            }
            let is_archived = matches!(known(&archives, &record), Ok(Some(_)));
            let has_transcript = || transcript::find_named(host.env, &record, None).is_some();
            Some(Self {
                all: 1,
                archived: u64::from(is_archived),
                without_transcript: u64::from(!is_archived && !has_transcript()),
            })
        });
        let sum = looks.into_iter().flatten();
        Some(sum.fold(Self::default(), |sum, one| Self {
            all: sum.all + one.all,
            archived: sum.archived + one.archived,
            without_transcript: sum.without_transcript + one.without_transcript,
        }))
    }

    /// Returns the end of the message, for example
    /// `; 2 of 34 ended sessions are archived, 30 have no transcript`.
    fn sentence(&self) -> String {
        let Self {
            all,
            archived,
            without_transcript,
        } = self;
        let are = |count: &u64| if *count == 1 { "is" } else { "are" };
        let have = |count: &u64| if *count == 1 { "has" } else { "have" };
        let without = match without_transcript {
            0 => String::new(),
            count => format!(", {count} {} no transcript", have(count)),
        };
        match all {
            0 => String::new(),
            all => format!(
                "; {archived} of {all} ended sessions {} archived{without}",
                are(archived)
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(all: u64, archived: u64, without_transcript: u64, said: &str) {
        let ended = EndedSessions {
            all,
            archived,
            without_transcript,
        };
        assert_eq!(ended.sentence(), said);
    }

    #[test]
    fn a_sentence_says_how_many_are_archived() {
        check(0, 0, 0, "");
        check(
            34,
            0,
            33,
            "; 0 of 34 ended sessions are archived, 33 have no transcript",
        );
        check(
            3,
            1,
            1,
            "; 1 of 3 ended sessions is archived, 1 has no transcript",
        );
        check(2, 2, 0, "; 2 of 2 ended sessions are archived");
    }
}
