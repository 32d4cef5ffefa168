//! Ctrl-C, and what supervisors send: the first asks the server to stop well, the
//! second ends the process at once.

use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

/// As shells count them: 128 and the signal's number.
const SECOND: [(i32, i32); 2] = [(SIGINT, 130), (SIGTERM, 143)];

/// Becomes true when the process is asked to stop. (On Windows by Ctrl-C alone.)
pub(super) fn asked_to_stop() -> io::Result<Arc<AtomicBool>> {
    let asked = Arc::new(AtomicBool::new(false));
    for (signal, code) in SECOND {
        // They run in this order, so the first signal meets a flag that is not set.
        flag::register_conditional_shutdown(signal, code, asked.clone())?;
        flag::register(signal, asked.clone())?;
    }
    Ok(asked)
}
