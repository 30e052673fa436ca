//! `egress-monitor scan --changed-since` in repositories that git makes.

use std::process::Command;

use support::scan::Tree;

struct Repository(Tree);

impl Repository {
    fn new() -> Option<Repository> {
        support::tool("git")?;
        let repository = Repository(Tree::new());
        repository.git(&["init", "-q", "-b", "main"]);
        Some(repository)
    }

    #[track_caller]
    fn git(&self, args: &[&str]) {
        let mut git = Command::new("git");
        // Nobody's settings.
        git.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_SYSTEM", "/dev/null");
        for who in ["GIT_AUTHOR", "GIT_COMMITTER"] {
            git.env(format!("{who}_NAME"), "test").env(format!("{who}_EMAIL"), "test@localhost");
        }
        let output = git.args(args).current_dir(self.0.path()).output().expect("git runs");
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    }

    #[track_caller]
    fn commit(&self) {
        self.git(&["add", "-A"]);
        self.git(&["commit", "-q", "--allow-empty", "-m", "x"]);
    }
}

#[test]
fn only_lines_that_were_added_or_changed_count() {
    let Some(repository) = Repository::new() else { support::skip!("git is not installed") };
    let tree = &repository.0;
    let (old, new) = (tree.data.card(), tree.data.card());
    tree.put("a.txt", format!("one\ncard {old}\nthree\n"));
    tree.put_card("same.txt");
    repository.commit();
    tree.put("a.txt", format!("one\ncard {old}\nthree\n++ card {new}\n"));
    tree.put_card("sub/new file é.txt");
    assert_eq!(
        tree.found(&["--changed-since", "HEAD"]),
        ["a.txt:4:9 CREDIT_CARD", "sub/new file é.txt:1:14 CREDIT_CARD"]
    );
    repository.commit();
    assert_eq!(tree.scan(&["--changed-since", "HEAD"]).code, 0);
    let since = ["--changed-since", "HEAD~1"];
    assert_eq!(tree.found(&since).len(), 2);
    assert_eq!(
        tree.found(&[&since[..], &["sub"]].concat()),
        ["sub/new file é.txt:1:14 CREDIT_CARD"]
    );
    // The same from within.
    let mut within = tree.command(&[&since[..], &["--format", "json"]].concat());
    within.current_dir(tree.at("sub"));
    let ran = tree.judge(&within.output().expect("the binary runs"));
    assert_eq!(ran.lines()[0]["path"], "new file é.txt");
}

#[test]
fn what_came_on_the_other_branch_does_not_count() {
    let Some(repository) = Repository::new() else { support::skip!("git is not installed") };
    let tree = &repository.0;
    tree.put("a.txt", format!("card {}\n", tree.data.card()));
    repository.commit();
    repository.git(&["checkout", "-q", "-b", "feature"]);
    tree.put_card("feature.txt");
    repository.commit();
    repository.git(&["checkout", "-q", "main"]);
    tree.put("a.txt", "cleaned up on main\n");
    repository.commit();
    repository.git(&["checkout", "-q", "feature"]);
    assert_eq!(tree.found(&["--changed-since", "main"]), ["feature.txt:1:14 CREDIT_CARD"]);
}

#[test]
fn of_a_file_that_was_renamed_only_the_lines_that_changed_count() {
    let Some(repository) = Repository::new() else { support::skip!("git is not installed") };
    let tree = &repository.0;
    let text: String = (0..30).map(|n| format!("line {n} of some text\n")).collect();
    for name in ["a", "b"] {
        tree.put(&format!("{name}.txt"), format!("{name}\n{text}card {}\n", tree.data.card()));
    }
    repository.commit();
    repository.git(&["mv", "a.txt", "moved a.txt"]);
    repository.git(&["mv", "b.txt", "c.txt"]);
    let moved = std::fs::read_to_string(tree.at("c.txt")).expect("it is there");
    tree.put("c.txt", format!("{moved}card {}\n", tree.data.card()));
    repository.git(&["add", "-A"]);
    assert_eq!(tree.found(&["--changed-since", "HEAD"]), ["c.txt:33:6 CREDIT_CARD"]);
}

#[test]
fn archives_that_changed_count_as_a_whole() {
    use std::io::Write as _;
    let Some(repository) = Repository::new() else { support::skip!("git is not installed") };
    let tree = &repository.0;
    let pack = |card: &str| {
        let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        gz.write_all(format!("card {card}\n").as_bytes()).expect("memory");
        gz.finish().expect("memory")
    };
    tree.put("a.gz", pack(&tree.data.card()));
    tree.put("b.gz", pack(&tree.data.card()));
    repository.commit();
    tree.put("b.gz", pack(&tree.data.card()));
    assert_eq!(tree.found(&["--changed-since", "HEAD"]), ["b.gz:1:6 CREDIT_CARD"]);
}

#[test]
fn a_revision_that_is_none_is_an_error() {
    let Some(repository) = Repository::new() else { support::skip!("git is not installed") };
    let tree = &repository.0;
    repository.commit();
    for rev in ["nobranch", "--output=x", "HEAD:a.txt", "HEAD~7"] {
        let ran = tree.scan(&[&format!("--changed-since={rev}")]);
        assert_eq!(ran.code, 2, "{rev}: {}", ran.err);
        assert!(ran.err.contains(rev) && ran.err.contains("is no commit"), "{}", ran.err);
    }
    assert!(!tree.at("x").exists());
}
