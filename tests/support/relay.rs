//! TLS in front of a loopback port, so that `https://` and `mqtts://` can be tested with
//! servers that speak neither.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, JoinHandle};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert, WebPkiClientVerifier};
use rustls::sign::CertifiedKey;
use rustls::{RootCertStore, ServerConfig, ServerConnection};

use super::certificates::Certificates;
use super::ports::connect;

/// A TLS-terminating relay; it stops when dropped.
pub struct Relay {
    address: SocketAddr,
    shared: Arc<Shared>,
    accept: Option<JoinHandle<()>>,
}

struct Shared {
    to: u16,
    config: Arc<ServerConfig>,
    /// What each client showed as its own certificate.
    shown: Mutex<Vec<Vec<u8>>>,
    hellos: Arc<Mutex<Vec<Hello>>>,
    closing: AtomicBool,
    open: Mutex<Vec<TcpStream>>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

/// What a client said when it came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hello {
    /// The host that it asked for by name.
    pub name: Option<String>,
    /// The protocols that it offered (ALPN).
    pub protocols: Vec<String>,
}

impl Relay {
    /// Takes TLS on a free loopback port and relays the plain bytes to port `to`.
    pub fn start(to: u16, certificates: &Certificates) -> Relay {
        Relay::on(free_port(), to, certificates, false)
    }

    /// The same for clients with a certificate of the same authority.
    pub fn mutual(to: u16, certificates: &Certificates) -> Relay {
        Relay::on(free_port(), to, certificates, true)
    }

    /// The same on a port that was taken already, and, if wanted, for those only who show a
    /// certificate of the same authority.
    pub fn on(
        listener: TcpListener,
        to: u16,
        certificates: &Certificates,
        wants_certificate: bool,
    ) -> Relay {
        let hellos = Arc::new(Mutex::new(Vec::new()));
        let address = listener.local_addr().expect("a bound port");
        let shared = Arc::new(Shared {
            to,
            config: server_config(certificates, wants_certificate, Arc::clone(&hellos)),
            shown: Mutex::default(),
            hellos,
            closing: AtomicBool::new(false),
            open: Mutex::default(),
            threads: Mutex::default(),
        });
        let accepting = Arc::clone(&shared);
        let accept = Builder::new().name("relay".into()).spawn(move || {
            for outer in listener.incoming().flatten() {
                if accepting.closing.load(Ordering::SeqCst) {
                    return;
                }
                // Who cannot be served is let go.
                let _ = accepting.relay(outer);
            }
        });
        Relay {
            address,
            shared,
            accept: Some(accept.expect("a thread")),
        }
    }

    /// The certificates that clients showed, in DER, one for each connection.
    pub fn shown(&self) -> Vec<Vec<u8>> {
        lock(&self.shared.shown).clone()
    }

    /// What its clients said so far.
    pub fn hellos(&self) -> Vec<Hello> {
        lock(&self.shared.hellos).clone()
    }

    /// The port that takes TLS.
    pub fn port(&self) -> u16 {
        self.address.port()
    }
}

fn free_port() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").expect("a free loopback port")
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.shared.closing.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address);
        if let Some(accept) = self.accept.take() {
            let _ = accept.join();
        }
        for stream in lock(&self.shared.open).iter() {
            let _ = stream.shutdown(Shutdown::Both);
        }
        let threads = std::mem::take(&mut *lock(&self.shared.threads));
        for thread in threads {
            let _ = thread.join();
        }
    }
}

/// The one certificate, whoever asks; it listens to how they ask.
#[derive(Debug)]
struct Listening {
    key: Arc<CertifiedKey>,
    hellos: Arc<Mutex<Vec<Hello>>>,
}

impl ResolvesServerCert for Listening {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let text = |protocol: &[u8]| String::from_utf8_lossy(protocol).into_owned();
        let protocols = hello.alpn().into_iter().flatten();
        lock(&self.hellos).push(Hello {
            name: hello.server_name().map(String::from),
            protocols: protocols.map(text).collect(),
        });
        Some(Arc::clone(&self.key))
    }
}

