//! Where clients connect: binds the address, sets the socket up, serves a [`Handler`].

use std::io;
use std::net::{SocketAddr, TcpListener, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};

use crate::server::transport::exchange::Request;
use crate::server::transport::headroom;
use crate::server::transport::presence::Presence;
use crate::server::transport::sentinel::Sentinel;
use crate::server::transport::stop::Stop;
use crate::server::transport::workers::Pool;
use crate::server::transport::writer::{Reply, Silence};

/// Connections that may wait for the accept thread. The 128 of the standard library
/// make a burst of 512 clients repeat their SYN after a second. Linux takes no more than
/// 4096 of them (`net.core.somaxconn`).
const BACKLOG: i32 = 4096;

/// Where descriptors are few, fewer may wait: of more than can be accepted, each costs
/// the accept thread its life, though its client may have left long ago.
const LEAST_BACKLOG: i32 = 16;
const DESCRIPTORS_EACH: usize = 4;

/// How long a client may be silent within or between its requests (Linux). Longer than
/// the idle limits of usual clients (5 to 90 s), so that they close first and never
/// meet a connection that is just being closed.
#[cfg(target_os = "linux")]
const RECEIVE_TIMEOUT: Duration = Duration::from_secs(120);

/// How long a client may refuse to take a reply (Linux).
#[cfg(target_os = "linux")]
const SEND_TIMEOUT: Duration = Duration::from_secs(30);

/// After how long of nothing acknowledged the kernel gives a client up (Linux).
#[cfg(target_os = "linux")]
const UNACKNOWLEDGED_TIMEOUT: Duration = Duration::from_secs(60);

/// The longest body of a request, unless [`Limits`] say otherwise: 24 MB of images
/// in base64.
const MAX_BODY_BYTES: u64 = 32 * 1024 * 1024;

/// A bound address, ready to serve.
#[derive(Debug)]
pub struct Listener {
    socket: TcpListener,
    address: SocketAddr,
}

/// What clients may make grow.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Requests answered at the same time, each on its own thread. Further ones are
    /// refused with [`Refusal::Overloaded`]. Lowered to what the descriptor limit
    /// allows: a request takes three (two for its client, one to Google).
    pub max_in_flight: usize,
    /// The longest body of a request.
    pub max_body_bytes: u64,
    /// How long a streaming client may be left without a sign of life.
    pub silence: Silence,
}

/// Answers requests. Called on many threads at once.
pub trait Handler: Send + Sync + 'static {
    /// May block. A panic costs this request only, which [`Refusal::Panicked`] answers.
    fn answer(&self, request: &mut Request) -> Reply;

    /// What to send where the transport itself says no. Must be cheap, must not block,
    /// and must be a [`Reply::Whole`].
    fn refuse(&self, refusal: Refusal, head: Head<'_>) -> Reply;

    /// Whether requests for this path (still percent-encoded, without query) cost so
    /// little that they are answered when all workers are busy.
    fn is_light(&self, _request_path: &str) -> bool {
        false
    }
}

/// What is known of a request that is refused; all of it unchecked.
#[derive(Debug, Clone, Copy)]
pub struct Head<'a> {
    pub method: &'a str,
    /// Percent-encoded, without query.
    pub path: &'a str,
    /// The header of that name.
    pub origin: Option<&'a str>,
}

/// Why a request was not, or not fully, put before the [`Handler`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The request cannot be delimited or understood with certainty; says why.
    MalformedFraming(&'static str),
    /// The body is longer than `limit` bytes.
    BodyTooLarge { limit: u64 },
    /// The client closed or fell silent within the body.
    BodyIncomplete,
    /// [`Limits::max_in_flight`] is reached, or the client pipelined too much.
    Overloaded,
    /// Nothing new is begun, because serving is to end.
    Stopping,
    /// [`Handler::answer`] panicked.
    Panicked,
}

impl Default for Limits {
    /// 8192 requests in flight.
    fn default() -> Self {
        Self {
            max_in_flight: 8192,
            max_body_bytes: MAX_BODY_BYTES,
            silence: Silence::default(),
        }
    }
}

impl Listener {
    /// Binds `host`, an IP address or a name, and `port`; port 0 lets the system choose.
    /// Of a name's addresses IPv4 comes first: `localhost` is `::1` to many systems,
    /// while clients are told 127.0.0.1.
    pub fn bind(host: &str, port: u16) -> io::Result<Self> {
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let mut addresses: Vec<SocketAddr> = (host, port).to_socket_addrs()?.collect();
        addresses.sort_by_key(SocketAddr::is_ipv6);
        let socket = TcpListener::bind(&*addresses)?;
        set_up(&socket)?;
        let address = socket.local_addr()?;
        Ok(Self { socket, address })
    }

    /// The address bound, with the port the system chose.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Serves on this thread until it is asked to stop. An error says that it could not
    /// start, or that clients with absurd `Content-Length`s cost half of all descriptors.
    pub fn run(self, handler: impl Handler, limits: Limits, stop: &Stop) -> io::Result<()> {
        let descriptors = headroom::raise_descriptor_limit();
        let limits = Limits {
            max_in_flight: limits
                .max_in_flight
                .clamp(1, headroom::requests_within(descriptors)),
            ..limits
        };
        let backlog = i32::try_from(descriptors / DESCRIPTORS_EACH).unwrap_or(BACKLOG);
        let backlog = backlog.clamp(LEAST_BACKLOG, BACKLOG);
        SockRef::from(&self.socket).listen(backlog)?;
        let presence = Presence::at(self.address);
        let pool = Pool::start(Arc::new(handler), limits, presence)?;
        Sentinel::start(self.socket, self.address, pool)?.watch(descriptors, stop)
    }
}

/// Accepted connections inherit all this from the listener; tiny_http offers no other
/// way to it.
fn set_up(listener: &TcpListener) -> io::Result<()> {
    let socket = SockRef::from(listener);
    // Without it a reply in two writes takes 45 ms (Nagle against delayed ACK).
    socket.set_tcp_nodelay(true)?;
    let keepalive = TcpKeepalive::new().with_time(Duration::from_secs(60));
    socket.set_tcp_keepalive(&keepalive)?;
    socket.listen(BACKLOG)?;
    // Elsewhere inheritance is not certain. The receive limit ends `accept`, too, so it
    // is bearable only because the sentinel connects more often.
    #[cfg(target_os = "linux")]
    {
        socket.set_read_timeout(Some(RECEIVE_TIMEOUT))?;
        socket.set_write_timeout(Some(SEND_TIMEOUT))?;
        socket.set_tcp_user_timeout(Some(UNACKNOWLEDGED_TIMEOUT))?;
    }
    Ok(())
}
