//! The door that every fetch goes through. The addresses that were checked are
//! the ones connected to: between the check and the connection no name is
//! resolved again, so that an answer which changes meanwhile changes nothing
//! (DNS rebinding).

use std::sync::Arc;

use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{
    ConnectionDetails, Connector, DefaultConnector, NextTimeout, RustlsConnector, Transport,
};
use ureq::{Error, Timeout};

use super::super::waiting::SlicedTransport;
use super::reach::{Reach, Unresolved};

/// As many as ureq takes.
const MAX_ADDRESSES: usize = 16;

/// Resolves what is within reach, and nothing else.
#[derive(Debug)]
pub(super) struct GuardedResolver {
    reach: Reach,
}

impl GuardedResolver {
    pub(super) fn new(reach: Reach) -> Self {
        Self { reach }
    }
}

impl Resolver for GuardedResolver {
    fn resolve(
        &self,
        uri: &Uri,
        _: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, Error> {
        let host = uri.host().ok_or(Error::HostNotFound)?;
        let default_port = if uri.scheme_str() == Some("https") {
            443
        } else {
            80
        };
        let port = uri.port_u16().unwrap_or(default_port);
        let found = self.reach.addresses(host, port, *timeout.after);
        let mut addresses = self.empty();
        for address in found.map_err(explain)?.into_iter().take(MAX_ADDRESSES) {
            addresses.push(address);
        }
        Ok(addresses)
    }
}

fn explain(unresolved: Unresolved) -> Error {
    match unresolved {
        Unresolved::TimedOut => Error::Timeout(Timeout::Resolve),
        Unresolved::NotPublic => Error::HostNotFound,
    }
}

/// Connects to the addresses that [`GuardedResolver`] found, directly or through
/// the user's proxy.
#[derive(Debug)]
pub(super) struct GuardedConnector {
    /// With the proxy, if there is one.
    config: Config,
    plain: Arc<DefaultConnector>,
    tls: RustlsConnector,
}

impl GuardedConnector {
    pub(super) fn new(config: Config) -> Self {
        Self {
            config,
            plain: Arc::default(),
            tls: RustlsConnector::default(),
        }
    }

    /// Asks the proxy for the checked address instead of the name. ureq could be
    /// told to do so by itself, but writes the port twice (3.5.2).
    fn tunnel(&self, details: &ConnectionDetails<'_>) -> Result<Option<Box<dyn Transport>>, Error> {
        let address = details.addrs.first().ok_or(Error::HostNotFound)?;
        let uri: Uri = format!("http://{address}/")
            .parse()
            .map_err(|_| Error::HostNotFound)?;
        // The proxy itself is the user's choice, and may be anywhere.
        let resolver = DefaultResolver::default();
        let mut addrs = resolver.empty();
        addrs.push(*address);
        let plain = self.plain.clone();
        let to_proxy = move |details: &ConnectionDetails<'_>| {
            let transport = plain.connect(details, None)?;
            transport.ok_or(Error::ConnectionFailed)
        };
        let details = ConnectionDetails {
            uri: &uri,
            addrs,
            config: &self.config,
            request_level: false,
            resolver: &resolver,
            now: details.now,
            timeout: details.timeout,
            current_time: details.current_time.clone(),
            run_connector: Arc::new(to_proxy),
            register_shutdown: details.register_shutdown.clone(),
        };
        self.plain.connect(&details, None)
    }
}

impl Connector for GuardedConnector {
    type Out = SlicedTransport;

    fn connect(
        &self,
        details: &ConnectionDetails<'_>,
        _: Option<()>,
    ) -> Result<Option<Self::Out>, Error> {
        let proxy = self.config.proxy();
        if proxy.is_none_or(|proxy| proxy.is_no_proxy(details.uri)) {
            let transport = self.plain.connect(details, None)?;
            return Ok(transport.map(SlicedTransport));
        }
        let tunnel = self.tunnel(details)?;
        // Within the tunnel the name counts again: for the certificate.
        let transport = self.tls.connect(details, tunnel)?;
        Ok(transport.map(|transport| SlicedTransport(Box::new(transport))))
    }
}