fn server_config(
    certificates: &Certificates,
    wants_certificate: bool,
    hellos: Arc<Mutex<Vec<Hello>>>,
) -> Arc<ServerConfig> {
    let read =
        |name| CertificateDer::from_pem_file(certificates.path(name)).expect("a certificate");
    let key = PrivateKeyDer::from_pem_file(certificates.path("server.key")).expect("a key");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let key = CertifiedKey::from_der(vec![read("server.pem")], key, &provider);
    let key = Arc::new(key.expect("a key that fits the certificate"));
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .expect("ring knows the default versions");
    let builder = if wants_certificate {
        let mut roots = RootCertStore::empty();
        roots.add(read("ca.pem")).expect("an authority");
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
        builder.with_client_cert_verifier(verifier.build().expect("an authority"))
    } else {
        builder.with_no_client_auth()
    };
    let mut config = builder.with_cert_resolver(Arc::new(Listening { key, hellos }));
    // As AWS IoT Core: who offers protocols must offer this one, who offers none is taken.
    config.alpn_protocols = vec![b"x-amzn-mqtt-ca".to_vec(), b"http/1.1".to_vec()];
    Arc::new(config)
}

impl Shared {
    fn relay(self: &Arc<Shared>, outer: TcpStream) -> io::Result<()> {
        let inner = connect(self.to)?;
        inner.set_read_timeout(None)?;
        outer.set_nodelay(true)?;
        inner.set_nodelay(true)?;
        let mut open = lock(&self.open);
        open.retain(|s| s.peer_addr().is_ok());
        open.extend([outer.try_clone()?, inner.try_clone()?]);
        drop(open);
        let tls = ServerConnection::new(Arc::clone(&self.config)).map_err(io::Error::other)?;
        let tls = Arc::new(Mutex::new(tls));
        let shared = Arc::clone(self);
        let incoming = (Arc::clone(&tls), outer.try_clone()?, inner.try_clone()?);
        let asking = Builder::new().name("relay-ask".into()).spawn(move || {
            let (tls, outer, inner) = incoming;
            let _ = decrypt(&tls, &outer, &inner, &shared.shown);
            let _ = inner.shutdown(Shutdown::Write);
        })?;
        let answering = Builder::new().name("relay-answer".into()).spawn(move || {
            let _ = encrypt(&tls, &inner, &outer);
            let _ = outer.shutdown(Shutdown::Both);
            let _ = inner.shutdown(Shutdown::Both);
        })?;
        let mut threads = lock(&self.threads);
        threads.retain(|t| !t.is_finished());
        threads.extend([asking, answering]);
        Ok(())
    }
}

/// From the client to the server. The lock is held only while bytes are turned over, never
/// while waiting for more, so both directions run at once.
fn decrypt(
    tls: &Mutex<ServerConnection>,
    mut outer: &TcpStream,
    mut inner: &TcpStream,
    shown: &Mutex<Vec<Vec<u8>>>,
) -> io::Result<()> {
    let mut chunk = [0; 16 * 1024];
    let mut is_new = true;
    loop {
        let n = outer.read(&mut chunk)?;
        if n == 0 {
            return Ok(());
        }
        let mut received = &chunk[..n];
        while !received.is_empty() {
            let mut plain = Vec::new();
            let mut tls = lock(tls);
            tls.read_tls(&mut received)?;
            let state = tls.process_new_packets().map_err(io::Error::other);
            if is_new && let Some([leaf, ..]) = tls.peer_certificates() {
                lock(shown).push(leaf.to_vec());
                is_new = false;
            }
            while tls.wants_write() {
                tls.write_tls(&mut outer)?;
            }
            plain.resize(state?.plaintext_bytes_to_read(), 0);
            tls.reader().read_exact(&mut plain)?;
            drop(tls);
            inner.write_all(&plain)?;
        }
    }
}

/// From the server to the client.
fn encrypt(
    tls: &Mutex<ServerConnection>,
    mut inner: &TcpStream,
    mut outer: &TcpStream,
) -> io::Result<()> {
    let mut chunk = [0; 16 * 1024];
    loop {
        let n = inner.read(&mut chunk)?;
        let mut tls = lock(tls);
        if n == 0 {
            tls.send_close_notify();
        } else {
            tls.writer().write_all(&chunk[..n])?;
        }
        while tls.wants_write() {
            tls.write_tls(&mut outer)?;
        }
        if n == 0 {
            return Ok(());
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
