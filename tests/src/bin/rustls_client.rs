//! A client that has rustls inside: it posts the form that `BODY` holds, and reads the answer.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, Stream};

fn main() {
    let words: Vec<String> = std::env::args().collect();
    let [_, address, authority] = &words[..] else { panic!("rustls_client ADDRESS AUTHORITY") };
    let address: SocketAddr = address.parse().expect("an address and a port");
    let mut trusted = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(authority).expect("a file of certificates") {
        trusted.add(certificate.expect("a certificate")).expect("an authority");
    }
    let config = ClientConfig::builder().with_root_certificates(trusted).with_no_client_auth();
    let name = ServerName::from(address.ip());
    let mut session = ClientConnection::new(Arc::new(config), name).expect("a session");
    let mut socket = TcpStream::connect(address).expect("the server listens");
    let mut stream = Stream::new(&mut session, &mut socket);
    let body = std::env::var("BODY").expect("BODY is set");
    let request = format!(
        "POST /x HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: \
         application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).expect("the server reads");
    // A server that closes without a word of TLS is none of ours to judge.
    let _ = stream.read_to_end(&mut Vec::new());
}
