//! Which lines changed since a revision, as git tells it: those that are not in the commit from
//! which the revision and what is checked out part. It runs git, and changes nothing.

use std::collections::HashMap;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The lines of a file that count.
#[derive(Debug, Clone, Copy)]
pub enum Lines<'a> {
    /// All of them.
    All,
    /// From the first to the last of each, counted from 1, in order.
    Some(&'a [(u64, u64)]),
}

impl Lines<'_> {
    /// Whether one of the lines from `first` to `last` counts.
    pub fn touch(self, first: u64, last: u64) -> bool {
        match self {
            Lines::All => true,
            Lines::Some(ranges) => {
                let after = ranges.partition_point(|(_, end)| *end < first);
                ranges.get(after).is_some_and(|(start, _)| *start <= last)
            }
        }
    }
}

/// What changed in one or more repositories, by absolute path; `None` where all of a file did.
#[derive(Debug, Default)]
pub struct Changed {
    files: HashMap<PathBuf, Option<Vec<(u64, u64)>>>,
}

impl Changed {
    /// What changed since `rev` in the repositories that hold these paths.
    ///
    /// # Errors
    ///
    /// A path is in no repository, the revision is not known there, or git does not run.
    pub fn since<'p>(rev: &str, paths: impl Iterator<Item = &'p Path>) -> Result<Changed, String> {
        let mut changed = Changed::default();
        let mut seen = Vec::new();
        for path in paths {
            let folder = if path.is_dir() { Some(path) } else { path.parent() };
            let folder = folder.filter(|folder| !folder.as_os_str().is_empty());
            let folder = folder.unwrap_or(Path::new("."));
            let top = top(folder)?;
            if !seen.contains(&top) {
                changed.add(rev, &top)?;
                seen.push(top);
            }
        }
        Ok(changed)
    }

    /// The lines of a file that count; `None` where nothing in it changed.
    pub fn lines(&self, path: &Path) -> Option<Lines<'_>> {
        let absolute = path.canonicalize().ok()?;
        let lines = self.files.get(&absolute)?;
        Some(lines.as_ref().map_or(Lines::All, |lines| Lines::Some(lines)))
    }

    fn add(&mut self, rev: &str, top: &Path) -> Result<(), String> {
        let base = base(rev, top)?;
        let names = ["diff", "--name-only", "-z", "--diff-filter=d", "--find-renames", &base, "--"];
        let names = git(top, &names)?;
        let new = git(top, &["ls-files", "--others", "--exclude-standard", "-z"])?;
        for name in names.split(|byte| *byte == 0).chain(new.split(|byte| *byte == 0)) {
            if !name.is_empty() {
                self.files.insert(top.join(os(name)), None);
            }
        }
        let diff = [
            "-c",
            "core.quotePath=false",
            "diff",
            "--unified=0",
            "--no-color",
            "--no-ext-diff",
            "--no-textconv",
            "--find-renames",
            "--diff-filter=d",
            "--src-prefix=a/",
            "--dst-prefix=b/",
            &base,
            "--",
        ];
        for (name, lines) in hunks(&git(top, &diff)?) {
            self.files.insert(top.join(os(&name)), Some(lines));
        }
        Ok(())
    }
}

fn os(name: &[u8]) -> OsString {
    OsString::from_vec(name.to_vec())
}

fn run(folder: &Path, args: &[&str]) -> Result<Output, String> {
    let mut command = Command::new("git");
    // What git says is read here: in one language, and without waiting for a lock.
    command.env("LC_ALL", "C").env("GIT_OPTIONAL_LOCKS", "0");
    command.arg("-C").arg(folder).args(args).output().map_err(|error| {
        format!("--changed-since needs git, which cannot be run: {error}; install it")
    })
}

fn git(folder: &Path, args: &[&str]) -> Result<Vec<u8>, String> {
    let output = run(folder, args)?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let said = said.trim().lines().next().unwrap_or_default();
    let verb = args.iter().find(|arg| !arg.starts_with('-') && !arg.contains('=')).unwrap_or(&"");
    Err(format!("git {verb} in {} failed: {said}", folder.display()))
}

/// The folder that holds the repository of `folder`, without links.
fn top(folder: &Path) -> Result<PathBuf, String> {
    let output = run(folder, &["rev-parse", "--show-toplevel"])?;
    let path = output.stdout.strip_suffix(b"\n").unwrap_or(&output.stdout);
    if !output.status.success() || path.is_empty() {
        return Err(format!(
            "--changed-since: {} is in no git repository; leave it out to look through all of it",
            folder.display()
        ));
    }
    PathBuf::from(os(path)).canonicalize().map_err(|error| format!("--changed-since: {error}"))
}

