//! A tree of files with made-up data to run `egress-monitor scan` over. Whatever a run printed is
//! looked through for the values that were made, each time.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use crate::data::Data;
use crate::monitor::binary;

/// The tree.
pub struct Tree {
    dir: TempDir,
    /// What is made for it.
    pub data: Data,
}

/// What a run said.
pub struct Ran {
    /// Its exit code.
    pub code: i32,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

impl Default for Tree {
    fn default() -> Self {
        Self::new()
    }
}

impl Tree {
    /// An empty one.
    pub fn new() -> Tree {
        let dir = TempDir::with_prefix("egress-monitor-scan-").expect("a temporary directory");
        Tree { dir, data: Data::new() }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// A path in it.
    pub fn at(&self, path: &str) -> PathBuf {
        self.path().join(path)
    }

    /// Writes a file, and the folders that it is in.
    #[track_caller]
    pub fn put(&self, path: &str, content: impl AsRef<[u8]>) {
        let path = self.at(path);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(path, content).expect("a file");
    }

    /// Writes a file with a card number.
    #[track_caller]
    pub fn put_card(&self, path: &str) {
        self.put(path, format!("card number: {}\n", self.data.card()));
    }

    /// The command, in the tree.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(binary());
        command.arg("scan").args(args).current_dir(self.path()).stdin(Stdio::null());
        command
    }

    /// Runs a scan in the tree.
    #[track_caller]
    pub fn scan(&self, args: &[&str]) -> Ran {
        self.judge(&self.command(args).output().expect("the binary runs"))
    }

    /// Reads what a run said, in which no value may stand.
    #[track_caller]
    pub fn judge(&self, output: &Output) -> Ran {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let (out, err) = (text(&output.stdout), text(&output.stderr));
        for value in self.data.spellings() {
            assert!(!out.contains(&value), "a value stands in what was printed:\n{out}");
            assert!(!err.contains(&value), "a value stands in standard error:\n{err}");
        }
        Ran { code: output.status.code().unwrap_or(-1), out, err }
    }

    /// The findings of a run with `--format json`, as `path:line:column ENTITY`.
    #[track_caller]
    pub fn found(&self, args: &[&str]) -> Vec<String> {
        let ran = self.scan(&[&["--format", "json"], args].concat());
        let lines = ran.lines();
        let places = lines.iter().map(|line| {
            let word = |key: &str| line[key].as_str().unwrap_or_default().to_owned();
            let (path, entity) = (word("path"), word("entity"));
            format!("{path}:{}:{} {entity}", line["line"], line["column"])
        });
        places.collect()
    }

    /// Looks through every file in the tree that was not put there for values.
    #[track_caller]
    pub fn holds_no_value(&self, path: &str) {
        let text = std::fs::read(self.at(path)).expect("the file was written");
        let text = String::from_utf8_lossy(&text);
        for value in self.data.spellings() {
            assert!(!text.contains(&value), "a value stands in {path}");
        }
    }
}

impl Ran {
    /// The lines of JSON.
    #[track_caller]
    pub fn lines(&self) -> Vec<Value> {
        let line = |line| serde_json::from_str(line).expect("a line of JSON");
        self.out.lines().map(line).collect()
    }
}
