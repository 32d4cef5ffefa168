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
    tell: Arc<F>,
}

/// What becomes of a redirect.
#[derive(Debug)]
pub enum Redirect {
    /// Google is being asked, which may take minutes.
    Arrived,
    /// The browser has its page.
    Done(Result<SignedIn, AccountError>),
}

impl<F> RedirectService<F>
where
    F: Fn(Redirect) + Send + Sync + 'static,
{
    /// `tell` hears of each redirect twice.
    pub fn new(account: Arc<Account>, tell: F) -> Self {
        Self {
            account,
            tell: Arc::new(tell),
        }
    }
}

impl<F> Handler for RedirectService<F>
where
    F: Fn(Redirect) + Send + Sync + 'static,
{
    fn answer(&self, request: &mut Request) -> Reply {
        // Browsers ask for /favicon.ico, too.
        if request.path != "/auth/callback" {
            return nothing_here(404);
        }
        (self.tell)(Redirect::Arrived);
        let outcome = auth::finish(&self.account, request);
        let page = auth::page_of(&outcome, None);
        let source = PageThen {
            html: page.html(),
            outcome: Some(outcome),
            tell: self.tell.clone(),
        };
        Reply::Stream {
            headers: page.headers(),
            source: Box::new(source),
        }
    }

    fn refuse(&self, _: Refusal) -> Reply {
        nothing_here(400)
    }
}

/// The page, and then the news of it: the process may end as soon as it is told,
/// and the page must not be lost. It is told when the writer drops this.
struct PageThen<F: Fn(Redirect)> {
    html: String,
    outcome: Option<Result<SignedIn, AccountError>>,
    tell: Arc<F>,
}

impl<F> Source for PageThen<F>
where
    F: Fn(Redirect) + Send + Sync,
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

impl<F: Fn(Redirect)> Drop for PageThen<F> {
    fn drop(&mut self) {
        if let Some(outcome) = self.outcome.take() {
            (self.tell)(Redirect::Done(outcome));
        }
    }
}

fn nothing_here(status: u16) -> Reply {
    Page::new(status, Mood::Calm, "Nothing here")
        .paragraph("`gemini-proxy login` waits at this address for Google's answer.")
        .into_reply()
}
