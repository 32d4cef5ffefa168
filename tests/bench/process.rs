//! The processes that are measured, and what the kernel says of them.

use std::fs;
use std::io::{self, BufRead, BufReader, Read};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const PROXY: &str = env!("CARGO_BIN_EXE_gemini-proxy");

/// A server that ends with this value.
pub(crate) struct Process {
    child: Child,
    pub(crate) address: SocketAddr,
}

/// What a process has used.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Used {
    pub(crate) cpu: Duration,
    /// KiB, now and at most.
    pub(crate) resident: u64,
    pub(crate) peak: u64,
    pub(crate) threads: u64,
    pub(crate) descriptors: u64,
}

impl Process {
    /// This very program in another role; it prints its address.
    pub(crate) fn role(arguments: &[&str], core: Option<usize>) -> io::Result<Self> {
        let this = std::env::current_exe()?;
        let mut child = pinned(&this, core)
            .args(arguments)
            .stdout(Stdio::piped())
            .spawn()?;
        let mut line = String::new();
        if let Some(out) = child.stdout.take() {
            BufReader::new(out).read_line(&mut line)?;
        }
        let address = line.trim().parse().map_err(io::Error::other)?;
        Ok(Self { child, address })
    }

    pub(crate) fn proxy(upstream: SocketAddr, core: Option<usize>) -> io::Result<Self> {
        Self::proxy_by(
            pinned(Path::new(PROXY), core),
            &format!("http://{upstream}"),
        )
    }

    /// One whose instructions are counted.
    pub(crate) fn counted_proxy(upstream: SocketAddr) -> io::Result<Self> {
        let mut valgrind = bare(Path::new("valgrind"));
        valgrind.args(["--tool=callgrind", "--callgrind-out-file=/dev/null", PROXY]);
        Self::proxy_by(valgrind, &format!("http://{upstream}"))
    }

    /// One that asks by TLS, of whoever has this certificate.
    pub(crate) fn secured_proxy(upstream: SocketAddr, certificate: &Path) -> io::Result<Self> {
        let mut command = bare(Path::new(PROXY));
        command.env("SSL_CERT_FILE", certificate);
        Self::proxy_by(command, &format!("https://localhost:{}", upstream.port()))
    }

    fn proxy_by(mut command: Command, endpoint: &str) -> io::Result<Self> {
        let address = free_address()?;
        let child = command
            .current_dir(std::env::temp_dir())
            .env("PROXY_PORT", address.port().to_string())
            .env("GEMINI_API_KEY", "benchmark")
            .env("GEMINI_API_ENDPOINT", endpoint)
            .env("RUST_LOG", "off")
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()?;
        let process = Self { child, address };
        let begun = Instant::now();
        while TcpStream::connect(address).is_err() {
            if begun.elapsed() > Duration::from_secs(10) {
                return Err(io::Error::other("the proxy does not listen"));
            }
            std::thread::yield_now();
        }
        Ok(process)
    }

    pub(crate) fn used(&self) -> io::Result<Used> {
        let folder = format!("/proc/{}", self.child.id());
        let stat = fs::read_to_string(format!("{folder}/stat"))?;
        // The name in parentheses may hold anything; utime and stime are the 14th and 15th.
        let fields: Vec<&str> = stat
            .rsplit(')')
            .next()
            .unwrap_or_default()
            .split_whitespace()
            .collect();
        let ticks = |nth: usize| {
            fields
                .get(nth)
                .and_then(|field| field.parse::<u64>().ok())
                .unwrap_or(0)
        };
        let status = fs::read_to_string(format!("{folder}/status"))?;
        let kib = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            line.and_then(|line| line.split_whitespace().next()?.parse().ok())
                .unwrap_or(0)
        };
        Ok(Used {
            cpu: Duration::from_millis(10 * (ticks(11) + ticks(12))),
            resident: kib("VmRSS:"),
            peak: kib("VmHWM:"),
            threads: kib("Threads:"),
            descriptors: fs::read_dir(format!("{folder}/fd"))?.count() as u64,
        })
    }

    /// Ends it, and says how many instructions it took.
    pub(crate) fn instructions(mut self) -> io::Result<u64> {
        let id = self.child.id().to_string();
        Command::new("kill").args(["-TERM", &id]).status()?;
        let mut report = String::new();
        if let Some(mut err) = self.child.stderr.take() {
            err.read_to_string(&mut report)?;
        }
        // `==123== Collected : 37542433`
        let count = report.lines().find_map(|line| {
            let (_, count) = line.split_once("Collected :")?;
            count.trim().parse().ok()
        });
        count.ok_or_else(|| io::Error::other(format!("valgrind counted nothing: {report}")))
    }

    /// Forgets the peak so far.
    pub(crate) fn forget_peak(&self) -> io::Result<()> {
        fs::write(format!("/proc/{}/clear_refs", self.child.id()), "5")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

pub(crate) fn free_address() -> io::Result<SocketAddr> {
    TcpListener::bind("127.0.0.1:0")?.local_addr()
}

fn pinned(program: &Path, core: Option<usize>) -> Command {
    match core {
        None => bare(program),
        Some(core) => {
            let mut command = bare(Path::new("taskset"));
            command.args(["-c", &core.to_string()]).arg(program);
            command
        }
    }
}

/// What is set where the benchmark runs is not to change what it measures.
fn bare(program: &Path) -> Command {
    let mut command = Command::new(program);
    let path = std::env::var_os("PATH").unwrap_or_default();
    command.env_clear().env("PATH", path);
    command
}
