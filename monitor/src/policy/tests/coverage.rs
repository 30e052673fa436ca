//! `[coverage]`: what it may hold, and what is said of the rest.

use std::time::Duration;

use super::{check, check_rule, parsed, with_rule};
use crate::model::Severity;
use crate::policy::CoverageFloor;

#[test]
fn coverage_is_a_share() {
    let check_share = |share: &str, wrong: &str| {
        check_rule(&format!("[coverage]\nalert_below = {share}"), &[&format!("6:15: {wrong}")]);
    };
    let instead = "write a share above 0 and up to 1, such as 0.99";
    for share in ["99", "0", "0.0", "1.01", "-0.5", "inf", "nan", "0x10", "99999999999999999999"] {
        check_share(share, &format!("alert_below is {share}; {instead}"));
    }
    check_share("\"99%\"", "alert_below is a string, not a number; write alert_below = 0.99");
    check_rule(
        r#"[coverage]
alert_bellow = 0.9
min_bytes = 0
every_s = 3601
severity = "hi""#,
        &[
            "5:1: warning: [coverage] has no alert_below and raises no alert; add alert_below = 0.99, or leave [coverage] out",
            r#"6:1: unknown key "alert_bellow" in [coverage]; did you mean "alert_below"? keys: alert_below, min_bytes, every_s, severity"#,
            "7:13: min_bytes is 0; write 1 to 1099511627776",
            "8:11: every_s is 3601; write 1 to 3600",
            r#"9:12: unknown severity "hi"; severities: info, low, medium, high, critical"#,
        ],
    );
    check_rule(
        "[coverage]\nmin_bytes = 1",
        &[
            "5:1: warning: [coverage] has no alert_below and raises no alert; add alert_below = 0.99, or leave [coverage] out",
        ],
    );
}

#[test]
fn the_id_of_coverage_is_taken_where_coverage_is_watched() {
    let rule = "version = 1\n[[rule]]\nid = \"coverage\"\nentities = \"*\"\n";
    check(rule, &[]);
    check(
        &format!("{rule}[coverage]\nalert_below = 1"),
        &[r#"3:6: id "coverage" is that of the alerts of [coverage]; give the rule another"#],
    );
}

#[test]
fn coverage_is_off_and_has_defaults_where_it_is_on() {
    let coverage = |text: &str| parsed(&with_rule(text)).coverage;
    assert_eq!(coverage(""), None);
    assert_eq!(coverage("[coverage]\nmin_bytes = 1"), None);
    let floor = CoverageFloor {
        alert_below: 0.99,
        min_bytes: 65_536,
        every: Duration::from_secs(20),
        severity: Severity::Medium,
    };
    assert_eq!(coverage("[coverage]\nalert_below = 0.9_9"), Some(floor));
    let text = "[coverage]\nalert_below = 1\nmin_bytes = 1\nevery_s = 1\nseverity = \"high\"";
    let floor = CoverageFloor {
        alert_below: 1.0,
        min_bytes: 1,
        every: Duration::from_secs(1),
        severity: Severity::High,
    };
    assert_eq!(coverage(text), Some(floor));
}
