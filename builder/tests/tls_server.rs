//! A server on 127.0.0.1 that speaks TLS, with a certificate that only a test believes.

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;

/// The server's certificate, for `localhost`. It vouches for itself.
pub(crate) const CERTIFICATE: &str = "\
-----BEGIN CERTIFICATE-----
MIIBozCCAUqgAwIBAgIUGm9/f+XZk+NgX4OzHj0d1eGdin4wCgYIKoZIzj0EAwIw
HTEbMBkGA1UEAwwSbGFyZGVyIHRlc3Qgc2VydmVyMCAXDTI2MTEyMDE0MjExN1oY
DzIxMjYxMDI3MTQyMTE3WjAdMRswGQYDVQQDDBJsYXJkZXIgdGVzdCBzZXJ2ZXIw
WTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAARVnsMk1eWiUbmxP9wpAwNWRhqgy49v
uTugJ6PS+XzZRS7mtDZJ3o0l3tIcnn7tYmxm1rMcMnslrPkHtxKI/0a4o2YwZDAd
BgNVHQ4EFgQUpWE/Ujl1UX/CgswoFZk/pKBFe5UwHwYDVR0jBBgwFoAUpWE/Ujl1
UX/CgswoFZk/pKBFe5UwFAYDVR0RBA0wC4IJbG9jYWxob3N0MAwGA1UdEwEB/wQC
MAAwCgYIKoZIzj0EAwIDRwAwRAIgV6NtBQohYbEoNFtpgMHGQv6CiIKhLYNQibx0
bSAkCzACIEj4e9m3hUgXuyix+vyTFcoyA2M2KgnWDf1WsLL9Y70n
-----END CERTIFICATE-----
";

/// The key of [`CERTIFICATE`]. It protects nothing.
const KEY: &str = "\
-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgRGbRh9fPBJqfTC67
T7K8zmrAQvI3Dr8OYknn3RzoRvKhRANCAARVnsMk1eWiUbmxP9wpAwNWRhqgy49v
uTugJ6PS+XzZRS7mtDZJ3o0l3tIcnn7tYmxm1rMcMnslrPkHtxKI/0a4
-----END PRIVATE KEY-----
";

/// Serves `content` to everybody who accepts the certificate; the address.
pub(crate) fn serve(content: &'static [u8]) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let config = Arc::new(config());
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            // A client that does not believe the certificate goes away: that is what tests are about.
            let _ = answer(stream, Arc::clone(&config), content);
        }
    });
    address
}

fn config() -> ServerConfig {
    let certificate = CertificateDer::from_pem_slice(CERTIFICATE.as_bytes()).unwrap();
    let key = PrivateKeyDer::from_pem_slice(KEY.as_bytes()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    builder.with_no_client_auth().with_single_cert(vec![certificate], key).unwrap()
}

fn answer(stream: TcpStream, config: Arc<ServerConfig>, content: &[u8]) -> std::io::Result<()> {
    let connection = ServerConnection::new(config).map_err(std::io::Error::other)?;
    let mut stream = StreamOwned::new(connection, stream);
    let mut request = [0; 4096];
    let _ = stream.read(&mut request)?;
    write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", content.len())?;
    stream.write_all(content)?;
    stream.conn.send_close_notify();
    stream.flush()
}