/// The commit from which a revision and what is checked out part, or the revision itself.
fn base(rev: &str, top: &Path) -> Result<String, String> {
    let commit = format!("{rev}^{{commit}}");
    let known = ["rev-parse", "--verify", "--quiet", "--end-of-options", &commit];
    let output = run(top, &known)?;
    let id = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    if !output.status.success() || id.is_empty() {
        return Err(format!(
            "--changed-since: {rev:?} is no commit in {}; in a shallow clone fetch it first",
            top.display()
        ));
    }
    let output = run(top, &["merge-base", &id, "HEAD"])?;
    let base = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    Ok(if output.status.success() && !base.is_empty() { base } else { id })
}

/// Ranges of lines, the first and the last one of each.
type Ranges = Vec<(u64, u64)>;

/// The new lines of each file in a diff without context. Its lines are counted by what the heads of
/// hunks say, so that nothing in a file passes for the head of another.
fn hunks(diff: &[u8]) -> Vec<(Vec<u8>, Ranges)> {
    let mut files: Vec<(Vec<u8>, Ranges)> = Vec::new();
    let mut left = 0u64;
    for line in diff.split(|byte| *byte == b'\n') {
        if line.starts_with(b"\\") {
            // `\ No newline at end of file`.
        } else if left > 0 {
            left = left.saturating_sub(1);
        } else if let Some(name) = line.strip_prefix(b"+++ ") {
            files.push((new_name(name), Vec::new()));
        } else if let Some(name) = line.strip_prefix(b"rename to ") {
            // Where nothing else follows, nothing but the name changed.
            files.push((unquoted_name(name), Vec::new()));
        } else if line.starts_with(b"Binary files ") {
            // Of a binary that was renamed as well, all changed.
            files.pop_if(|(_, lines)| lines.is_empty());
        } else if let Some((old, start, new)) = hunk(line) {
            left = old.saturating_add(new);
            if let (Some((_, lines)), true) = (files.last_mut(), new > 0) {
                lines.push((start, start.saturating_add(new).saturating_sub(1)));
            }
        }
    }
    files
}

/// Lines that go, the first that comes, and how many come: `@@ -a,b +c,d @@`.
fn hunk(line: &[u8]) -> Option<(u64, u64, u64)> {
    let head = line.strip_prefix(b"@@ -")?;
    let head = head.get(..memchr::memmem::find(head, b" @@")?)?;
    let (old, new) = std::str::from_utf8(head).ok()?.split_once(" +")?;
    let range = |range: &str| -> Option<(u64, u64)> {
        let (start, count) = range.split_once(',').unwrap_or((range, "1"));
        Some((start.parse().ok()?, count.parse().ok()?))
    };
    let ((_, old), (start, new)) = (range(old)?, range(new)?);
    Some((old, start, new))
}

/// A name behind `+++ `: with its prefix, and quoted as C does where it has to be.
fn new_name(name: &[u8]) -> Vec<u8> {
    let name = unquoted_name(name.strip_suffix(b"\t").unwrap_or(name));
    name.strip_prefix(b"b/").map(<[u8]>::to_vec).unwrap_or(name)
}

fn unquoted_name(name: &[u8]) -> Vec<u8> {
    let quoted = name.strip_prefix(b"\"").and_then(|name| name.strip_suffix(b"\""));
    quoted.map_or_else(|| name.to_vec(), unquoted)
}

fn unquoted(name: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(name.len());
    let mut bytes = name.iter().copied();
    while let Some(byte) = bytes.next() {
        if byte != b'\\' {
            plain.push(byte);
            continue;
        }
        let octal = |digit: u8| u32::from(digit.saturating_sub(b'0'));
        plain.push(match bytes.next().unwrap_or(b'\\') {
            b'n' => b'\n',
            b't' => b'\t',
            b'r' => b'\r',
            b'a' => 7,
            b'b' => 8,
            b'v' => 11,
            b'f' => 12,
            digit @ b'0'..=b'3' => {
                let (second, third) = (bytes.next().unwrap_or(b'0'), bytes.next().unwrap_or(b'0'));
                let code = octal(digit) * 64 + octal(second) * 8 + octal(third);
                u8::try_from(code).unwrap_or(b'?')
            }
            other => other,
        });
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hunks_are_counted_and_no_line_passes_for_a_head() {
        let diff = b"diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -3 +3,2 @@ f\n-old\n+++ b/y\n+@@ -1 +9 @@\n\\ No newline at end of file\n@@ -9,2 +10,0 @@\n-a\n-b\ndiff --git a/z b/z\n--- /dev/null\n+++ \"b/z\\303\\251\\t\"\n@@ -0,0 +1 @@\n+n\n";
        let expected = vec![(b"x".to_vec(), vec![(3, 4)]), ("z\u{e9}\t".into(), vec![(1, 1)])];
        assert_eq!(hunks(diff), expected);
    }

    #[test]
    fn lines_touch_where_one_of_them_does() {
        let lines = Lines::Some(&[(3, 4), (9, 9)]);
        for (first, last, touch) in [
            (1, 2, false),
            (2, 3, true),
            (4, 8, true),
            (5, 8, false),
            (9, 20, true),
            (10, 11, false),
        ] {
            assert_eq!(lines.touch(first, last), touch, "{first} to {last}");
        }
    }
}
