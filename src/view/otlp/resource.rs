//! OpenTelemetry's resource: the machine and the program that recorded a session.

use super::OtlpSession;
use super::names::*;
use super::value::Attributes;

/// The machine and the program that recorded something.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Resource<'s> {
    /// The resource's attributes.
    pub attributes: Attributes<'s>,
}

impl<'s> Resource<'s> {
    /// Returns the resource of a session. It does not change during the session.
    pub fn of(session: &OtlpSession<'s, '_>) -> Self {
        let record = session.record;
        let mut its = program();
        its.put(HOST_NAME, session.machine.name.as_deref());
        its.put(HOST_ID, session.machine.id.as_deref());
        its.put(SESSION_ID, record.session_id.as_str());
        its.put(PROJECT, record.project.name.as_str());
        its.put_all(&repository(session));
        let head = record.head.as_ref();
        let branch = head.and_then(|head| head.branch.as_deref());
        its.put(VCS_BRANCH, branch);
        its.put(VCS_REF_TYPE, branch.map(|_| "branch"));
        its.put(VCS_REVISION, head.and_then(|head| head.revision.as_deref()));
        Self { attributes: its }
    }

    /// Returns the resource of the metrics, which count all sessions of a machine.
    pub fn of_machine(name: Option<&'s str>, id: Option<&'s str>) -> Self {
        let mut its = program();
        its.put(HOST_NAME, name);
        its.put(HOST_ID, id);
        Self { attributes: its }
    }
}

fn program<'s>() -> Attributes<'s> {
    let mut its = Attributes::default();
    its.put(SERVICE_NAME, "ccsession");
    its.put(SERVICE_VERSION, env!("CARGO_PKG_VERSION"));
    its
}

/// Returns the attributes of a session's repository.
pub(super) fn repository<'s>(session: &OtlpSession<'s, '_>) -> Attributes<'s> {
    let mut its = Attributes::default();
    if let Some(remote) = session.remote {
        its.put(VCS_URL, remote.url.as_str());
        its.put(VCS_REPOSITORY, remote.name.as_str());
        its.put(VCS_OWNER, remote.owner.as_deref());
        its.put(VCS_PROVIDER, remote.provider);
    }
    its
}
