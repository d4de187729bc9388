//! When names are looked up: for a new connection, and not for each request.
//!
//! ureq asks its resolver before it looks for an idle connection, and has a thread made for every
//! question. A poll of a thousand channels would ask the name server more than a hundred times for
//! what it then has no use for.

use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{
    ConnectionDetails, Connector, NextTimeout, TcpConnector, Transport,
};

/// Leaves the question to [`Lookup`].
#[derive(Debug)]
pub(super) struct Later;

impl Resolver for Later {
    fn resolve(
        &self,
        _: &Uri,
        _: &Config,
        _: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        Ok(self.empty())
    }
}

/// Connects to where the name leads to now. Lookup and connection share one limit.
#[derive(Debug)]
pub(super) struct Lookup<R> {
    names: R,
    tcp: TcpConnector,
}

impl<R: Resolver> Lookup<R> {
    /// With this resolver.
    pub(super) fn new(names: R) -> Lookup<R> {
        Lookup {
            names,
            tcp: TcpConnector::default(),
        }
    }
}

impl<In: Transport, R: Resolver> Connector<In> for Lookup<R> {
    type Out = <TcpConnector as Connector<In>>::Out;

    fn connect(
        &self,
        details: &ConnectionDetails<'_>,
        chained: Option<In>,
    ) -> Result<Option<Self::Out>, ureq::Error> {
        if chained.is_some() {
            // The tunnel stands already.
            return self.tcp.connect(details, chained);
        }
        let (uri, config) = (details.uri, details.config);
        let found = ConnectionDetails {
            addrs: self.names.resolve(uri, config, details.timeout)?,
            uri,
            config,
            request_level: details.request_level,
            resolver: details.resolver,
            now: details.now,
            timeout: details.timeout,
            current_time: details.current_time.clone(),
            run_connector: details.run_connector.clone(),
            register_shutdown: details.register_shutdown.clone(),
        };
        self.tcp.connect(&found, None)
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader, Write};
    use std::net::TcpListener;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::thread;

    use ureq::Agent;
    use ureq::unversioned::resolver::DefaultResolver;

    use super::*;

    #[derive(Debug)]
    struct Counting(Arc<AtomicUsize>);

    impl Resolver for Counting {
        fn resolve(
            &self,
            uri: &Uri,
            config: &Config,
            timeout: NextTimeout,
        ) -> Result<ResolvedSocketAddrs, ureq::Error> {
            self.0.fetch_add(1, Ordering::Relaxed);
            DefaultResolver::default().resolve(uri, config, timeout)
        }
    }

    #[test]
    fn a_name_is_looked_up_once_for_each_connection() {
        const REQUESTS: usize = 3;
        const CONNECTIONS: usize = 2;
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = thread::spawn(move || {
            for _ in 0..CONNECTIONS {
                let (mut stream, _) = listener.accept().unwrap();
                let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
                for n in 1..=REQUESTS {
                    while !lines.next().unwrap().unwrap().is_empty() {}
                    let close = if n == REQUESTS {
                        "Connection: close\r\n"
                    } else {
                        ""
                    };
                    write!(
                        stream,
                        "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n{close}\r\n"
                    )
                    .unwrap();
                }
            }
        });
        let asked = Arc::new(AtomicUsize::new(0));
        let lookup = Lookup::new(Counting(asked.clone()));
        let agent = Agent::with_parts(Config::default(), ().chain(lookup), Later);
        for n in 0..CONNECTIONS * REQUESTS {
            let mut answer = agent
                .get(format!("http://localhost:{port}/"))
                .call()
                .unwrap();
            answer.body_mut().read_to_string().unwrap();
            assert_eq!(asked.load(Ordering::Relaxed), 1 + n / REQUESTS);
        }
        server.join().unwrap();
    }
}
