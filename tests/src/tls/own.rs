//! Clients with files of their own, a library among them that nobody else uses.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::{Site, client, fresh, is_of};
use crate::wait::wait_for;
use crate::{Alert, Monitor, Running, tool};

/// A copy of a program with a libssl of its own, and where that is; or why it cannot be made.
pub fn copied(name: &str, dir: &Path) -> Result<(Command, PathBuf), String> {
    let command = fresh::copy(name, dir)?;
    let libssl = fresh::libssl(&tool(name).ok_or("it is not installed")?).ok_or("no libssl")?;
    Ok((command, dir.join(libssl.file_name().expect("a file has a name"))))
}

/// An openssl(1) with files of its own that is connected, and its libssl.
pub fn connected(site: &Site, dir: &Path) -> Result<(Running, PathBuf), String> {
    let (mut command, libssl) = copied("openssl", dir)?;
    client::with_openssl_arguments(&mut command, site);
    let mut client = Running::start(&mut command);
    client.say("nothing yet");
    site.wait_received("nothing yet");
    Ok((client, libssl))
}

/// It writes a card, which is found.
#[track_caller]
pub fn writes(monitor: &Monitor, site: &Site, client: &mut Running) {
    let (card, before) = (monitor.data.card(), monitor.of(client.pid()).len());
    client.say(&format!("card {card}"));
    site.wait_received(&card);
    let alerts = monitor.of(client.pid());
    let [alert] = &alerts[before..] else {
        panic!("one more alert expected: {alerts:#?}; {}", monitor.status()["kernel"]);
    };
    is_of(alert, &card);
    let to = (site.address.ip().to_string(), site.address.port());
    assert_eq!(alert.destination(), Some(to), "{alert:?}");
}

/// A curl of files of its own posts a card; how it ended, and its alerts.
#[track_caller]
pub fn posts(monitor: &Monitor, site: &Site, mut curl: Command) -> (u32, String, Vec<Alert>) {
    let card = monitor.data.card();
    let (form, url) = (format!("card={card}"), site.url("x"));
    client::with_curl_arguments(&mut curl, site, &["--http1.1", "--data", &form, &url]);
    let ran = site.run_command(curl);
    assert!(ran.status.success(), "{} {}", ran.status, ran.said);
    site.wait_received(&card);
    (ran.pid, card, monitor.of(ran.pid))
}

/// The same, and it is found.
#[track_caller]
pub fn is_found(monitor: &Monitor, site: &Site, curl: Command) {
    let (_, card, alerts) = posts(monitor, site, curl);
    let [alert] = &alerts[..] else {
        let status = monitor.status();
        panic!("one alert expected: {alerts:#?}; {}; {}", status["kernel"], status["tls"]);
    };
    is_of(alert, &card);
}

/// Files that are hooked.
pub fn hooked(monitor: &Monitor) -> Vec<String> {
    let status = monitor.status();
    let files = status["tls"]["files"].as_array().cloned().unwrap_or_default();
    files.iter().filter_map(|file| file["path"].as_str().map(str::to_owned)).collect()
}

/// Waits until a file is hooked, or is not.
#[track_caller]
pub fn wait_hooked(monitor: &Monitor, path: &Path, wanted: bool) {
    let path = path.display().to_string();
    wait_for("hooks to be as wanted", || (hooked(monitor).contains(&path) == wanted).then_some(()));
}
