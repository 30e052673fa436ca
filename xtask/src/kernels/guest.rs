//! A guest: boots a kernel in QEMU with a few files, runs steps in it one after the other, and gives
//! back what they printed and how they ended.
//!
//! It knows nothing of the monitor. It needs neither rights nor KVM: the processor is emulated, so a
//! guest is slow, and times of it are worth nothing.

use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

const INIT: &str = include_str!("init.sh");
const QEMU: &str = "qemu-system-x86_64";
/// Debian's package of it.
const PACKAGE: &str = "qemu-system-x86";
/// How setpriv(1) ends where there is no such program, as env(1) does.
const NOT_FOUND: i32 = 127;
/// A guest that runs this long hangs.
const GUEST_TIME_MAX: Duration = Duration::from_secs(600);
/// Between two looks whether it has ended.
const LOOK: Duration = Duration::from_millis(100);
/// Lines of the console that an error shows.
const CONSOLE_LINES_MAX: usize = 25;

/// With what the kernel begins when it cannot go on.
const COMPLAINTS: [&str; 3] = ["Kernel panic", "BUG: ", "Oops: "];

/// What the guest's kernel is told: where its console is, that the BPF LSM takes part, and that a
/// panic ends it, since QEMU does not boot again.
const KERNEL_ARGUMENTS: &str =
    "console=ttyS0 quiet lsm=lockdown,capability,yama,bpf panic=-1 oops=panic";

/// A file of the host that the guest has in its root folder, by the same name.
pub struct Given<'a>(pub &'a Path);

/// A program of the guest to run, with arguments.
pub struct Step {
    /// Names it in what comes back; one word.
    pub name: &'static str,
    /// Where it is in the guest, and what it is given.
    pub words: Vec<String>,
}

/// How a step ended.
#[derive(Debug, PartialEq, Eq)]
pub struct Ended {
    /// Its exit code, that of a shell where a signal ended it.
    pub code: i32,
    /// What it wrote to standard output.
    pub out: String,
}

/// What remains of a guest.
pub struct Guest {
    steps: Vec<(String, Ended)>,
    /// Of its console the lines that say most.
    pub console: String,
    /// From start to power off.
    pub took: Duration,
}

impl Guest {
    /// How a step ended; `None` where it did not come to that.
    pub fn step(&self, name: &str) -> Option<&Ended> {
        self.steps.iter().find_map(|(own, ended)| (own == name).then_some(ended))
    }
}

/// Boots `kernel` and runs the steps until one fails; `folder` is emptied, and holds the guest's
/// files and what it wrote.
pub fn run(folder: &Path, kernel: &Path, files: &[Given], steps: &[Step]) -> Result<Guest> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            return Err(error).with_context(|| format!("{} cannot be emptied", folder.display()));
        }
        _ => {}
    }
    fs::create_dir_all(folder).with_context(|| format!("{} cannot be made", folder.display()))?;
    let archive = pack(folder, files, steps)?;
    let (console, said) = (folder.join("console"), folder.join("said"));
    let begun = Instant::now();
    let ended = boot(kernel, &archive, &console, &said);
    let console = telling_lines(&read(&console));
    if let Err(error) = ended {
        bail!("{error:#}; on the console:\n{console}");
    }
    let said = read(&said);
    let steps = parse(&said);
    if let Some(begun) = unfinished(&said) {
        bail!("the guest ended while `{begun}` ran; on the console:\n{console}");
    }
    ensure!(!steps.is_empty(), "the guest ran nothing; on the console:\n{console}");
    Ok(Guest { steps, console, took: begun.elapsed() })
}

/// Packs the guest's files for its kernel, with the steps as a script.
fn pack(folder: &Path, files: &[Given], steps: &[Step]) -> Result<PathBuf> {
    let root = folder.join("root");
    fs::create_dir_all(root.join("bin"))?;
    let busybox = find_busybox()?;
    let mut names = vec!["init".to_owned(), "steps".into(), "bin".into(), "bin/busybox".into()];
    fs::write(root.join("init"), INIT)?;
    fs::write(root.join("steps"), script(steps))?;
    copy(&busybox, &root.join("bin/busybox"))?;
    for Given(file) in files {
        let name = file.file_name().and_then(|name| name.to_str());
        let name = name.with_context(|| format!("{} has no name", file.display()))?;
        copy(file, &root.join(name))?;
        names.push(name.into());
    }
    make_executable(&root.join("init"))?;
    let archive = folder.join("initramfs");
    let mut packer = Command::new(&busybox)
        .args(["cpio", "-o", "-H", "newc"])
        .current_dir(&root)
        .stdin(Stdio::piped())
        .stdout(File::create(&archive)?)
        .stderr(Stdio::null())
        .spawn()
        .context("busybox cannot be started")?;
    let list = names.join("\n");
    packer.stdin.take().context("standard input is not piped")?.write_all(list.as_bytes())?;
    let status = packer.wait()?;
    ensure!(status.success(), "busybox cpio failed ({status})");
    fs::remove_dir_all(&root)?;
    Ok(archive)
}

/// The steps as a script for the guest's shell: what follows one that fails is left out.
fn script(steps: &[Step]) -> String {
    let quoted = |word: &String| format!("'{}'", word.replace('\'', r"'\''"));
    let line = |step: &Step| {
        let words: Vec<String> = step.words.iter().map(quoted).collect();
        format!("step {} {}", step.name, words.join(" "))
    };
    steps.iter().map(line).collect::<Vec<_>>().join(" &&\n") + "\n"
}

