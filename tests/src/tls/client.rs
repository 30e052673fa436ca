//! The table of clients: each hands one value to a server over TLS, with a library or a way of its
//! own.

use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::net::{V4, V6};
use crate::tls::{Serves, Site, fresh, go};
use crate::{python, skip, tool};

/// A row of the table.
pub struct Client {
    /// What tests call it.
    pub name: &'static str,
    /// Tools that it needs.
    needs: &'static [&'static str],
    /// What it talks to.
    pub serves: Serves,
    /// The call that sends a value to a site, or why it cannot be made here.
    pub call: fn(&Site, &str) -> Result<Call, String>,
}

/// A client that is about to run.
pub struct Call {
    /// Program and arguments.
    pub command: Command,
    /// What it gets on its standard input.
    pub input: Option<String>,
    /// Who sends: the end of the path of its executable.
    pub exe: PathBuf,
    /// Whether that is not the process that was started, but a child.
    pub by_child: bool,
}

impl Call {
    fn of(command: Command) -> Call {
        let program = Path::new(command.get_program());
        let exe = program.canonicalize().unwrap_or_else(|_| program.into());
        Call { command, input: None, exe, by_child: false }
    }

    fn with_input(command: Command, input: String) -> Call {
        Call { input: Some(input), ..Call::of(command) }
    }
}

const PYTHON: Serves = Serves::Anything(V4);

const TABLE: &[Client] = &[
    client("curl, HTTP/1.1", &["curl"], PYTHON, curl_http_1),
    client("curl, IPv6", &["curl"], Serves::Anything(V6), curl_http_1),
    client("curl, TLS 1.2", &["curl"], PYTHON, curl_tls_1_2),
    client("curl, HTTP/2 body", &["curl", "nginx"], Serves::Http2, curl_http_2_body),
    client("curl, HTTP/2 head", &["curl", "nginx"], Serves::Http2, curl_http_2_head),
    client("curl with GnuTLS", &[], PYTHON, curl_gnutls),
    client("wget", &["wget"], PYTHON, wget),
    client("git", &["git"], PYTHON, git),
    client("python http.client", &[], PYTHON, python_http),
    client("python requests", &[], PYTHON, python_requests),
    client("python asyncio", &[], PYTHON, python_asyncio),
    client("node https", &["node"], PYTHON, node_https),
    client("node fetch", &["node"], PYTHON, node_fetch),
    client("go", &["go"], PYTHON, |site, value| go_client(go::PLAIN, site, value)),
    client("go, stripped", &["go"], PYTHON, |site, value| go_client(go::STRIPPED, site, value)),
    client("go, PIE", &["go"], PYTHON, |site, value| go_client(go::PIE, site, value)),
    client("go, HTTP/2", &["go", "nginx"], Serves::Http2, |site, value| {
        go_client(go::PLAIN, site, value)
    }),
    client("openssl s_client", &[], PYTHON, s_client),
    client("gnutls-cli", &["gnutls-cli"], PYTHON, gnutls_cli),
    client("tstclnt", &["tstclnt", "certutil"], PYTHON, tstclnt),
    client("rustls", &[], PYTHON, rustls),
    client("a copied curl and libssl", &["curl"], PYTHON, copied_curl),
    client("curl in another root and mount namespace", &["curl", "unshare"], PYTHON, caged_curl),
];

const fn client(
    name: &'static str,
    needs: &'static [&'static str],
    serves: Serves,
    call: fn(&Site, &str) -> Result<Call, String>,
) -> Client {
    Client { name, needs, serves, call }
}

/// The row of this name.
#[track_caller]
pub fn named(name: &str) -> &'static Client {
    TABLE.iter().find(|client| client.name == name).unwrap_or_else(|| panic!("no client {name}"))
}

impl Client {
    /// Why it cannot run here. Every server needs python3 or nginx, and certificates openssl.
    pub fn missing(&self) -> Option<String> {
        skip::missing(&["openssl", "python3"]).or_else(|| skip::missing(self.needs))
    }
}

