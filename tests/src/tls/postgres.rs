//! A PostgreSQL of the test's own that takes connections over TLS.

use std::net::SocketAddr;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use nix::sys::signal::Signal;
use tempfile::TempDir;

use crate::Running;
use crate::nginx::free_port;
use crate::tls::Authority;
use crate::wait::wait_for;

/// The user that it runs as: it does not run as root. nobody(4) of Debian.
const USER: u32 = 65_534;

/// A server with a database `postgres`; its superuser is of that name and needs no password.
pub struct Postgres {
    bin: PathBuf,
    dir: TempDir,
    server: Running,
    /// Where it takes TLS.
    pub address: SocketAddr,
}

impl Postgres {
    /// Starts one; `None` where none is installed.
    #[track_caller]
    pub fn start(authority: &Authority) -> Option<Postgres> {
        let bin = bin()?;
        let dir = TempDir::new().expect("a temporary directory");
        chown(dir.path(), Some(USER), None).expect("our own directory");
        let data = dir.path().join("data");
        let mut initdb = Command::new(bin.join("initdb"));
        initdb.arg("-D").arg(&data).args(["--username=postgres", "--auth=trust", "--no-sync"]);
        initdb.args(["--no-locale", "--encoding=UTF8"]).uid(USER).current_dir(dir.path());
        let made = initdb.output().expect("initdb runs");
        assert!(made.status.success(), "initdb: {}", String::from_utf8_lossy(&made.stderr));
        // It wants a key that nobody else can read.
        for (from, name) in [(authority.certificate(), "tls.pem"), (authority.key(), "tls.key")] {
            let to = data.join(name);
            std::fs::copy(from, &to).expect("a copy");
            std::fs::set_permissions(&to, PermissionsExt::from_mode(0o600)).expect("our own file");
            chown(&to, Some(USER), None).expect("our own file");
        }
        let port = free_port();
        let mut server = Command::new(bin.join("postgres"));
        server.arg("-D").arg(&data).args(["-h", "127.0.0.1", "-p", &port.to_string(), "-k"]);
        server.arg(dir.path()).args(["-c", "ssl=on", "-c", "ssl_cert_file=tls.pem", "-c"]);
        server.args(["ssl_key_file=tls.key", "-c", "fsync=off"]).uid(USER);
        server.current_dir(dir.path()).stderr(Stdio::null());
        let server = Running::start(&mut server);
        let postgres = Postgres { bin, dir, server, address: ([127, 0, 0, 1], port).into() };
        wait_for("PostgreSQL", || {
            let answer = postgres.local("SELECT 1");
            answer.is_ok_and(|output| output.status.success()).then_some(())
        });
        Some(postgres)
    }

    /// A psql that is to run a statement over TLS. The statement goes as it is, with its answer
    /// as bare fields.
    pub fn psql(&self, authority: &Authority, statement: &str) -> Command {
        let mut psql = self.client(&self.address.ip().to_string(), statement);
        psql.env("PGSSLMODE", "verify-ca").env("PGSSLROOTCERT", authority.ca());
        psql
    }

    /// Runs a statement over its Unix socket, which no tap looks at.
    ///
    /// # Errors
    ///
    /// psql cannot be started.
    pub fn local(&self, statement: &str) -> std::io::Result<Output> {
        self.client(&self.dir.path().display().to_string(), statement).output()
    }

    fn client(&self, host: &str, statement: &str) -> Command {
        let mut psql = Command::new(self.bin.join("psql"));
        psql.args(["-X", "-A", "-t", "-q", "-U", "postgres", "-d", "postgres", "-h", host, "-p"]);
        psql.args([&self.address.port().to_string(), "-c", statement]);
        psql.env("PGGSSENCMODE", "disable").env_remove("PGPASSWORD").current_dir("/");
        psql
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // Immediate shutdown: its children go with it.
        self.server.signal(Signal::SIGQUIT);
        self.server.wait();
    }
}

/// The newest version's directory: psql(1) on the path is a script in Debian.
fn bin() -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let bins = versions.map(|version| version.path().join("bin"));
    let whole = |bin: &PathBuf| ["initdb", "postgres", "psql"].iter().all(|name| has(bin, name));
    bins.filter(whole).max()
}

fn has(bin: &Path, name: &str) -> bool {
    bin.join(name).is_file()
}
