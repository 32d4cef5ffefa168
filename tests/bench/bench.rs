//! How fast and how light it is: beside a pass-through that only copies bytes, and
//! beside no proxy at all, in one run on loopback. `scripts/bench` runs it; ratios are
//! what counts, since machines differ. Timings are no tests: nothing fails here.

mod faulty;
mod floor;
mod instructions;
mod load;
mod process;
mod stress;
mod table;
mod upstream;
mod wire;

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use load::{Ask, Words};
use process::Process;
use table::{Row, Table};

fn main() -> io::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments
        .iter()
        .map(String::as_str)
        .filter(|argument| *argument != "--bench")
        .collect();
    match arguments[..] {
        ["upstream"] => upstream::serve(None),
        ["upstream", certificate] => upstream::serve(Some(certificate)),
        ["floor", upstream] => floor::serve(upstream.parse().map_err(io::Error::other)?),
        ["stress", ref parts @ ..] => stress::run(parts),
        ref rows => measure(rows),
    }
}

/// A listener whose address is printed for the one who started this process.
fn listen() -> io::Result<TcpListener> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    socket2::SockRef::from(&listener).listen(8192)?;
    println!("{}", listener.local_addr()?);
    Ok(listener)
}

/// Thousands of these fit into a small machine.
fn small_thread<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> io::Result<JoinHandle<T>> {
    thread::Builder::new().stack_size(128 * 1024).spawn(work)
}

/// All that is measured side by side.
struct Bench {
    upstream: Process,
    floor: Process,
    proxy: Process,
}

/// One of the ways to the upstream.
#[derive(Clone, Copy)]
struct Way<'b> {
    process: &'b Process,
    words: Words,
}

impl Bench {
    fn start(core: Option<usize>) -> io::Result<Self> {
        let upstream = Process::role(&["upstream"], core)?;
        let address = upstream.address.to_string();
        let floor = Process::role(&["floor", &address], core)?;
        let proxy = Process::proxy(upstream.address, core)?;
        Ok(Self {
            upstream,
            floor,
            proxy,
        })
    }

    fn direct(&self) -> Way<'_> {
        Way {
            process: &self.upstream,
            words: Words::Gemini,
        }
    }

    fn floor(&self) -> Way<'_> {
        Way {
            process: &self.floor,
            words: Words::Gemini,
        }
    }

    fn proxy(&self) -> Way<'_> {
        Way {
            process: &self.proxy,
            words: Words::Chat,
        }
    }

    fn responses(&self) -> Way<'_> {
        Way {
            process: &self.proxy,
            words: Words::Responses,
        }
    }
}

impl Way<'_> {
    fn address(&self) -> SocketAddr {
        self.process.address
    }

    fn cpu(&self) -> io::Result<Duration> {
        Ok(self.process.used()?.cpu)
    }
}

/// The rows that are named, or all.
fn measure(named: &[&str]) -> io::Result<()> {
    let wanted = |name: &str| named.is_empty() || named.contains(&name);
    let mut table = Table::default();
    if wanted("latency") {
        latency(&mut table, "", &Bench::start(None)?)?;
        latency(&mut table, ", one core", &Bench::start(Some(0))?)?;
    }
    if wanted("load") {
        load(&mut table)?;
    }
    if wanted("events") {
        events(&mut table)?;
    }
    if wanted("tls") {
        tls(&mut table)?;
    }
    if wanted("paced") {
        for (count, pause) in [(100, 20), (1000, 20), (5000, 100)] {
            paced(&mut table, count, pause)?;
        }
    }
    if wanted("large") {
        large(&mut table)?;
    }
    if wanted("rest") {
        rest(&mut table)?;
    }
    let within_budget = match wanted("instructions") {
        true => instructions::measure(&mut table),
        false => Ok(()),
    };
    print!("{table}");
    within_budget
}

