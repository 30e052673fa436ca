//! Baselines: what is known is accepted by fingerprint, in any folder and on any machine that has the
//! key, and the file holds no value.

use serde_json::Value;
use support::scan::Tree;

#[track_caller]
fn baseline(tree: &Tree, path: &str) -> Value {
    tree.holds_no_value(path);
    let text = std::fs::read(tree.at(path)).expect("it was written");
    serde_json::from_slice(&text).expect("a baseline is JSON")
}

#[test]
fn what_a_baseline_knows_is_accepted_and_what_is_new_is_not() {
    let tree = Tree::new();
    tree.put_card("old/a.txt");
    let ran = tree.scan(&["--write-baseline", "known.json", "."]);
    assert_eq!((ran.code, ran.out.as_str()), (0, ""), "{}", ran.err);
    assert!(ran.err.contains("known.json accepts 1 finding"), "{}", ran.err);
    assert_eq!(tree.scan(&["--baseline", "known.json", "."]).code, 0);
    tree.put_card("new.txt");
    let ran = tree.scan(&["--baseline", "known.json", "."]);
    assert_eq!(ran.code, 1);
    assert!(ran.out.starts_with("new.txt:1:14: CREDIT_CARD") && ran.out.lines().count() == 1);
    assert!(ran.err.contains("1 known to the baseline"), "{}", ran.err);
    let kept = baseline(&tree, "known.json");
    assert_eq!(kept["findings"][0]["path"], "old/a.txt");
    assert_eq!(kept["findings"][0]["entity"], "CREDIT_CARD");
}

#[test]
fn lines_may_move_and_the_folder_of_the_run_may_be_another() {
    let tree = Tree::new();
    let card = tree.data.card();
    tree.put("src/a.txt", format!("card {card}\n"));
    tree.scan(&["--write-baseline", "known.json", "."]);
    tree.put("src/a.txt", format!("new\nnew\n  card {card}\n"));
    assert_eq!(tree.scan(&["--baseline", "known.json"]).code, 0);
    let mut elsewhere = tree.command(&["--baseline", "../known.json"]);
    elsewhere.current_dir(tree.at("src"));
    assert_eq!(tree.judge(&elsewhere.output().expect("the binary runs")).code, 0);
    // The same value in another file is another finding.
    tree.put("src/b.txt", format!("card {card}\n"));
    assert_eq!(tree.scan(&["--baseline", "known.json"]).code, 1);
}

#[test]
fn what_is_gone_is_told_as_stale_and_taken_out_on_request() {
    let tree = Tree::new();
    tree.put_card("a.txt");
    tree.put_card("b.txt");
    tree.put_card("c.txt");
    tree.scan(&["--write-baseline", "known.json"]);
    tree.put("a.txt", "nothing\n");
    std::fs::remove_file(tree.at("b.txt")).expect("it is there");
    let ran = tree.scan(&["--baseline", "known.json"]);
    assert_eq!(ran.code, 0);
    for path in ["a.txt", "b.txt"] {
        let told = format!("known.json: warning: stale: CREDIT_CARD in {path} (");
        assert!(ran.err.contains(&told), "no {told:?} in:\n{}", ran.err);
    }
    assert!(!ran.err.contains("in c.txt"), "{}", ran.err);
    // What was not looked for or at is not stale.
    assert!(
        !tree.scan(&["--baseline", "known.json", "--entities", "US_SSN"]).err.contains("stale")
    );
    assert!(!tree.scan(&["--baseline", "known.json", "c.txt"]).err.contains("in a.txt"));
    let before = baseline(&tree, "known.json");
    assert_eq!(tree.scan(&["--baseline", "known.json", "--update-baseline"]).code, 0);
    let after = baseline(&tree, "known.json");
    assert_eq!(after["findings"].as_array().map(Vec::len), Some(1));
    assert_eq!(after["key"], before["key"]);
}

#[test]
fn a_baseline_is_not_overwritten_by_accident() {
    let tree = Tree::new();
    tree.put_card("a.txt");
    tree.scan(&["--write-baseline", "known.json"]);
    let ran = tree.scan(&["--write-baseline", "known.json"]);
    assert_eq!(ran.code, 2);
    assert!(ran.err.contains("--update-baseline"), "{}", ran.err);
}

#[test]
fn with_a_key_file_the_baseline_holds_no_key() {
    let tree = Tree::new();
    tree.put("key", [7; 32]);
    tree.put("hex", "07".repeat(32) + "\n");
    tree.put("other", [8; 32]);
    tree.put_card("a.txt");
    let ran = tree.scan(&["--write-baseline", "known.json", "--key-file", "key", "a.txt"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert_eq!(baseline(&tree, "known.json")["key"], Value::Null);
    let with = |key: &str| tree.scan(&["--baseline", "known.json", "--key-file", key, "a.txt"]);
    assert_eq!((with("key").code, with("hex").code), (0, 0));
    let ran = with("other");
    assert!(ran.code == 2 && ran.err.contains("another key"), "{}", ran.err);
    let ran = tree.scan(&["--baseline", "known.json", "a.txt"]);
    assert!(ran.code == 2 && ran.err.contains("--key-file"), "{}", ran.err);
}

#[test]
fn fingerprints_are_the_same_under_the_same_key_only() {
    let tree = Tree::new();
    tree.put("key", [7; 32]);
    tree.put_card("a.txt");
    let fingerprint = |args: &[&str]| {
        let ran = tree.scan(&[&["--format", "json", "a.txt"], args].concat());
        ran.lines()[0]["fingerprint"].clone()
    };
    assert_eq!(fingerprint(&["--key-file", "key"]), fingerprint(&["--key-file", "key"]));
    assert_ne!(fingerprint(&[]), fingerprint(&[]));
}

#[test]
fn sarif_says_what_is_new_and_what_was_there() {
    let tree = Tree::new();
    tree.put_card("a.txt");
    tree.scan(&["--write-baseline", "known.json"]);
    tree.put_card("b.txt");
    let ran = tree.scan(&["--format", "sarif", "--baseline", "known.json", "a.txt", "b.txt"]);
    let log: Value = serde_json::from_str(&ran.out).expect("JSON");
    let results = &log["runs"][0]["results"];
    assert_eq!(
        (&results[0]["baselineState"], &results[1]["baselineState"]),
        (&"unchanged".into(), &"new".into())
    );
    assert_eq!(results[0]["suppressions"][0]["kind"], "external");
    assert_eq!(results[1]["suppressions"], Value::Array(Vec::new()));
    assert!(results[1]["partialFingerprints"]["valueHmac/v1"].is_string());
}
