//! `[kill_switch]` and `[access]`: what they may hold, and who is meant.

use super::{check_rule, parsed, with_rule};
use crate::capture::allow;
use crate::policy::{Policy, Principal};

const ALLOW_REMEDY: &str =
    "write 10.0.0.0/8:443, 192.0.2.7:22, [2001:db8::/32]:53, or * for any port";

#[test]
fn what_is_allowed_is_networks_and_ports() {
    let check_allow = |entry: &str, wrong: &str| {
        check_rule(&format!("[kill_switch]\nallow = [{entry}]"), &[&format!("6:10: {wrong}")]);
    };
    check_allow(
        "\"10.0.0.0/8\"",
        &format!("allow \"10.0.0.0/8\": it is no network and port; {ALLOW_REMEDY}"),
    );
    check_allow(
        "\"10.0.0.0/8:0\"",
        &format!("allow \"10.0.0.0/8:0\": the port \"0\" is none; {ALLOW_REMEDY}"),
    );
    check_allow(
        "443",
        r#"allow is a whole number, not a string; write ["10.0.0.0/8:443", "[2001:db8::/32]:*"]"#,
    );
    check_rule(
        "[kill_switch]",
        &[
            r#"5:1: [kill_switch] has no allow; add allow = ["10.0.0.0/8:443", "[2001:db8::/32]:*"]"#,
        ],
    );
    check_rule(
        "[kill_switch]\nalow = []\nallow = []",
        &[
            r#"6:1: unknown key "alow" in [kill_switch]; did you mean "allow"? keys: allow"#,
            r#"7:9: allow is empty; write allow = ["10.0.0.0/8:443", "[2001:db8::/32]:*"]"#,
        ],
    );
    let policy = parsed(&with_rule("[kill_switch]\nallow = [\"10.0.0.0/8:443\", \"[::1]:*\"]"));
    let shown: Vec<String> = policy.allow.iter().map(allow::text).collect();
    assert_eq!(shown, ["10.0.0.0/8:443", "[::1]:*"]);
    assert!(parsed(&with_rule("")).allow.is_empty());
}

#[test]
fn what_is_allowed_is_read_alone_whatever_else_is_wrong() {
    let allow = |text: &str| Policy::kill_switch_allow(text.as_bytes());
    let text = "version = 9\n[kill_switch]\nallow = [\"10.0.0.0/8:443\"]\n[[rule]]\nid = 1";
    assert_eq!(allow(text).unwrap().len(), 1);
    assert!(allow("version = 1").unwrap().is_empty());
    let wrong = allow("[kill_switch]\nallow = [\"10.0.0.0/8:443\", \"x\"]").unwrap_err();
    assert_eq!(wrong.len(), 1);
    assert!(allow("[kill_switch\nallow = []").is_err());
}

#[test]
fn access_is_users_numbers_and_groups() {
    let instead = r#"write a name, a number without quotes or @group, as in ["ann", 1000, "@ops"]"#;
    for entry in ["", "@", "a b", "1000", "-x", "a:b", "a@b", "@@ops"] {
        check_rule(
            &format!("[access]\noperators = [\"{entry}\"]"),
            &[&format!("6:14: operators \"{entry}\" is no user and no group; {instead}")],
        );
    }
    check_rule(
        "[access]\noperator = [\"ann\"]\nviewers = [-1]\n",
        &[
            r#"6:1: unknown key "operator" in [access]; did you mean "operators"? keys: operators, viewers"#,
            "7:12: viewers is -1; write 0 to 4294967294",
        ],
    );
    check_rule(
        "[access]\nviewers = \"ann\"",
        &[r#"6:11: viewers is a string, not a list; write viewers = ["ann", 1000, "@ops"]"#],
    );
    let policy = parsed(&with_rule("[access]\noperators = [\"ann\", \"@ops\"]\nviewers = [7]"));
    assert_eq!(
        policy.access.operators,
        [Principal::User("ann".into()), Principal::Group("ops".into())]
    );
    assert_eq!(policy.access.viewers, [Principal::Uid(7)]);
}