fn latency(table: &mut Table, where_: &str, bench: &Bench) -> io::Result<()> {
    let small = Ask::default();
    let p = |way: Way<'_>, share: f64| {
        let times = load::one_by_one(way.address(), &small.request(way.words), 4000)?;
        io::Result::Ok(micros(at(&times, share)))
    };
    for (name, share, target) in [
        ("p50", 0.5, if where_.is_empty() { 1.5 } else { 2.0 }),
        ("p99", 0.99, f64::NAN),
    ] {
        table.add(Row {
            what: format!("one after another{where_}, {name}, µs"),
            direct: p(bench.direct(), share)?,
            floor: p(bench.floor(), share)?,
            proxy: p(bench.proxy(), share)?,
            most: target,
            ..Row::default()
        });
    }
    if where_.is_empty() {
        table.add(Row {
            what: "the same by Responses, p50, µs".to_owned(),
            floor: p(bench.floor(), 0.5)?,
            proxy: p(bench.responses(), 0.5)?,
            most: 1.5,
            ..Row::default()
        });
        let tools = Ask { tools: 40, ..small };
        let with = |ask: Ask| {
            let request = ask.request(Words::Chat);
            let times = load::one_by_one(bench.proxy.address, &request, 1000)?;
            io::Result::Ok(micros(at(&times, 0.5)))
        };
        table.add(Row {
            what: "40 tools beside none (in place of the floor), p50, µs".to_owned(),
            floor: with(small)?,
            proxy: with(tools)?,
            most: 1.5,
            ..Row::default()
        });
        let stream = Ask {
            stream: Some((1, 0)),
            ..small
        };
        let first = |way: Way<'_>| {
            let times =
                load::first_events(way.address(), way.words, &stream.request(way.words), 1000)?;
            io::Result::Ok(micros(at(&times, 0.5)))
        };
        table.add(Row {
            what: "first event with content, new connection, p50, µs".to_owned(),
            direct: first(bench.direct())?,
            floor: first(bench.floor())?,
            proxy: first(bench.proxy())?,
            most: 1.6,
            ..Row::default()
        });
    }
    Ok(())
}

fn load(table: &mut Table) -> io::Result<()> {
    let bench = Bench::start(None)?;
    let small = Ask::default();
    let run = |way: Way<'_>| {
        let request = small.request(way.words);
        load::at_once(way.address(), &request, 64, Duration::from_secs(1))?;
        let (connections, cpu) = (connections(&bench)?, way.cpu()?);
        let (rate, count) = load::at_once(way.address(), &request, 64, Duration::from_secs(4))?;
        let cpu = micros(way.cpu()?.saturating_sub(cpu)) / count as f64;
        let opened = self::connections(&bench)? - connections - 1.0;
        io::Result::Ok((rate, cpu, opened))
    };
    let (direct, floor, proxy) = (
        run(bench.direct())?,
        run(bench.floor())?,
        run(bench.proxy())?,
    );
    table.add(Row {
        what: "64 connections, requests/s".to_owned(),
        direct: direct.0,
        floor: floor.0,
        proxy: proxy.0,
        least: 0.7,
        ..Row::default()
    });
    table.add(Row {
        what: "64 connections, CPU a request, µs".to_owned(),
        floor: floor.1,
        proxy: proxy.1,
        ..Row::default()
    });
    table.add(Row {
        what: "connections opened to the upstream meanwhile".to_owned(),
        floor: floor.2,
        proxy: proxy.2,
        ..Row::default()
    });
    Ok(())
}

/// So many have been opened to the upstream, this one included.
fn connections(bench: &Bench) -> io::Result<f64> {
    let count = load::read(bench.upstream.address, "/connections")?;
    Ok(count.parse().unwrap_or(f64::NAN))
}

