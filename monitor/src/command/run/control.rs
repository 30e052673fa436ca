//! The control socket: one command a connection, one answer. So far there is one: `status`.

use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::time::timeout;

use crate::limits::{CONTROL_CLIENTS_MAX, CONTROL_COMMAND_BYTES_MAX, CONTROL_WAIT_MS};
use crate::report::status::SOCKET;

/// Somebody wants the status, as JSON.
pub type Request = oneshot::Sender<Vec<u8>>;

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
    let answer = if command.trim_end() == "status" {
        let (request, answer) = oneshot::channel();
        requests.send(request).await.ok()?;
        answer.await.ok()?
    } else {
        b"{\"error\":\"unknown command; known: status\"}\n".to_vec()
    };
    writer.write_all(&answer).await.ok()?;
    writer.shutdown().await.ok()
}
