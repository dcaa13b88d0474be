//! Sends the metrics that `ccsession metrics` prints. They are sums over all sessions, so a failure
//! to send loses nothing: the next batch contains everything.

use anyhow::Result;

use crate::cli::context::Context;
use crate::cli::metrics::{CountedMetrics, counted};
use crate::ship::batch::Halt;
use crate::ship::{Batch, Delivery, Destination, Protocol, Signal, http};
use crate::store::machine::{machine_id, machine_name};
use crate::store::{StateDir, clock};
use crate::view::otlp::{Resource, json, metrics, protobuf};

/// Sends the metrics. Returns `Some` with the reason if the destination did not take them.
pub(super) fn send(
    context: &Context,
    state: &StateDir,
    destination: &Destination,
) -> Result<Option<Halt>> {
    let now = clock::now();
    let CountedMetrics { summary, since } = counted(context, &context.config()?, Some(state))?;
    let (name, id) = (machine_name(), machine_id());
    let resource = Resource::of_machine(name.as_deref(), id.as_deref());
    let all = metrics(&summary, since.unwrap_or(now), now);
    let groups = [(&resource, all.as_slice())];
    let batch = Batch::Otlp {
        signal: Signal::Metrics,
        body: match destination.protocol {
            Protocol::OtlpProtobuf => protobuf::metrics(&groups).into(),
            _ => json::metrics(&groups).into_bytes().into(),
        },
    };
    let halt = |why, is_passing, retry_after| {
        Some(Halt {
            why,
            is_passing,
            retry_after,
        })
    };
    let mut outlet = match http::open(destination) {
        Ok(outlet) => outlet,
        Err(why) => return Ok(halt(why, false, None)),
    };
    Ok(match outlet.deliver(&batch) {
        Delivery::Accepted | Delivery::Partial { rejected: 0, .. } => None,
        Delivery::Partial { message, .. } => halt(
            format!("the destination rejected some of the metrics: {message}"),
            false,
            None,
        ),
        Delivery::TooLarge(why) | Delivery::Refused(why) | Delivery::Misconfigured(why) => {
            halt(why.line, false, None)
        }
        Delivery::Unreachable { why, retry_after } => halt(why.line, true, retry_after),
    })
}
