//! Cross-origin resource sharing: web pages of the origins that the user names
//! may ask, and may read what they are answered
//! (<https://fetch.spec.whatwg.org/#http-cors-protocol>).

use super::transport::exchange::Request;
use super::transport::writer::{Heartbeat, More, Refused, Reply, Source};
use crate::config::Origins;
use crate::http::Pulse;

/// What a page may read beside the body; without it an SDK in a browser cannot
/// see how long to wait.
const EXPOSED: &str = "x-request-id, retry-after, retry-after-ms, x-should-retry, \
                       x-gemini-proxy-ignored, x-gemini-proxy-retried";

/// Seconds for which a browser need not ask again. Chrome keeps no answer longer
/// than two hours; a change of the settings should show sooner.
const MAX_AGE: &str = "600";

type Headers = Vec<(&'static str, String)>;

/// The origin that the reply to this request must name, if any.
pub(super) fn allowed<'a>(origins: &Origins, origin: Option<&'a str>) -> Option<&'a str> {
    let origin = origin?;
    match origins {
        Origins::Any => Some(origin),
        Origins::Listed(listed) => {
            let is_listed = listed.iter().any(|one| one.eq_ignore_ascii_case(origin));
            is_listed.then_some(origin)
        }
    }
}

/// The answer to `OPTIONS`, on whatever path; `None` while CORS is off. The headers
/// asked for are echoed: `*` does not cover `Authorization`, and SDKs add their own.
/// Who may read it is told by [`expose`], as of every reply: browsers refuse an origin
/// that is told twice.
pub(super) fn preflight(origins: &Origins, request: &Request) -> Option<Reply> {
    if request.method != "OPTIONS" || origins.is_empty() {
        return None;
    }
    let vary = "Access-Control-Request-Headers".to_owned();
    let mut headers: Headers = vec![("vary", vary)];
    if allowed(origins, request.header("origin")).is_some() {
        let methods = "GET, POST, DELETE, OPTIONS".to_owned();
        headers.push(("access-control-allow-methods", methods));
        if let Some(asked) = request.header("access-control-request-headers") {
            headers.push(("access-control-allow-headers", asked.to_owned()));
        }
        headers.push(("access-control-max-age", MAX_AGE.to_owned()));
        // A public page asks for a machine in a private network.
        if request.header("access-control-request-private-network") == Some("true") {
            headers.push(("access-control-allow-private-network", "true".to_owned()));
        }
    }
    Some(Reply::Whole {
        status: 204,
        headers,
        body: Vec::new(),
    })
}

/// Lets the page at `origin` read a reply, whatever becomes of it.
pub(super) fn expose(origins: &Origins, origin: Option<&str>, reply: Reply) -> Reply {
    if origins.is_empty() {
        return reply;
    }
    let mut exposing: Headers = vec![("vary", "Origin".to_owned())];
    if let Some(origin) = allowed(origins, origin) {
        exposing.push(("access-control-allow-origin", origin.to_owned()));
        exposing.push(("access-control-expose-headers", EXPOSED.to_owned()));
    }
    add(exposing, reply)
}

fn add(exposing: Headers, reply: Reply) -> Reply {
    match reply {
        Reply::Whole {
            status,
            mut headers,
            body,
        } => {
            headers.extend(exposing);
            Reply::Whole {
                status,
                headers,
                body,
            }
        }
        Reply::Stream {
            mut headers,
            source,
        } => {
            headers.extend(exposing.clone());
            let source = Box::new(Exposed { source, exposing });
            Reply::Stream { headers, source }
        }
    }
}

/// A stream that may still become an error with a head of its own.
struct Exposed {
    source: Box<dyn Source>,
    exposing: Headers,
}

impl Exposed {
    fn refused(&self, refused: Refused) -> Refused {
        Refused {
            reply: add(self.exposing.clone(), refused.reply),
            ..refused
        }
    }
}

impl Source for Exposed {
    fn begin(&mut self, pulse: &Pulse) -> Result<(), Refused> {
        let begun = self.source.begin(pulse);
        begun.map_err(|refused| self.refused(refused))
    }

    fn late_headers(&self) -> Headers {
        self.source.late_headers()
    }

    fn fill(&mut self, out: &mut Vec<u8>, pulse: &Pulse) -> More {
        self.source.fill(out, pulse)
    }

    fn heartbeat(&self) -> Heartbeat {
        self.source.heartbeat()
    }

    fn broken(&mut self) -> Refused {
        let refused = self.source.broken();
        self.refused(refused)
    }
}
