//! The floor: a pass-through that only copies bytes. Plain sockets, one thread a
//! connection, connections to the upstream kept and used again.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use crate::wire::Line;

/// Idle connections to the upstream.
type Pool = Arc<Mutex<Vec<Line>>>;

pub(crate) fn serve(upstream: SocketAddr) -> io::Result<()> {
    let listener = crate::listen()?;
    let pool = Pool::default();
    for socket in listener.incoming() {
        let pool = pool.clone();
        crate::small_thread(move || {
            if let Ok(line) = socket.and_then(Line::new) {
                drop(copy_all(line, upstream, &pool));
            }
        })?;
    }
    Ok(())
}

fn copy_all(mut client: Line, upstream: SocketAddr, pool: &Pool) -> io::Result<()> {
    while let Some(head) = client.head()? {
        let idle = pool.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut google = match idle {
            Some(line) => line,
            None => Line::connect(upstream)?,
        };
        copy(&mut client, &mut google, head)?;
        if let Some(head) = google.head()? {
            copy(&mut google, &mut client, head)?;
        }
        pool.lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(google);
    }
    Ok(())
}

fn copy(from: &mut Line, to: &mut Line, head: crate::wire::Head) -> io::Result<()> {
    let mut bytes = head.bytes;
    let mut outcome = Ok(());
    from.body(head.body, |piece| {
        // The head goes with the first piece, in one write.
        bytes.extend_from_slice(piece);
        if outcome.is_ok() {
            outcome = to.send(&bytes);
        }
        bytes.clear();
    })?;
    outcome?;
    to.send(&bytes)
}