fn command(name: &str) -> Command {
    Command::new(tool(name).unwrap_or_else(|| name.into()))
}

/// A curl that trusts the site and posts form data.
pub fn curl(site: &Site, arguments: &[&str]) -> Command {
    let mut curl = command("curl");
    with_curl_arguments(&mut curl, site, arguments);
    curl
}

/// What makes a curl trust the site, before arguments of its own.
pub fn with_curl_arguments(curl: &mut Command, site: &Site, arguments: &[&str]) {
    curl.args(["--silent", "--show-error", "--noproxy", "*"]);
    curl.arg("--cacert").arg(site.authority.ca()).args(arguments);
}

fn form(value: &str) -> String {
    format!("card={value}")
}

/// A request that asks the server to close behind its answer.
fn request(value: &str) -> String {
    let body = form(value);
    format!(
        "POST /x HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: \
         application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

fn curl_http_1(site: &Site, value: &str) -> Result<Call, String> {
    Ok(Call::of(curl(site, &["--http1.1", "--data", &form(value), &site.url("x")])))
}

fn curl_tls_1_2(site: &Site, value: &str) -> Result<Call, String> {
    Ok(Call::of(curl(site, &["--tls-max", "1.2", "--data", &form(value), &site.url("x")])))
}

fn curl_http_2_body(site: &Site, value: &str) -> Result<Call, String> {
    let put = ["--http2", "--fail", "--request", "PUT", "--data", &form(value), &site.url("x")];
    Ok(Call::of(curl(site, &put)))
}

fn curl_http_2_head(site: &Site, value: &str) -> Result<Call, String> {
    let field = format!("X-Card: {value}");
    let get = ["--http2", "--fail", "--header", &field, &site.url("page.html")];
    Ok(Call::of(curl(site, &get)))
}

/// No curl of Debian is linked with this one, which comes with git: python calls it.
fn curl_gnutls(site: &Site, value: &str) -> Result<Call, String> {
    let name = "libcurl-gnutls.so.4";
    fresh::library(name).ok_or(format!("{name} is not installed"))?;
    let code = format!(
        "
curl = ctypes.CDLL('{name}')
curl.curl_easy_init.restype = ctypes.c_void_p
handle = ctypes.c_void_p(curl.curl_easy_init())
# CURLOPT_URL, CURLOPT_CAINFO, CURLOPT_POSTFIELDS, CURLOPT_NOPROXY of curl/curl.h.
for option, value in [(10002, D[1]), (10065, D[2]), (10015, D[0]), (10177, b'*')]:
    assert curl.curl_easy_setopt(handle, option, ctypes.c_char_p(value)) == 0
sys.exit(curl.curl_easy_perform(handle))"
    );
    Ok(python_to(site, &code, value))
}

fn wget(site: &Site, value: &str) -> Result<Call, String> {
    let mut wget = command("wget");
    wget.args(["--quiet", "--no-proxy", "--output-document", "/dev/null", "--ca-certificate"]);
    wget.arg(site.authority.ca()).args(["--post-data", &form(value), &site.url("x")]);
    Ok(Call::of(wget))
}

/// It asks with a field of the user's and gets no repository.
fn git(site: &Site, value: &str) -> Result<Call, String> {
    let mut git = command("git");
    let field = format!("http.extraHeader=X-Card: {value}");
    git.args(["-c", &field, "-c", "http.proxy=", "ls-remote", &site.url("x.git")]);
    git.env("GIT_SSL_CAINFO", site.authority.ca()).env("GIT_TERMINAL_PROMPT", "0");
    git.env("NO_PROXY", "*").env("GIT_CONFIG_GLOBAL", "/dev/null").current_dir(&site.dir);
    let output = command("git").arg("--exec-path").output();
    let output = output.map_err(|error| format!("git cannot be started: {error}"))?;
    let helper = PathBuf::from(String::from_utf8_lossy(&output.stdout).trim());
    let exe = helper.join("git-remote-https").canonicalize();
    let exe = exe.map_err(|_| "git has no git-remote-https".to_owned())?;
    Ok(Call { by_child: true, exe, ..Call::of(git) })
}

/// A Python program that is handed form data, a URL and the authority.
fn python_to(site: &Site, code: &str, value: &str) -> Call {
    let ca = site.authority.ca().display().to_string();
    Call::of(python(code, site.address, &[&form(value), &site.url("x"), &ca]))
}

fn python_http(site: &Site, value: &str) -> Result<Call, String> {
    let code = "
import http.client, ssl
context = ssl.create_default_context(cafile=D[2].decode())
connection = http.client.HTTPSConnection(*TO, context=context)
headers = {'Content-Type': 'application/x-www-form-urlencoded'}
connection.request('POST', '/x', D[0], headers); connection.getresponse().read()";
    Ok(python_to(site, code, value))
}

fn python_requests(site: &Site, value: &str) -> Result<Call, String> {
    let mut probe = python("import requests", site.address, &[""]);
    if !probe.output().is_ok_and(|output| output.status.success()) {
        return Err("python3 has no requests".into());
    }
    let code = "
import requests
session = requests.Session(); session.trust_env = False
headers = {'Content-Type': 'application/x-www-form-urlencoded'}
session.post(D[1].decode(), D[0], headers=headers, verify=D[2].decode()).raise_for_status()";
    Ok(python_to(site, code, value))
}

/// asyncio has the TLS apart from the socket: it writes records into memory and sends them itself.
fn python_asyncio(site: &Site, value: &str) -> Result<Call, String> {
    let code = "
import asyncio, ssl
async def main():
    context = ssl.create_default_context(cafile=D[2].decode())
    reader, writer = await asyncio.open_connection(*TO, ssl=context)
    head = b'POST /x HTTP/1.1\\r\\nHost: x\\r\\nContent-Length: %d\\r\\n\\r\\n' % len(D[0])
    writer.write(head + D[0]); await writer.drain()
    await reader.readuntil(b'ok\\n'); writer.close()
asyncio.run(main())";
    Ok(python_to(site, code, value))
}

fn node(site: &Site, code: &str, value: &str) -> Call {
    let mut node = command("node");
    node.args(["-e", code, &site.url("x")]).env("NODE_EXTRA_CA_CERTS", site.authority.ca());
    node.env_remove("NODE_OPTIONS").env("BODY", form(value));
    Call::of(node)
}

fn node_https(site: &Site, value: &str) -> Result<Call, String> {
    let code = "
const headers = {'Content-Type': 'application/x-www-form-urlencoded'};
const request = require('https').request(process.argv[1], {method: 'POST', headers},
    (answer) => answer.resume());
request.end(process.env.BODY);";
    Ok(node(site, code, value))
}

fn node_fetch(site: &Site, value: &str) -> Result<Call, String> {
    let code = "
fetch(process.argv[1], {method: 'POST', body: new URLSearchParams(process.env.BODY)})
    .then((answer) => answer.text());";
    Ok(node(site, code, value))
}

fn go_client(flags: &[&str], site: &Site, value: &str) -> Result<Call, String> {
    let mut client = Command::new(go::build(go::CLIENT, flags, site.dir.path()));
    client.arg(site.url("x")).arg(site.authority.ca()).env("CARD", value).env("NO_PROXY", "*");
    Ok(Call::of(client))
}

/// `s_client`, which stays until the server closes.
pub fn openssl_client(site: &Site) -> Command {
    let mut openssl = command("openssl");
    with_openssl_arguments(&mut openssl, site);
    openssl
}

/// What makes an openssl(1) such a client.
pub fn with_openssl_arguments(openssl: &mut Command, site: &Site) {
    openssl.args(["s_client", "-quiet", "-verify_return_error", "-connect"]);
    openssl.arg(site.address.to_string()).arg("-CAfile").arg(site.authority.ca());
}

fn s_client(site: &Site, value: &str) -> Result<Call, String> {
    Ok(Call::with_input(openssl_client(site), request(value)))
}

fn gnutls_cli(site: &Site, value: &str) -> Result<Call, String> {
    let mut gnutls = command("gnutls-cli");
    gnutls.arg("--x509cafile").arg(site.authority.ca());
    gnutls.args(["--port", &site.address.port().to_string(), &site.address.ip().to_string()]);
    Ok(Call::with_input(gnutls, request(value)))
}

/// NSS, which trusts what its database has.
fn tstclnt(site: &Site, value: &str) -> Result<Call, String> {
    // For each call its own: certutil does not end where it is to make one that is there.
    let database = TempDir::with_prefix_in("nss-", &site.dir).expect("a directory of it");
    let database = database.keep();
    let database = format!("sql:{}", database.display());
    let ca = site.authority.ca().display().to_string();
    for arguments in [
        &["-N", "-d", &database, "--empty-password"][..],
        &["-A", "-d", &database, "-n", "authority", "-t", "C,,", "-i", &ca],
    ] {
        let output = command("certutil").args(arguments).output().expect("certutil runs");
        assert!(output.status.success(), "{output:?}");
    }
    let mut client = command("tstclnt");
    client.args(["-h", "127.0.0.1", "-p", &site.address.port().to_string()]);
    client.args(["-d", &database, "-a", "localhost", "-V", "tls1.2:tls1.3", "-A"]);
    // From a file: it spins when the other end of a pipe is closed.
    let file = site.dir.path().join("request");
    std::fs::write(&file, request(value)).expect("a file in the temporary directory");
    client.arg(file);
    Ok(Call::of(client))
}

/// A program with rustls inside, built with the tests.
fn rustls(site: &Site, value: &str) -> Result<Call, String> {
    let mut client = Command::new(crate::monitor::built("rustls_client"));
    client.arg(site.address.to_string()).arg(site.authority.ca()).env("BODY", form(value));
    Ok(Call::of(client))
}

/// Files of their own, seen for the first time when they send.
fn copied_curl(site: &Site, value: &str) -> Result<Call, String> {
    let mut curl = fresh::curl(&site.dir.path().join("copy"))?;
    with_curl_arguments(&mut curl, site, &["--http1.1", "--data", &form(value), &site.url("x")]);
    Ok(Call::of(curl))
}

/// Files that stand at no path outside: on a file system that only its own mount namespace has.
fn caged_curl(site: &Site, value: &str) -> Result<Call, String> {
    let (staged, room) = (site.dir.path().join("staged"), site.dir.path().join("room"));
    fresh::stage(&tool("curl").ok_or("curl is not installed")?, &staged);
    std::fs::create_dir_all(&room).expect("a directory in the temporary one");
    std::fs::copy(site.authority.ca(), staged.join("ca.pem")).expect("a copy");
    let code = "mount -t tmpfs none \"$ROOM\" && cp -r \"$STAGED/.\" \"$ROOM\" && \
                exec chroot \"$ROOM\" \"$@\"";
    let mut unshare = command("unshare");
    unshare.args(["--mount", "sh", "-c", code, "sh"]);
    unshare.env("ROOM", &room).env("STAGED", &staged).args([
        "/curl",
        "--silent",
        "--show-error",
        "--noproxy",
        "*",
    ]);
    unshare.args(["--cacert", "/ca.pem", "--http1.1", "--data", &form(value), &site.url("x")]);
    Ok(Call { exe: "curl".into(), ..Call::of(unshare) })
}

/// A client that is connected and waits for the texts that it is to send, a line each: python.
pub fn python_held(site: &Site) -> Command {
    let code = "
import ssl
context = ssl.create_default_context(cafile=D[0].decode())
stream = context.wrap_socket(tcp(), server_hostname='localhost')
say('connected')
for line in sys.stdin: stream.sendall(bytes.fromhex(line))";
    python(code, site.address, &[&site.authority.ca().display().to_string()])
}