fn events(table: &mut Table) -> io::Result<()> {
    let bench = Bench::start(None)?;
    for (count, events) in [(1, 400_000), (64, 8_000)] {
        let ask = Ask {
            stream: Some((events, 0)),
            ..Ask::default()
        };
        let run = |way: Way<'_>| {
            let request = ask.request(way.words);
            let cpu = way.cpu()?;
            let seen = load::streams(
                way.address(),
                way.words,
                &request,
                (count, events),
                false,
                || (),
            )?;
            let cpu = micros(way.cpu()?.saturating_sub(cpu)) / seen.events as f64;
            complain(&seen);
            io::Result::Ok((seen.events as f64 / seen.time.as_secs_f64(), cpu))
        };
        let direct = run(bench.direct())?;
        let floor = run(bench.floor())?;
        let streams = if count == 1 {
            "1 stream".to_owned()
        } else {
            format!("{count} streams")
        };
        for (way, name, cpu) in [
            (bench.proxy(), "", 2.0),
            (bench.responses(), " by Responses", f64::NAN),
        ] {
            let proxy = run(way)?;
            table.add(Row {
                what: format!("{streams}{name}, events/s"),
                direct: direct.0,
                floor: floor.0,
                proxy: proxy.0,
                least: 0.25,
                ..Row::default()
            });
            table.add(Row {
                what: format!("{streams}{name}, CPU an event, µs"),
                floor: floor.1,
                proxy: proxy.1,
                at_most: cpu,
                ..Row::default()
            });
        }
    }
    Ok(())
}

/// What TLS to the upstream costs, beside the proxy without it.
fn tls(table: &mut Table) -> io::Result<()> {
    const EVENTS: usize = 200_000;
    let folder = tempfile::tempdir()?;
    let certificate = folder.path().join("certificate.pem");
    let secure = Process::role(&["upstream", &certificate.to_string_lossy()], None)?;
    let secured = Process::secured_proxy(secure.address, &certificate)?;
    let plain = Process::role(&["upstream"], None)?;
    let unsecured = Process::proxy(plain.address, None)?;
    let ask = Ask::default().request(Words::Chat);
    let p50 = |proxy: &Process| {
        let times = load::one_by_one(proxy.address, &ask, 4000)?;
        io::Result::Ok(micros(at(&times, 0.5)))
    };
    table.add(Row {
        what: "one after another by TLS beside without (in place of the floor), p50, µs".to_owned(),
        floor: p50(&unsecured)?,
        proxy: p50(&secured)?,
        ..Row::default()
    });
    let stream = Ask {
        stream: Some((EVENTS, 0)),
        ..Ask::default()
    };
    let stream = stream.request(Words::Chat);
    let cpu = |proxy: &Process| {
        let before = proxy.used()?.cpu;
        load::ask(proxy.address, &stream, 1)?;
        let cpu = proxy.used()?.cpu.saturating_sub(before);
        io::Result::Ok(micros(cpu) / EVENTS as f64)
    };
    table.add(Row {
        what: "1 stream by TLS beside without, CPU an event, µs".to_owned(),
        floor: cpu(&unsecured)?,
        proxy: cpu(&secured)?,
        at_most: 2.0,
        ..Row::default()
    });
    Ok(())
}

fn paced(table: &mut Table, count: usize, pause: u64) -> io::Result<()> {
    let bench = Bench::start(None)?;
    let events = usize::try_from(5000 / pause).unwrap_or(50);
    let ask = Ask {
        stream: Some((events, pause * 1000)),
        ..Ask::default()
    };
    let run = |way: Way<'_>| {
        let request = ask.request(way.words);
        let before = way.process.used()?;
        let mut during = before;
        let midway = || {
            thread::sleep(Duration::from_secs(3));
            during = way.process.used().unwrap_or(before);
        };
        let seen = load::streams(
            way.address(),
            way.words,
            &request,
            (count, events),
            true,
            midway,
        )?;
        complain(&seen);
        let cpu = micros(way.cpu()?.saturating_sub(before.cpu)) / seen.events.max(1) as f64;
        let memory = during.resident.saturating_sub(before.resident) as f64 / count as f64;
        let late = f64::from(at(&seen.lateness, 0.99)) / 1000.0;
        io::Result::Ok((seen.lost as f64, late, cpu, memory, during.threads as f64))
    };
    let (floor, proxy) = (run(bench.floor())?, run(bench.proxy())?);
    let name = format!("{count} streams, an event every {pause} ms");
    let row = |what: &str, floor: f64, proxy: f64| Row {
        what: format!("{name}: {what}"),
        floor,
        proxy,
        ..Row::default()
    };
    table.add(Row {
        at_most: 0.0,
        ..row("lost", floor.0, proxy.0)
    });
    table.add(Row {
        most: 1.5,
        ..row("lateness p99, ms", floor.1, proxy.1)
    });
    table.add(row("CPU an event, µs", floor.2, proxy.2));
    table.add(Row {
        at_most: 90.0,
        ..row("memory a stream, KiB", floor.3, proxy.3)
    });
    table.add(row("threads", floor.4, proxy.4));
    Ok(())
}

