//! The server of `gemini-proxy login`: it waits for Google's redirect, and does
//! nothing else.

use std::sync::Arc;

use super::auth;
use super::page::{Mood, Page};
use crate::http::Pulse;
use crate::server::transport::exchange::Request;
use crate::server::transport::listener::{Handler, Head, Refusal};
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
        let source = PageThen {
            page: Some(auth::page_of(&outcome, None)),
            outcome: Some(outcome),
            tell: self.tell.clone(),
        };
        Reply::Stream {
            headers: Vec::new(),
            source: Box::new(source),
        }
    }

    fn refuse(&self, _: Refusal, _: Head<'_>) -> Reply {
        nothing_here(400)
    }
}

/// The page, and then the news of it: the process may end as soon as it is told,
/// and the page must not be lost. It is told when the writer drops this, which is
/// why a page poses as a stream that is refused at its beginning.
struct PageThen<F: Fn(Redirect)> {
    page: Option<Page>,
    outcome: Option<Result<SignedIn, AccountError>>,
    tell: Arc<F>,
}

impl<F> Source for PageThen<F>
where
    F: Fn(Redirect) + Send + Sync,
{
    fn begin(&mut self, _: &Pulse) -> Result<(), Refused> {
        match self.page.take() {
            Some(page) => Err(Refused {
                reply: page.into_reply(),
                event: Vec::new(),
            }),
            None => Ok(()),
        }
    }

    fn fill(&mut self, _: &mut Vec<u8>, _: &Pulse) -> More {
        More::No
    }

    fn broken(&mut self) -> Refused {
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
