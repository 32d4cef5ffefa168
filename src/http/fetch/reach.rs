//! Which addresses a client may have us fetch from: those it could reach
//! itself, on the public internet. Decided on addresses, never on names.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs, UdpSocket};
use std::sync::Arc;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// Resolves a host name and a port.
pub type Lookup = dyn Fn(&str, u16) -> io::Result<Vec<SocketAddr>> + Send + Sync;

/// How names are resolved, and which of the answers may be connected to.
#[derive(Clone)]
pub struct Reach {
    lookup: Arc<Lookup>,
    also: Option<SocketAddr>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unresolved {
    TimedOut,
    /// The name is not known, or stands for an address that is refused.
    NotPublic,
}

impl Reach {
    /// The public internet, as the system's resolver knows it.
    pub fn public_only() -> Self {
        Self {
            lookup: Arc::new(|host, port| Ok((host, port).to_socket_addrs()?.collect())),
            also: None,
        }
    }

    /// And one address that is not public. For tests, whose servers are on loopback.
    pub fn and(self, address: SocketAddr) -> Self {
        Self {
            also: Some(address),
            ..self
        }
    }

    /// Another way to resolve names.
    pub fn with_lookup(self, lookup: Arc<Lookup>) -> Self {
        Self { lookup, ..self }
    }

    /// All addresses of a host, all of them within reach. A host that has even
    /// one address outside is refused: it is not a host of the internet.
    pub(super) fn addresses(
        &self,
        host: &str,
        port: u16,
        limit: Duration,
    ) -> Result<Vec<SocketAddr>, Unresolved> {
        let addresses = match host.trim_matches(['[', ']']).parse() {
            Ok(ip) => vec![SocketAddr::new(ip, port)],
            Err(_) => self.looked_up(host, port, limit)?,
        };
        if addresses.is_empty() || !addresses.iter().all(|address| self.includes(*address)) {
            return Err(Unresolved::NotPublic);
        }
        Ok(addresses)
    }

    /// The system's resolver knows no time limit, and is left behind if it takes longer.
    fn looked_up(
        &self,
        host: &str,
        port: u16,
        limit: Duration,
    ) -> Result<Vec<SocketAddr>, Unresolved> {
        let (sender, receiver) = mpsc::sync_channel(1);
        let lookup = self.lookup.clone();
        let host = host.to_owned();
        let look = move || drop(sender.send(lookup(&host, port)));
        let spawned = thread::Builder::new().spawn(look);
        spawned.map_err(|_| Unresolved::TimedOut)?;
        match receiver.recv_timeout(limit) {
            Ok(addresses) => addresses.map_err(|_| Unresolved::NotPublic),
            Err(_) => Err(Unresolved::TimedOut),
        }
    }

    fn includes(&self, address: SocketAddr) -> bool {
        self.also == Some(address) || is_public(address.ip()) && !is_own(address)
    }
}

impl fmt::Debug for Reach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reach")
            .field("also", &self.also)
            .finish_non_exhaustive()
    }
}

/// Whether the address is this machine's own, though it may be a public one:
/// from inside, no firewall stands before it. Connecting UDP sends nothing, but
/// has the system choose the address that it would speak from.
fn is_own(address: SocketAddr) -> bool {
    let anywhere: IpAddr = match address {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let from = UdpSocket::bind((anywhere, 0)).and_then(|socket| {
        socket.connect(address)?;
        socket.local_addr()
    });
    from.is_ok_and(|from| from.ip() == address.ip())
}

fn is_public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => is_public_v4(ip),
        IpAddr::V6(ip) => is_public_v6(ip),
    }
}

/// By the IANA IPv4 Special-Purpose Address Registry (RFC 6890).
fn is_public_v4(ip: Ipv4Addr) -> bool {
    const REFUSED: [(Ipv4Addr, u32); 15] = [
        (Ipv4Addr::new(0, 0, 0, 0), 8),        // this network
        (Ipv4Addr::new(10, 0, 0, 0), 8),       // private
        (Ipv4Addr::new(100, 64, 0, 0), 10),    // carrier-grade NAT; Alibaba's metadata
        (Ipv4Addr::new(127, 0, 0, 0), 8),      // loopback
        (Ipv4Addr::new(168, 63, 129, 16), 32), // Azure's host, though in a public range
        (Ipv4Addr::new(169, 254, 0, 0), 16),   // link-local; metadata of most clouds
        (Ipv4Addr::new(172, 16, 0, 0), 12),    // private
        (Ipv4Addr::new(192, 0, 0, 0), 24),     // protocol assignments; Oracle's metadata
        (Ipv4Addr::new(192, 0, 2, 0), 24),     // documentation
        (Ipv4Addr::new(192, 88, 99, 0), 24),   // relays of 6to4
        (Ipv4Addr::new(192, 168, 0, 0), 16),   // private
        (Ipv4Addr::new(198, 18, 0, 0), 15),    // benchmarks
        (Ipv4Addr::new(198, 51, 100, 0), 24),  // documentation
        (Ipv4Addr::new(203, 0, 113, 0), 24),   // documentation
        (Ipv4Addr::new(224, 0, 0, 0), 3),      // multicast, reserved, broadcast
    ];
    let bits = ip.to_bits();
    !REFUSED
        .iter()
        .any(|(network, length)| (bits ^ network.to_bits()) >> (32 - length) == 0)
}