fn large(table: &mut Table) -> io::Result<()> {
    const MIB: usize = 1024 * 1024;
    for (name, text, image) in [
        ("1 MB of text", MIB, 0),
        ("1 MB of text, an image of 4 MB", MIB, 4 * MIB),
    ] {
        let bench = Bench::start(None)?;
        let ask = Ask {
            text,
            image,
            ..Ask::default()
        };
        let run = |way: Way<'_>| {
            let request = ask.request(way.words);
            let times = load::one_by_one(way.address(), &request, 40)?;
            let used = way.process.used()?;
            // The peak of one request, beyond what is there anyway.
            way.process.forget_peak()?;
            let idle = way.process.used()?.resident;
            load::one_by_one(way.address(), &request, 3)?;
            let peak = way
                .process
                .used()?
                .peak
                .max(used.peak)
                .saturating_sub(idle.min(4096));
            io::Result::Ok((
                micros(at(&times, 0.5)),
                peak as f64 * 1024.0 / request.len() as f64,
            ))
        };
        let (direct, floor, proxy) = (
            run(bench.direct())?,
            run(bench.floor())?,
            run(bench.proxy())?,
        );
        table.add(Row {
            what: format!("{name}, p50, µs"),
            direct: direct.0,
            floor: floor.0,
            proxy: proxy.0,
            most: 2.0,
            ..Row::default()
        });
        table.add(Row {
            what: format!("{name}, peak memory by the body's size"),
            floor: floor.1,
            proxy: proxy.1,
            at_most: 3.0,
            ..Row::default()
        });
    }
    Ok(())
}

fn rest(table: &mut Table) -> io::Result<()> {
    let upstream = Process::role(&["upstream"], None)?;
    let mut starts = Vec::new();
    let mut idle = 0;
    for _ in 0..20 {
        let begun = Instant::now();
        let proxy = Process::proxy(upstream.address, None)?;
        starts.push(begun.elapsed());
        drop(TcpStream::connect(proxy.address));
        idle = proxy.used()?.resident;
    }
    starts.sort_unstable();
    let row = |what: &str, proxy: f64, at_most: f64| Row {
        what: what.to_owned(),
        proxy,
        at_most,
        ..Row::default()
    };
    table.add(row(
        "start to listening, ms",
        micros(at(&starts, 0.5)) / 1000.0,
        5.0,
    ));
    table.add(row("idle, resident MiB", idle as f64 / 1024.0, 3.0));
    let binary = Path::new(env!("CARGO_BIN_EXE_gemini-proxy"));
    let size = std::fs::metadata(binary)?.len() as f64 / (1024.0 * 1024.0);
    table.add(row("binary, MiB", size, 3.0));
    Ok(())
}

fn complain(seen: &load::Streams) {
    if seen.disordered > 0 {
        eprintln!("{} streams were out of order", seen.disordered);
    }
}

fn at<T: Copy + Default>(sorted: &[T], share: f64) -> T {
    let place = (sorted.len() as f64 * share) as usize;
    let last = sorted.len().saturating_sub(1);
    sorted.get(place.min(last)).copied().unwrap_or_default()
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}
