//! Finds out which user of this machine made a connection to a port of this process.

use std::io::Read;
use std::net::SocketAddrV4;
use std::path::Path;

use rustix::fs::OFlags;

use super::file;

/// The largest list of connections that is read, in bytes. It is enough for all ports of an
/// address.
const MAX_LIST: u64 = 32 << 20;

/// The state of a connection that no process holds any longer (`TIME_WAIT`).
const TIME_WAIT: &str = "06";

/// Who owns the other end of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PeerOwner {
    /// The user with this id.
    User(u32),
    /// No user: the connection was closed.
    Nobody,
    /// The owner is unknown, because the system does not list its connections.
    Unknown,
}

/// Returns which user owns the other end of a connection between two ports of this machine.
///
/// Linux lists its connections in `/proc/net`, with the user of each end. Other systems have no
/// such list.
pub fn peer_owner(ours: SocketAddrV4, theirs: SocketAddrV4) -> PeerOwner {
    // Read the IPv6 list, too: a program may use an IPv6 socket for an IPv4 connection.
    let lists = ["/proc/net/tcp", "/proc/net/tcp6"].map(|list| read(list).unwrap_or_default());
    owner_in(&lists, ours, theirs)
}

fn read(list: &str) -> Option<String> {
    let file = file::open(Path::new(list), OFlags::RDONLY).ok()??;
    let mut text = String::new();
    file.take(MAX_LIST).read_to_string(&mut text).ok()?;
    Some(text)
}

fn owner_in(lists: &[String], ours: SocketAddrV4, theirs: SocketAddrV4) -> PeerOwner {
    let rows = || {
        lists
            .iter()
            .flat_map(|list| list.lines().skip(1))
            .filter_map(row)
    };
    // The lists are only complete if they contain the end of the connection that this process has.
    let is_complete = rows().any(|row| row.is_between(ours, theirs));
    let mut ends = rows().filter(|row| row.is_between(theirs, ours) && row.state != TIME_WAIT);
    match ends.next() {
        Some(end) => PeerOwner::User(end.user),
        None if is_complete => PeerOwner::Nobody,
        None => PeerOwner::Unknown,
    }
}

/// One end of a connection.
struct ConnectionEnd<'a> {
    local: &'a str,
    remote: &'a str,
    state: &'a str,
    user: u32,
}

/// Parses a row of the list. Its columns: number, local address, remote address, state, three
/// columns about queues and timers, user.
fn row(line: &str) -> Option<ConnectionEnd<'_>> {
    let mut columns = line.split_ascii_whitespace().skip(1);
    Some(ConnectionEnd {
        local: columns.next()?,
        remote: columns.next()?,
        state: columns.next()?,
        user: columns.nth(3)?.parse().ok()?,
    })
}

impl ConnectionEnd<'_> {
    fn is_between(&self, local: SocketAddrV4, remote: SocketAddrV4) -> bool {
        is(self.local, local) && is(self.remote, remote)
    }
}

/// Returns whether `written` is this address. The kernel writes every four bytes as one hex number
/// in the processor's byte order. An IPv4-mapped IPv6 address ends with the IPv4 address.
fn is(written: &str, address: SocketAddrV4) -> bool {
    let ip = u32::from_ne_bytes(address.ip().octets());
    let expected = format!("{ip:08X}:{:04X}", address.port());
    match written.strip_suffix(&expected) {
        Some("") => true,
        Some(before) => {
            let mark = u32::from_ne_bytes([0, 0, 0xff, 0xff]);
            before == format!("{:016}{mark:08X}", 0)
        }
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};

    use super::*;

    fn v4(address: SocketAddr) -> SocketAddrV4 {
        match address {
            SocketAddr::V4(address) => address,
            SocketAddr::V6(_) => panic!("{address}"),
        }
    }

    #[test]
    fn the_other_end_of_a_connection_of_ours_is_ours() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let server = v4(listener.local_addr().unwrap());
        for client in [
            TcpStream::connect(server).unwrap(),
            // As a program does that speaks both versions.
            TcpStream::connect((Ipv4Addr::LOCALHOST.to_ipv6_mapped(), server.port())).unwrap(),
        ] {
            let (_accepted, from) = listener.accept().unwrap();
            let theirs = v4(from);
            let owner = peer_owner(server, theirs);
            match cfg!(target_os = "linux") {
                true => assert_eq!(owner, PeerOwner::User(file::me())),
                false => assert_eq!(owner, PeerOwner::Unknown),
            }
            drop(client);
        }
    }

    #[test]
    fn the_user_of_the_right_end_counts() {
        let (ours, theirs) = ("127.0.0.1:4711", "127.0.0.1:50000");
        let (ours, theirs) = (ours.parse().unwrap(), theirs.parse().unwrap());
        let ip = u32::from_ne_bytes([127, 0, 0, 1]);
        let (one, other) = (format!("{ip:08X}:1267"), format!("{ip:08X}:C350"));
        let row = |local: &str, remote: &str, state: &str, user: u32| {
            format!(
                "  0: {local} {remote} {state} 00000000:00000000 00:00000000 00000000 {user:>5} 0 123\n"
            )
        };
        let list = |rows: &[String]| {
            [
                format!("  sl  local_address ...\n{}", rows.concat()),
                String::new(),
            ]
        };
        let own = row(&one, &other, "01", 1000);
        let check = |rows: &[String], expected| {
            assert_eq!(owner_in(&list(rows), ours, theirs), expected, "{rows:?}");
        };
        check(&[], PeerOwner::Unknown);
        check(std::slice::from_ref(&own), PeerOwner::Nobody);
        check(
            &[own.clone(), row(&other, &one, "01", 1001)],
            PeerOwner::User(1001),
        );
        // It has sent all it will send, and still reads.
        check(
            &[own.clone(), row(&other, &one, "05", 1001)],
            PeerOwner::User(1001),
        );
        check(
            &[own.clone(), row(&other, &one, "06", 0)],
            PeerOwner::Nobody,
        );
        let near = row(&other.replace("C350", "C351"), &one, "01", 1000);
        check(&[own.clone(), near], PeerOwner::Nobody);
        check(&[own, "  garbage\n".to_owned()], PeerOwner::Nobody);
    }
}