fn find_busybox() -> Result<PathBuf> {
    let places = ["/usr/bin/busybox", "/bin/busybox"];
    let found = places.iter().map(PathBuf::from).find(|path| path.exists());
    found.context("busybox is not there; install it with `apt-get install busybox-static`")
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::copy(from, to).with_context(|| format!("{} cannot be copied", from.display()))?;
    Ok(())
}

fn make_executable(file: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(file, fs::Permissions::from_mode(0o755))?;
    Ok(())
}

/// Runs QEMU to its end.
fn boot(kernel: &Path, archive: &Path, console: &Path, said: &Path) -> Result<()> {
    let port = |file: &Path| format!("file:{}", file.display());
    // A guest must not outlive this, whatever ends it.
    let mut child = Command::new("setpriv")
        .args(["--pdeathsig", "KILL", QEMU])
        .args(["-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "2", "-m", "1G"])
        .args(["-nodefaults", "-display", "none", "-no-reboot"])
        .args(["-serial", &port(console), "-serial", &port(said)])
        .arg("-kernel")
        .arg(kernel)
        .arg("-initrd")
        .arg(archive)
        .args(["-append", KERNEL_ARGUMENTS])
        .stdin(Stdio::null())
        .spawn()
        .context("setpriv cannot be started; install util-linux")?;
    let ended = wait(&mut child);
    if !matches!(ended, Ok(Some(_))) {
        let _ = child.kill();
        let _ = child.wait();
    }
    let hangs = || format!("the guest did not end within {} s", GUEST_TIME_MAX.as_secs());
    let status = ended?.with_context(hangs)?;
    ensure!(
        status.code() != Some(NOT_FOUND),
        "{QEMU} is not there; install it with `apt-get install --no-install-recommends {PACKAGE}`"
    );
    ensure!(status.success(), "{QEMU} failed ({status})");
    Ok(())
}

/// Waits for the end of the guest; `None` where it hangs.
fn wait(child: &mut Child) -> Result<Option<std::process::ExitStatus>> {
    let begun = Instant::now();
    while begun.elapsed() < GUEST_TIME_MAX {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        thread::sleep(LOOK);
    }
    Ok(None)
}

/// A file that a guest wrote, empty where it did not come to that.
fn read(file: &Path) -> String {
    String::from_utf8_lossy(&fs::read(file).unwrap_or_default()).replace('\r', "")
}

/// Of a console the lines that say most: those from the kernel's complaint on, or else the last.
fn telling_lines(console: &str) -> String {
    let lines: Vec<&str> = console.lines().filter(|line| !line.trim().is_empty()).collect();
    let complains = |line: &&str| COMPLAINTS.iter().any(|complaint| line.contains(complaint));
    let last = lines.len().saturating_sub(CONSOLE_LINES_MAX);
    let first = lines.iter().position(complains).unwrap_or(last);
    lines.iter().skip(first).take(CONSOLE_LINES_MAX).copied().collect::<Vec<_>>().join("\n")
}

/// The steps that ended, of what the guest said; see `step` in `init.sh`.
fn parse(said: &str) -> Vec<(String, Ended)> {
    let mut steps = Vec::new();
    let mut out = String::new();
    for line in said.lines() {
        if line.strip_prefix("@@ step ").is_some() {
            out.clear();
        } else if let Some((name, code)) =
            line.strip_prefix("@@ exit ").and_then(|rest| rest.split_once(' '))
        {
            let code = code.trim().parse().unwrap_or(-1);
            let out = std::mem::take(&mut out).trim_end().to_owned();
            steps.push((name.to_owned(), Ended { code, out }));
        } else {
            out.push_str(line);
            out.push('\n');
        }
    }
    steps
}

/// The step that began and did not end.
fn unfinished(said: &str) -> Option<&str> {
    let last = said.lines().rfind(|line| line.starts_with("@@ "))?;
    last.strip_prefix("@@ step ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_read_with_what_they_printed() {
        let said =
            "@@ step one\n{\"a\": 1}\nno end\n@@ exit one 0\n@@ step two\n\n@@ exit two 139\n";
        let ended = |code, out: &str| Ended { code, out: out.into() };
        let wanted = [
            ("one".to_owned(), ended(0, "{\"a\": 1}\nno end")),
            ("two".to_owned(), ended(139, "")),
        ];
        assert_eq!(parse(said), wanted);
        assert_eq!(unfinished(said), None);
        assert_eq!(unfinished("@@ step one\nwords\n"), Some("one"));
        assert_eq!(unfinished(""), None);
    }

    #[test]
    fn of_a_console_the_panic_is_told_or_else_the_end() {
        let mut console = "one\n".repeat(50) + "Kernel panic - not syncing\n";
        console += &"trace\n".repeat(50);
        assert!(telling_lines(&console).starts_with("Kernel panic - not syncing\ntrace\n"));
        assert_eq!(telling_lines(&("one\n".repeat(50) + "two\n\n")).lines().last(), Some("two"));
    }

    #[test]
    fn words_of_a_step_reach_it_as_they_are() {
        let words = ["/program", "it's", "$HOME *"].map(str::to_owned).to_vec();
        let step = || Step { name: "one", words: words.clone() };
        let line = r"step one '/program' 'it'\''s' '$HOME *'";
        assert_eq!(script(&[step(), step()]), format!("{line} &&\n{line}\n"));
    }
}
