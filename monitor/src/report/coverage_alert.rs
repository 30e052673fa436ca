//! An alert about coverage: too little of what a process sends is examined. It stands in the same
//! file as those about findings, with the same envelope, and is documented in docs/alerts.md.

use serde::{Deserialize, Serialize};

use super::alert::AlertProcess;
use super::coverage::{Ledger, bytes_text};
use crate::act::Outcome;
use crate::model::Severity;
use crate::policy::{Action, COVERAGE_RULE, CoverageFloor};

/// A process below `alert_below` of the policy.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CoverageAlert {
    /// When it was seen, RFC 3339 in UTC with microseconds.
    pub time: String,
    /// Unique on this host, as that of every alert.
    pub id: String,
    /// Always [`COVERAGE_RULE`].
    pub rule: String,
    /// How bad.
    pub severity: Severity,
    /// Always `alert`.
    pub action: Action,
    /// Always `alerted`.
    pub outcome: Outcome,
    /// What the policy asks for.
    pub alert_below: f64,
    /// What the process sent, and how much of it was examined.
    #[serde(flatten)]
    pub ledger: Ledger,
    /// Who sent.
    pub process: AlertProcess,
}

impl CoverageAlert {
    /// About what a process sent by now.
    pub fn new(
        time: String,
        id: String,
        process: AlertProcess,
        ledger: Ledger,
        floor: &CoverageFloor,
    ) -> CoverageAlert {
        CoverageAlert {
            time,
            id,
            rule: COVERAGE_RULE.into(),
            severity: floor.severity,
            action: Action::Alert,
            outcome: Outcome::Alerted,
            alert_below: floor.alert_below,
            ledger,
            process,
        }
    }

    /// One line for a person.
    pub fn line(&self) -> String {
        let head = format!("{} {:?}", self.time, self.severity).to_uppercase();
        let who = match self.process.exe.rsplit('/').next().unwrap_or_default() {
            "" if self.process.pid == 0 => "nobody who is known",
            name => name,
        };
        let line = format!(
            "{head} {}: {who}[{}] sent {}, {} examined, alert_below = {}: {} -> {}",
            self.rule,
            self.process.pid,
            bytes_text(self.ledger.bytes_sent.max(self.ledger.bytes())),
            self.ledger.share_text(),
            self.alert_below,
            self.ledger.gaps_text(),
            self.outcome.name(),
        );
        line.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    const DOC: &str = include_str!("../../../docs/alerts.md");

    fn example() -> Value {
        let rest = DOC.split("```json\n").nth(2).unwrap();
        serde_json::from_str(rest.split_once("```").unwrap().0).unwrap()
    }

    #[test]
    fn the_example_in_the_docs_is_an_alert_key_for_key() {
        let alert: CoverageAlert = serde_json::from_value(example()).unwrap();
        assert_eq!(serde_json::to_value(&alert).unwrap(), example());
        for name in example().as_object().unwrap().keys() {
            assert!(DOC.contains(&format!("`{name}`")), "{name}");
        }
    }

    #[test]
    fn a_line_for_people_says_how_much_was_not_examined_and_why() {
        let mut alert: CoverageAlert = serde_json::from_value(example()).unwrap();
        alert.process.exe = "/opt/back\nup".into();
        let line = alert.line();
        assert!(!line.chars().any(char::is_control), "{line:?}");
        let expected = "2026-11-25T11:02:14.732997Z MEDIUM coverage: back up[15281] sent 1.0 MiB, \
                        1.5 % examined, alert_below = 0.99: tls 1.0 MiB -> alerted";
        assert_eq!(line, expected);
        (alert.process.pid, alert.process.exe) = (0, String::new());
        assert!(alert.line().contains("coverage: nobody who is known[0] sent"), "{}", alert.line());
    }
}
