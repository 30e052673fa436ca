//! nginx in a directory of its own, with pages, plain or over TLS.

use std::fmt::Write as _;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::sys::signal::Signal;
use tempfile::TempDir;

use crate::net::V4;
use crate::program::children;
use crate::tls::Authority;
use crate::wait::wait_for;
use crate::{Running, tool};

/// A free port: bound, and given back.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind((V4, 0)).expect("a port on loopback");
    listener.local_addr().expect("an address").port()
}

/// A master with one worker.
pub struct Nginx {
    dir: TempDir,
    /// Where it listens.
    pub address: SocketAddr,
    /// The process that was started; its worker sends.
    pub master: Running,
}

impl Nginx {
    /// In the clear, with `/page.html` as it is given and an `/other.html`.
    pub fn start(location: &str, page: &str) -> Nginx {
        Self::listen("", location, page)
    }

    /// Over TLS with HTTP/1.1 and HTTP/2. What is put is kept as files, and of the fields of heads
    /// `X-Card` in its log: see [`Nginx::kept`].
    pub fn tls(authority: &Authority, page: &str) -> Nginx {
        let (certificate, key) = (authority.certificate(), authority.key());
        let listen = format!(
            "ssl http2; ssl_certificate {}; ssl_certificate_key {}",
            certificate.display(),
            key.display()
        );
        Self::listen(&listen, "dav_methods PUT;", page)
    }

    fn listen(listen: &str, location: &str, page: &str) -> Nginx {
        let dir = TempDir::new().expect("a temporary directory");
        let at = dir.path().display();
        let port = free_port();
        let mut settings = format!("daemon off; worker_processes 1; pid {at}/pid;\n");
        let _ = write!(
            settings,
            "error_log stderr warn; events {{}}\nhttp {{ log_format card '$http_x_card'; \
             access_log {at}/pages/log card; root {at}/pages; \
             default_type text/html; client_body_temp_path {at}/a; proxy_temp_path {at}/b; \
             fastcgi_temp_path {at}/c; uwsgi_temp_path {at}/d; scgi_temp_path {at}/e;\n\
             server {{ listen 127.0.0.1:{port} {listen}; location / {{ {location} }} }} }}\n"
        );
        let pages = dir.path().join("pages");
        std::fs::create_dir(&pages).expect("a directory");
        std::fs::write(pages.join("page.html"), page).expect("a file");
        std::fs::write(pages.join("other.html"), "nothing\n").expect("a file");
        std::fs::write(dir.path().join("nginx.conf"), settings).expect("a file");
        // The worker is another user, and the directory above is only root's.
        for (path, mode) in [(dir.path(), 0o755), (&pages, 0o777)] {
            let open = std::fs::Permissions::from_mode(mode);
            std::fs::set_permissions(path, open).expect("our own directory");
        }
        let mut nginx = Command::new(tool("nginx").expect("nginx is there"));
        nginx.arg("-p").arg(dir.path()).arg("-c").arg(dir.path().join("nginx.conf"));
        let master = Running::start(&mut nginx);
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        wait_for("nginx", || TcpStream::connect(address).ok());
        Nginx { dir, address, master }
    }

    /// Directory of what came and of what is served.
    pub fn kept(&self) -> PathBuf {
        Path::new(self.dir.path()).join("pages")
    }

    /// The process that sends.
    pub fn worker(&self) -> u32 {
        let master = self.master.pid();
        wait_for("a worker of nginx", || children(master).first().copied())
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // Its worker goes with it, which SIGKILL would not bring about.
        self.master.signal(Signal::SIGTERM);
        self.master.wait();
    }
}
