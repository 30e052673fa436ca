//! An alert as the file has it.

use serde_json::Value;

/// A line of the alert file.
#[derive(Debug, Clone)]
pub struct Alert(pub Value);

impl Alert {
    /// A text of it, by its JSON pointer; empty where there is none.
    pub fn text(&self, pointer: &str) -> &str {
        self.0.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
    }

    /// A number of it.
    #[track_caller]
    pub fn number(&self, pointer: &str) -> u64 {
        match self.0.pointer(pointer).and_then(Value::as_u64) {
            Some(number) => number,
            None => panic!("no number at {pointer} of {}", self.0),
        }
    }

    /// Who sent.
    pub fn pid(&self) -> u32 {
        self.number("/process/pid") as u32
    }

    /// Address and port that it was sent to; `None` where the alert does not know.
    pub fn destination(&self) -> Option<(String, u16)> {
        let address = self.0.pointer("/destination/address")?.as_str()?;
        Some((address.into(), self.number("/destination/port") as u16))
    }

    /// Entity, masked text and count of each finding.
    pub fn findings(&self) -> Vec<(&str, &str, u64)> {
        let findings = self.0["findings"].as_array().map(Vec::as_slice).unwrap_or_default();
        let text = |finding: &'_ Value, key: &str| finding[key].as_str().is_some();
        findings
            .iter()
            .filter(|finding| text(finding, "entity") && text(finding, "masked"))
            .map(|finding| {
                let entity = finding["entity"].as_str().unwrap_or_default();
                let masked = finding["masked"].as_str().unwrap_or_default();
                (entity, masked, finding["count"].as_u64().unwrap_or(0))
            })
            .collect()
    }

    /// Entities, each as often as there are findings of it.
    pub fn entities(&self) -> Vec<&str> {
        self.findings().into_iter().map(|finding| finding.0).collect()
    }

    /// Fingerprints of the findings.
    pub fn fingerprints(&self) -> Vec<String> {
        let findings = self.0["findings"].as_array().map(Vec::as_slice).unwrap_or_default();
        findings.iter().filter_map(|f| f["fingerprint"].as_str().map(str::to_owned)).collect()
    }
}

/// The alerts of a file, in its order. Lines that are no JSON fail the test.
#[track_caller]
pub fn parse(text: &str) -> Vec<Alert> {
    // What has no line feed yet is being written.
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    let parsed = whole.lines().map(|line| match serde_json::from_str(line) {
        Ok(value) => Alert(value),
        Err(error) => panic!("a line of the alert file is no JSON: {error}: {line}"),
    });
    parsed.collect()
}
