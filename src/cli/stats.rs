//! `ccsession stats`
use super::context::Context;
use super::status::Status;
use crate::model::{Activity, Trace};
use crate::store::clock;
use crate::view::stats::Stats;
use anyhow::Result;
use std::sync::atomic::{AtomicUsize, Ordering};

pub(super) fn run(context: &Context) -> Result<Status> {
    let state = context.state()?.unwrap();
    let ids: Vec<_> = state.session_ids()?.collect();
    let next = AtomicUsize::new(0);
    let mode = std::env::args().nth(2).unwrap_or_default();
    let work = || {
        let mut stats = Stats::default();
        let mut trace = Trace::default();
        let mut n = 0u64;
        let mut offset = None;
        while let Some(id) = ids.get(next.fetch_add(1, Ordering::Relaxed)) {
            trace.clear();
            let dir = state.session(id);
            if mode == "decode" {
                dir.lines()
                    .unwrap()
                    .for_each(|line| n += line.duration_ms.unwrap_or(0));
                continue;
            }
            dir.lines().unwrap().for_each(|line| trace.push(line));
            trace.order();
            if mode == "trace" {
                n += trace.len() as u64;
                continue;
            }
            let activity = Activity::of(&trace);
            if mode == "fold" {
                n += activity.calls.len() as u64;
                continue;
            }
            stats.add(&activity, None, &mut |ts: crate::model::Timestamp| {
                let o: chrono::TimeDelta =
                    *offset.get_or_insert_with(|| clock::to_civil(ts) - ts.to_utc().naive_utc());
                ts.to_utc().naive_utc() + o
            });
        }
        (stats, n)
    };
    let all = std::thread::scope(|scope| {
        let handles: Vec<_> = (0..2).map(|_| scope.spawn(work)).collect();
        handles
            .into_iter()
            .map(|h| h.join().unwrap())
            .collect::<Vec<_>>()
    });
    super::output::line(&format!(
        "{:?}",
        all.iter()
            .map(|(s, n)| (format!("{s:?}").len(), n))
            .collect::<Vec<_>>()
    ));
    Ok(Status::Done)
}
