//! A stand-in for Google: OAuth, Code Assist and the Gemini API on one loopback
//! address, by plain HTTP. `gemini-proxy demo` runs on it, and so do all tests of
//! the built program.
//!
//! It shares nothing with the proxy, not even the names of a field: it reads and
//! writes bare JSON. If both sides used the same types, a misspelt field would be
//! misspelt on both, and every test would pass.
//!
//! - the wire: `http`, `connection`, `gates`, `routes`, `control`, `recorder`
//! - who asks: `consent`, `oauth`, `grants`, `onboarding`
//! - what is asked: `code_assist`, `gemini_api`, `generate`, `models`,
//!   `signatures`, and `validate/` with Google's rules
//! - what is answered: `script` with `says` and `delivery`, else `chatter` with
//!   `sample`; `reply`, `stream`, `whole` and `gzip` bring it into form; `errors`
//! - the switches: `state`

mod chatter;
mod code_assist;
mod connection;
mod consent;
mod control;
mod delivery;
mod document;
mod errors;
mod gates;
mod gemini_api;
mod generate;
mod grants;
mod gzip;
mod http;
mod models;
mod oauth;
mod onboarding;
mod recorder;
mod reply;
mod routes;
mod sample;
mod says;
mod script;
mod signatures;
mod state;
mod stream;
mod validate;
mod whole;
mod world;

use std::collections::HashMap;
use std::io;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use serde_json::Value;

use self::connection::{Connection, Outcome};
pub use self::recorder::Recorded;
use self::state::State;
use self::world::World;

/// A running stand-in. Dropping it closes every connection and frees the port.
pub struct Simulator {
    address: String,
    socket: SocketAddr,
    inner: Arc<Inner>,
}

struct Inner {
    world: World,
    stopped: AtomicBool,
    /// The open connections, to be closed in the end.
    connections: Mutex<HashMap<u64, TcpStream>>,
}

impl Simulator {
    /// On a free port of 127.0.0.1, as fast as it can, consent given at once.
    pub fn start() -> io::Result<Self> {
        Self::start_on("127.0.0.1:0", State::for_tests())
    }

    /// On a free port of 127.0.0.1, at a pace one can read, with a consent page.
    pub fn start_for_demo() -> io::Result<Self> {
        Self::start_on("127.0.0.1:0", State::for_demo())
    }

    /// On a port of one's choice; 0 lets the system choose. Otherwise as [`Self::start`].
    pub fn start_on_port(port: u16) -> io::Result<Self> {
        Self::start_on(&format!("127.0.0.1:{port}"), State::for_tests())
    }

    fn start_on(address: &str, state: State) -> io::Result<Self> {
        let listener = TcpListener::bind(address)?;
        let socket = listener.local_addr()?;
        let inner = Arc::new(Inner {
            world: World::new(state),
            stopped: AtomicBool::new(false),
            connections: Mutex::default(),
        });
        let accepting = Arc::clone(&inner);
        thread::Builder::new()
            .name("simulator".into())
            .spawn(move || accept(&listener, &accepting))?;
        Ok(Self {
            address: format!("http://{socket}"),
            socket,
            inner,
        })
    }

    /// The base of every address, such as `http://127.0.0.1:4321`.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Appends a script. The vocabulary stands at the top of `script.rs`.
    pub fn script(&self, document: Value) -> Result<(), String> {
        self.inner.world.append_script(document)
    }

    /// Sets switches. They stand at the top of `state.rs`.
    pub fn set_state(&self, patch: Value) -> Result<(), String> {
        self.inner.world.patch_state(patch)
    }

    /// Opens a gate, for good.
    pub fn release(&self, gate: &str) {
        self.inner.world.gates.release(gate);
    }

    /// Forgets script, recordings, gates and switches. Tokens stay good.
    pub fn reset(&self) {
        self.inner.world.reset();
    }

    /// Everything that was asked so far, in order.
    pub fn requests(&self) -> Vec<Recorded> {
        self.inner.world.recorder.all()
    }

    /// Waits until `count` requests have come, 30 s at most.
    pub fn wait_for_requests(&self, count: usize) -> Vec<Recorded> {
        self.wait_until(|requests| requests.len() >= count)
    }

    /// Waits until `condition` holds of what was recorded, 30 s at most.
    pub fn wait_until(&self, condition: impl Fn(&[Recorded]) -> bool) -> Vec<Recorded> {
        self.inner.world.recorder.wait_until(condition)
    }

    /// A live credential, as the Gemini CLI stores it: `access_token`,
    /// `refresh_token`, `expiry_date` in milliseconds, `scope`, `token_type`.
    pub fn sign_in(&self) -> Value {
        oauth::sign_in(&self.inner.world)
    }

    /// From now on, every access token given out so far gets a 401.
    pub fn expire_access_tokens(&self) {
        self.inner.world.grants().expire_access_tokens();
    }

    /// From now on, every refresh token given out so far gets `invalid_grant`.
    pub fn revoke_refresh_tokens(&self) {
        self.inner.world.grants().revoke_refresh_tokens();
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        self.inner.stopped.store(true, Ordering::SeqCst);
        // Wakes the thread that accepts, which then sees that it is over.
        let _ = TcpStream::connect(self.socket);
        for stream in self.inner.connections().values() {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

impl Inner {
    fn connections(&self) -> MutexGuard<'_, HashMap<u64, TcpStream>> {
        self.connections
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// One thread per connection, so that none waits for another.
fn accept(listener: &TcpListener, inner: &Arc<Inner>) {
    for (number, accepted) in (1..).zip(listener.incoming()) {
        if inner.stopped.load(Ordering::SeqCst) {
            return;
        }
        let Ok(stream) = accepted else {
            continue;
        };
        let serving = Arc::clone(inner);
        let spawned = thread::Builder::new()
            .name(format!("simulator {number}"))
            .spawn(move || {
                if let Err(error) = serve(&serving, number, stream) {
                    log::debug!("connection {number}: {error}");
                }
            });
        if let Err(error) = spawned {
            log::warn!("connection {number} was turned away: {error}");
        }
    }
}

fn serve(inner: &Inner, number: u64, stream: TcpStream) -> io::Result<()> {
    inner.connections().insert(number, stream.try_clone()?);
    let mut connection = Connection::new(number, stream)?;
    let outcome = answer_all(&inner.world, &mut connection);
    // Forgotten first: a reset is sent when the last handle is closed.
    inner.connections().remove(&number);
    outcome
}

fn answer_all(world: &World, connection: &mut Connection) -> io::Result<()> {
    while let Some(request) = connection.read_request()? {
        if request.path.starts_with(control::PREFIX) {
            let answer = control::answer(world, &request);
            if connection.write_answer(&request, answer, &world.gates) != Outcome::Reusable {
                return Ok(());
            }
            continue;
        }
        let serial = world.recorder.record(&request);
        let answer = routes::answer(world, &request);
        let status = answer.status;
        let outcome = connection.write_answer(&request, answer, &world.gates);
        world.recorder.amend(serial, |recorded| {
            recorded.status = Some(status);
            recorded.client_left = outcome == Outcome::ClientLeft;
        });
        if outcome != Outcome::Reusable {
            return Ok(());
        }
    }
    Ok(())
}