/// Of IPv6 only global unicast is public (RFC 4291, section 2.4), less what the
/// IANA IPv6 Special-Purpose Address Registry takes out of it; and what NAT64
/// makes of a public IPv4 address (RFC 6052), without which a network that has
/// nothing but IPv6 would reach little. Anything else that wraps an IPv4 address
/// (mapped, compatible, 6to4, Teredo, local NAT64) is refused, whatever it wraps.
fn is_public_v6(ip: Ipv6Addr) -> bool {
    let [a, b, c, d, e, f, g, h] = ip.segments();
    if [a, b, c, d, e, f] == [0x64, 0xff9b, 0, 0, 0, 0] {
        return is_public_v4(Ipv4Addr::from_bits(u32::from(g) << 16 | u32::from(h)));
    }
    match a {
        0x2001 => b >= 0x200 && b != 0xdb8, // protocols (Teredo and others); documentation
        0x2002 => false,                    // 6to4
        0x3fff => b >= 0x1000,              // documentation (RFC 9637)
        _ => a >> 13 == 0b001,              // 2000::/3
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn only_the_public_internet_is_public() {
        for refused in [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "10.255.255.255",
            "100.64.0.1",
            "100.100.100.200",
            "100.127.255.255",
            "127.0.0.1",
            "127.255.255.254",
            "168.63.129.16",
            "169.254.0.1",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.192",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.0.1",
            "192.168.255.255",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "239.255.255.250",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::7f00:1",
            "::8.8.8.8",
            "::ffff:127.0.0.1",
            "::ffff:8.8.8.8",
            "::ffff:0:127.0.0.1",
            "64:ff9b::7f00:1",
            "64:ff9b::10.0.0.1",
            "64:ff9b::169.254.169.254",
            "64:ff9b:1::8.8.8.8",
            "100::1",
            "2001::1",
            "2001:0:7f00:1::",
            "2001:2::1",
            "2001:10::1",
            "2001:1ff::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "2002:808:808::",
            "3fff::1",
            "3fff:fff::1",
            "4000::1",
            "5f00::1",
            "fc00::1",
            "fd00:ec2::254",
            "fd20:ce::254",
            "fe80::1",
            "fec0::1",
            "ff02::1",
        ] {
            assert!(!is_public(refused.parse().unwrap()), "{refused}");
        }
        for public in [
            "1.1.1.1",
            "8.8.8.8",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
            "128.0.0.0",
            "169.253.255.255",
            "172.15.255.255",
            "172.32.0.0",
            "192.167.255.255",
            "192.169.0.0",
            "198.17.255.255",
            "198.20.0.0",
            "223.255.255.255",
            "2001:200::1",
            "2001:4860:4860::8888",
            "2606:4700::1111",
            "2a00:1450::1",
            "3ffe::1",
            "3fff:1000::1",
            "64:ff9b::8.8.8.8",
        ] {
            assert!(is_public(public.parse().unwrap()), "{public}");
        }
    }

    #[test]
    fn the_address_of_this_machine_is_known_as_its_own() {
        assert!(is_own("127.0.0.1:80".parse().unwrap()));
        assert!(!is_own("192.0.2.1:80".parse().unwrap()));
    }

    #[test]
    fn one_address_outside_spoils_the_others() {
        let answers = |addresses: &'static [&'static str]| {
            let all = addresses.iter().map(|address| address.parse().unwrap());
            let all: Vec<SocketAddr> = all.collect();
            let reach = Reach::public_only().with_lookup(Arc::new(move |_, _| Ok(all.clone())));
            reach.addresses("images.test", 80, Duration::from_secs(5))
        };
        assert_eq!(answers(&["8.8.8.8:80"]).unwrap().len(), 1);
        for refused in [&["8.8.8.8:80", "10.0.0.1:80"][..], &["[::1]:80"], &[]] {
            assert_eq!(answers(refused), Err(Unresolved::NotPublic), "{refused:?}");
        }
    }

    #[test]
    fn a_resolver_that_does_not_answer_is_not_waited_for() {
        let (hold, held) = mpsc::channel::<()>();
        let held = std::sync::Mutex::new(held);
        let silent: Arc<Lookup> = Arc::new(move |_, _| {
            let _ = held.lock().unwrap().recv();
            Ok(Vec::new())
        });
        let reach = Reach::public_only().with_lookup(silent);
        let outcome = reach.addresses("images.test", 80, Duration::from_millis(1));
        assert_eq!(outcome, Err(Unresolved::TimedOut));
        drop(hold);
    }
}
