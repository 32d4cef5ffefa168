//! The server of `gemini-proxy login`: it waits for Google's redirect, and does
//! nothing else.

use std::sync::Arc;

use super::auth;
use super::page::{Mood, Page};
use crate::http::Pulse;
use crate::server::transport::exchange::Request;
use crate::server::transport::listener::{Handler, Refusal};
use crate::server::transport::writer::{More, Refused, Reply, Source};
use crate::upstream::account::{Account, AccountError, SignedIn};

pub struct RedirectService<F> {
    account: Arc<Account>,
    done: Arc<F>,
}

impl<F> RedirectService<F>
where
    F: Fn(Result<SignedIn, AccountError>) + Send + Sync + 'static,
{
    /// `done` gets the outcome of each redirect, when the browser has its page.
    pub fn new(account: Arc<Account>, done: F) -> Self {
        Self {
            account,
            done: Arc::new(done),
        }
    }
}

impl<F> Handler for RedirectService<F>
where
    F: Fn(Result<SignedIn, AccountError>) + Send + Sync + 'static,
{
    fn answer(&self, request: &mut Request) -> Reply {
        // Browsers ask for /favicon.ico, too.
        if request.path != "/auth/callback" {
            return nothing_here(404);
        }
        let outcome = auth::finish(&self.account, request);
        let page = auth::page_of(&outcome, None);
        let source = PageThen {
            html: page.html(),
            outcome: Some(outcome),
            done: self.done.clone(),
        };
        Reply::Stream {
            headers: page.headers(),
            source: Box::new(source),
        }
    }

    fn refuse(&self, _: Refusal, _: Option<&str>) -> Reply {
        nothing_here(400)
    }
}

/// The page, and then the news of it: the process may end as soon as `done` is
/// told, and the page must not be lost. It is told when the writer drops this.
struct PageThen<F: Fn(Result<SignedIn, AccountError>)> {
    html: String,
    outcome: Option<Result<SignedIn, AccountError>>,
    done: Arc<F>,
}

impl<F> Source for PageThen<F>
where
    F: Fn(Result<SignedIn, AccountError>) + Send + Sync,
{
    fn fill(&mut self, out: &mut Vec<u8>, _: &Pulse) -> More {
        out.extend_from_slice(self.html.as_bytes());
        More::No
    }

    fn broken(&self) -> Refused {
        Refused {
            reply: nothing_here(500),
            event: Vec::new(),
        }
    }
}

impl<F: Fn(Result<SignedIn, AccountError>)> Drop for PageThen<F> {
    fn drop(&mut self) {
        if let Some(outcome) = self.outcome.take() {
            (self.done)(outcome);
        }
    }
}

fn nothing_here(status: u16) -> Reply {
    Page::new(status, Mood::Calm, "Nothing here")
        .paragraph("`gemini-proxy login` waits at this address for Google's answer.")
        .into_reply()
}
