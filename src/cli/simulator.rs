//! `gemini-proxy simulator`: the stand-in for Google alone.

use std::io::Write;

use crate::cli::CliError;
use crate::simulator::Simulator;

pub(super) fn run(port: u16) -> Result<(), CliError> {
    let simulator = Simulator::start_on_port(port).map_err(CliError::Simulator)?;
    writeln!(std::io::stdout(), "{}", simulator.address())?;
    loop {
        std::thread::park();
    }
}
