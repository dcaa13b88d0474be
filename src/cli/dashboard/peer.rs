//! Finds out which user is at the other end of a connection to a port.
//!
//! A token or a cookie may be stolen: a browser sends the cookies of a host to all its ports, also
//! to a port on which another user listens. So the user is checked, too, where the system can tell.

use std::net::{SocketAddr, SocketAddrV4};
use std::sync::OnceLock;

use crate::store::connection::{PeerOwner, peer_owner};
use crate::store::file;

/// The other end of a connection.
#[derive(Debug, Default)]
pub(super) struct Peer {
    /// The addresses of this end and of the other. `None` for a socket file, which others cannot
    /// use.
    addresses: Option<(SocketAddrV4, SocketAddrV4)>,
    is_ours: OnceLock<bool>,
}

impl Peer {
    /// Returns the other end of a connection between these addresses.
    pub(super) fn between(ours: SocketAddr, theirs: SocketAddr) -> Self {
        let addresses = match (ours, theirs) {
            (SocketAddr::V4(ours), SocketAddr::V4(theirs)) => Some((ours, theirs)),
            // This cannot happen, because the server listens on an IPv4 address.
            _ => None,
        };
        Self {
            addresses,
            is_ours: OnceLock::new(),
        }
    }

    /// Returns whether a process of this user or of root made the connection. Returns true if the
    /// system does not say. Asks the system once, for the first request with the secret.
    pub(super) fn is_ours(&self) -> bool {
        *self.is_ours.get_or_init(|| {
            let Some((ours, theirs)) = self.addresses else {
                return true;
            };
            match peer_owner(ours, theirs) {
                PeerOwner::User(user) => user == file::me() || user == 0,
                PeerOwner::Nobody => false,
                PeerOwner::Unknown => true,
            }
        })
    }
}
