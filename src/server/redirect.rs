//! The server of `gemini-proxy login`: it waits for Google's redirect, and does
//! nothing else.

use std::sync::Arc;

use super::auth;
use super::page::{Mood, Page};
use crate::server::transport::exchange::Request;
use crate::server::transport::listener::{Handler, Refusal};
use crate::server::transport::writer::Reply;
use crate::upstream::account::{Account, AccountError, SignedIn};

pub struct RedirectService<F> {
    account: Arc<Account>,
    done: F,
}

impl<F> RedirectService<F>
where
    F: Fn(Result<SignedIn, AccountError>) + Send + Sync + 'static,
{
    /// `done` gets the outcome of each redirect, before the browser does.
    pub fn new(account: Arc<Account>, done: F) -> Self {
        Self { account, done }
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
        let page = auth::outcome_page(&outcome, None);
        (self.done)(outcome);
        page
    }

    fn refuse(&self, _: Refusal) -> Reply {
        nothing_here(400)
    }
}

fn nothing_here(status: u16) -> Reply {
    Page::new(status, Mood::Calm, "Nothing here")
        .paragraph("`gemini-proxy login` waits at this address for Google's answer.")
        .into_reply()
}
