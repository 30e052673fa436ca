//! The control socket: one command a connection, one answer, as JSON.

use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::time::timeout;

use crate::limits::{
    CONTROL_CLIENTS_MAX, CONTROL_COMMAND_BYTES_MAX, CONTROL_WAIT_MS, COVERAGE_LISTED_MAX,
    COVERAGE_PROCESSES_MAX,
};
use crate::report::status::SOCKET;

/// What somebody wants to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ask {
    /// Counters, and coverage in numbers.
    Status,
    /// Coverage with names, of so many processes at most.
    Coverage(usize),
}

/// Every command.
const COMMANDS: [(&str, Ask); 3] = [
    ("status", Ask::Status),
    ("coverage", Ask::Coverage(COVERAGE_LISTED_MAX)),
    ("coverage all", Ask::Coverage(COVERAGE_PROCESSES_MAX)),
];

/// Somebody wants to know something.
pub struct Request {
    /// What.
    pub ask: Ask,
    /// Takes the answer.
    pub answer: oneshot::Sender<Vec<u8>>,
}

const WAIT: Duration = Duration::from_millis(CONTROL_WAIT_MS);

/// Listens in the runtime directory, whose lock the caller holds. Only root connects.
pub fn listen(runtime_dir: &Path) -> io::Result<mpsc::Receiver<Request>> {
    let path = runtime_dir.join(SOCKET);
    // What a daemon left that was killed.
    let _ = std::fs::remove_file(&path);
    let listener = UnixListener::bind(&path)?;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))?;
    let (requests, received) = mpsc::channel(CONTROL_CLIENTS_MAX);
    tokio::spawn(accept(listener, requests));
    Ok(received)
}

async fn accept(listener: UnixListener, requests: mpsc::Sender<Request>) {
    let room = Arc::new(Semaphore::new(CONTROL_CLIENTS_MAX));
    loop {
        let Ok(place) = Arc::clone(&room).acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, _)) => {
                let requests = requests.clone();
                tokio::spawn(async move {
                    let _ = timeout(WAIT, serve(stream, requests)).await;
                    drop(place);
                });
            }
            Err(error) => {
                tracing::warn!("control socket: {error}");
                tokio::time::sleep(WAIT).await;
            }
        }
    }
}

async fn serve(mut stream: UnixStream, requests: mpsc::Sender<Request>) -> Option<()> {
    let (reader, mut writer) = stream.split();
    let mut command = String::new();
    let mut reader = BufReader::new(reader.take(CONTROL_COMMAND_BYTES_MAX as u64));
    reader.read_line(&mut command).await.ok()?;
    let known = COMMANDS.iter().find(|(name, _)| *name == command.trim_end());
    let answer = if let Some(&(_, ask)) = known {
        let (answer, answered) = oneshot::channel();
        requests.send(Request { ask, answer }).await.ok()?;
        answered.await.ok()?
    } else {
        let known = COMMANDS.map(|(name, _)| name).join(", ");
        format!("{{\"error\":\"unknown command; known: {known}\"}}\n").into_bytes()
    };
    writer.write_all(&answer).await.ok()?;
    writer.shutdown().await.ok()
}
