//! The clients: what they send to whom, and what they saw.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::upstream::now;
use crate::wire::Line;

/// Who is asked, and in which words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Words {
    Gemini,
    Chat,
    Responses,
}

/// What a request asks for beyond a short question.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Ask {
    pub(crate) stream: Option<(usize, u64)>,
    pub(crate) text: usize,
    /// Bytes of an image, before base64.
    pub(crate) image: usize,
    pub(crate) tools: usize,
}

impl Words {
    /// What stands before the text of an event.
    fn mark(self) -> &'static [u8] {
        match self {
            Self::Gemini => b"\"text\":\"t=",
            Self::Chat => b"\"content\":\"t=",
            Self::Responses => b"\"delta\":\"t=",
        }
    }
}

impl Ask {
    /// The bytes of the request.
    pub(crate) fn request(&self, words: Words) -> Vec<u8> {
        let (events, pause) = self.stream.unwrap_or((1, 0));
        let model = format!("gemini-bench-{events}-{pause}");
        let text = "word ".repeat(self.text / 5) + "Hello";
        let image = "QUJD".repeat(self.image / 3);
        let streams = self.stream.is_some();
        let (target, body) = match words {
            Words::Gemini => {
                let method = if streams {
                    "streamGenerateContent?alt=sse"
                } else {
                    "generateContent"
                };
                let image = if image.is_empty() {
                    String::new()
                } else {
                    format!(r#",{{"inlineData":{{"mimeType":"image/png","data":"{image}"}}}}"#)
                };
                let tools = list(self.tools, |nth| tool(nth, false));
                (
                    format!("/v1beta/models/{model}:{method}"),
                    format!(
                        r#"{{"contents":[{{"role":"user","parts":[{{"text":"{text}"}}{image}]}}],"tools":[{{"functionDeclarations":[{tools}]}}],"generationConfig":{{}}}}"#
                    ),
                )
            }
            Words::Chat => {
                let content = if image.is_empty() {
                    format!("\"{text}\"")
                } else {
                    format!(
                        r#"[{{"type":"text","text":"{text}"}},{{"type":"image_url","image_url":{{"url":"data:image/png;base64,{image}"}}}}]"#
                    )
                };
                let tools = list(self.tools, |nth| tool(nth, true));
                (
                    "/v1/chat/completions".to_owned(),
                    format!(
                        r#"{{"model":"{model}","stream":{streams},"messages":[{{"role":"user","content":{content}}}],"tools":[{tools}]}}"#
                    ),
                )
            }
            Words::Responses => (
                "/v1/responses".to_owned(),
                format!(
                    r#"{{"model":"{model}","stream":{streams},"store":false,"input":"{text}"}}"#
                ),
            ),
        };
        let length = body.len();
        format!("POST {target} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}").into_bytes()
    }
}

fn list(count: usize, item: impl Fn(usize) -> String) -> String {
    (0..count).map(item).collect::<Vec<_>>().join(",")
}

/// As agents declare them: some depth, some words.
fn tool(nth: usize, is_nested: bool) -> String {
    let schema = r#"{"type":"object","properties":{"path":{"type":"string","description":"The absolute path of the file."},"mode":{"type":"string","enum":["read","write","append"]},"lines":{"type":"array","items":{"type":"integer"},"minItems":1},"options":{"type":"object","properties":{"encoding":{"type":"string"},"follow":{"type":"boolean"}},"required":["encoding"]}},"required":["path","mode"]"#;
    let (key, noise) = if is_nested {
        (
            "parameters",
            r#","additionalProperties":false,"$schema":"http://json-schema.org/draft-07/schema#""#,
        )
    } else {
        ("parametersJsonSchema", "")
    };
    let function = format!(
        r#"{{"name":"tool_{nth}","description":"Reads and writes the file of number {nth}.","{key}":{schema}{noise}}}}}"#
    );
    if is_nested {
        format!(r#"{{"type":"function","function":{function}}}"#)
    } else {
        function
    }
}

/// A connection that is made when it is needed.
struct Client {
    address: SocketAddr,
    line: Option<Line>,
}

impl Client {
    fn new(address: SocketAddr) -> Self {
        Self {
            address,
            line: None,
        }
    }

    /// Asks, and hands out the answer as it comes.
    fn ask(&mut self, request: &[u8], mut take: impl FnMut(&[u8])) -> io::Result<()> {
        let mut line = match self.line.take() {
            Some(line) => line,
            None => Line::connect(self.address)?,
        };
        line.send(request)?;
        let Some(head) = line.head()? else {
            return Err(io::ErrorKind::UnexpectedEof.into());
        };
        if !head.bytes.starts_with(b"HTTP/1.1 200") {
            let head = String::from_utf8_lossy(&head.bytes).into_owned();
            return Err(io::Error::other(head));
        }
        line.body(head.body, &mut take)?;
        let closes = memchr::memmem::find(&head.bytes, b"Connection: close").is_some();
        if !closes {
            self.line = Some(line);
        }
        Ok(())
    }
}

/// A page, as text.
pub(crate) fn read(address: SocketAddr, path: &str) -> io::Result<String> {
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let mut page = Vec::new();
    Client::new(address).ask(request.as_bytes(), |piece| page.extend_from_slice(piece))?;
    Ok(String::from_utf8_lossy(&page).into_owned())
}

/// Asks so many times, one after another.
pub(crate) fn ask(address: SocketAddr, request: &[u8], count: usize) -> io::Result<()> {
    let mut client = Client::new(address);
    (0..count).try_for_each(|_| client.ask(request, |_| ()))
}

/// How long each of `count` requests took, one after another, sorted.
pub(crate) fn one_by_one(
    address: SocketAddr,
    request: &[u8],
    count: usize,
) -> io::Result<Vec<Duration>> {
    let mut client = Client::new(address);
    for _ in 0..count.min(100) {
        client.ask(request, |_| ())?;
    }
    let mut times = Vec::with_capacity(count);
    for _ in 0..count {
        let begun = Instant::now();
        client.ask(request, |_| ())?;
        times.push(begun.elapsed());
    }
    times.sort_unstable();
    Ok(times)
}

/// How long it took to the first event with content, each on a connection of its own.
pub(crate) fn first_events(
    address: SocketAddr,
    words: Words,
    request: &[u8],
    count: usize,
) -> io::Result<Vec<Duration>> {
    let mut times = Vec::with_capacity(count);
    for _ in 0..count {
        let mut client = Client::new(address);
        let begun = Instant::now();
        let mut first = None;
        client.ask(request, |piece| {
            if first.is_none() && memchr::memmem::find(piece, words.mark()).is_some() {
                first = Some(begun.elapsed());
            }
        })?;
        times.extend(first);
    }
    times.sort_unstable();
    Ok(times)
}

/// Requests in a second from `clients` at once.
pub(crate) fn at_once(
    address: SocketAddr,
    request: &[u8],
    clients: usize,
    time: Duration,
) -> io::Result<(f64, usize)> {
    let (done, stop) = (AtomicUsize::new(0), AtomicBool::new(false));
    let begun = Instant::now();
    thread::scope(|scope| {
        let workers: Vec<_> = (0..clients)
            .map(|_| {
                scope.spawn(|| {
                    let mut client = Client::new(address);
                    while !stop.load(Ordering::Relaxed) {
                        client.ask(request, |_| ())?;
                        done.fetch_add(1, Ordering::Relaxed);
                    }
                    io::Result::Ok(())
                })
            })
            .collect();
        thread::sleep(time);
        stop.store(true, Ordering::Relaxed);
        workers
            .into_iter()
            .try_for_each(|worker| worker.join().unwrap_or(Ok(())))
    })?;
    let count = done.into_inner();
    Ok((count as f64 / begun.elapsed().as_secs_f64(), count))
}

/// Asks so many times over so many connections; says how often it was answered.
pub(crate) fn so_many(address: SocketAddr, request: &[u8], clients: usize, count: usize) -> usize {
    let (left, done) = (AtomicUsize::new(count), AtomicUsize::new(0));
    let take = |left: usize| left.checked_sub(1);
    thread::scope(|scope| {
        for _ in 0..clients {
            scope.spawn(|| {
                let mut client = Client::new(address);
                while left
                    .fetch_update(Ordering::Relaxed, Ordering::Relaxed, take)
                    .is_ok()
                {
                    let answered = client.ask(request, |_| ()).is_ok();
                    done.fetch_add(usize::from(answered), Ordering::Relaxed);
                }
            });
        }
    });
    done.into_inner()
}

/// What many streams at once came to.
#[derive(Debug, Default)]
pub(crate) struct Streams {
    pub(crate) events: usize,
    /// Streams that did not begin, broke off, or had fewer events than they should.
    pub(crate) lost: usize,
    pub(crate) disordered: usize,
    pub(crate) time: Duration,
    /// Of events of paced streams, in microseconds, sorted.
    pub(crate) lateness: Vec<u32>,
}

/// Opens `count` streams; `midway` is called when all of them should be running.
pub(crate) fn streams(
    address: SocketAddr,
    words: Words,
    request: &[u8],
    (count, expected): (usize, usize),
    is_paced: bool,
    midway: impl FnOnce(),
) -> io::Result<Streams> {
    let all = Arc::new(Mutex::new(Streams::default()));
    let request: Arc<[u8]> = request.into();
    let ready = Arc::new(Barrier::new(count + 1));
    let mut workers = Vec::with_capacity(count);
    for _ in 0..count {
        let (all, request, ready) = (all.clone(), request.clone(), ready.clone());
        workers.push(crate::small_thread(move || {
            ready.wait();
            let mut seen = Seen::new(words);
            let outcome = Client::new(address).ask(&request, |piece| seen.take(piece, is_paced));
            let mut all = all.lock().unwrap_or_else(PoisonError::into_inner);
            all.events += seen.events;
            all.lost += usize::from(outcome.is_err() || seen.events != expected);
            all.disordered += usize::from(seen.is_disordered);
            all.lateness.append(&mut seen.lateness);
        })?);
    }
    ready.wait();
    let begun = Instant::now();
    midway();
    for worker in workers {
        drop(worker.join());
    }
    let mut all = std::mem::take(&mut *all.lock().unwrap_or_else(PoisonError::into_inner));
    all.time = begun.elapsed();
    all.lateness.sort_unstable();
    Ok(all)
}

/// One stream's events so far.
struct Seen {
    mark: &'static [u8],
    events: usize,
    is_disordered: bool,
    lateness: Vec<u32>,
    /// The end of the last piece, which may hold the beginning of a mark.
    rest: Vec<u8>,
}

impl Seen {
    fn new(words: Words) -> Self {
        Self {
            mark: words.mark(),
            events: 0,
            is_disordered: false,
            lateness: Vec::new(),
            rest: Vec::new(),
        }
    }

    fn take(&mut self, piece: &[u8], is_paced: bool) {
        self.rest.extend_from_slice(piece);
        let now = now();
        let mut used = 0;
        for at in memchr::memmem::find_iter(&self.rest, self.mark) {
            let after = at + self.mark.len();
            let Some((sent, nth)) = mark(&self.rest[after..]) else {
                break;
            };
            used = after;
            self.is_disordered |= nth != self.events;
            self.events += 1;
            if is_paced {
                let late = now.saturating_sub(sent) / 1000;
                self.lateness.push(u32::try_from(late).unwrap_or(u32::MAX));
            }
        }
        let keep = self.rest.len().saturating_sub(64).max(used);
        self.rest.drain(..keep);
    }
}

/// `1795332000000000000;i=17;`
fn mark(text: &[u8]) -> Option<(u128, usize)> {
    let head = &text[..text.len().min(48)];
    let end = memchr::memchr_iter(b';', head).nth(1)?;
    let (sent, nth) = std::str::from_utf8(&head[..end]).ok()?.split_once(";i=")?;
    Some((sent.parse().ok()?, nth.parse().ok()?))
}
