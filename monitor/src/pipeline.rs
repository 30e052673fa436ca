//! The only wiring: a sample through reassemble, decode, detect and decide. No I/O, no clock: the
//! same samples give the same decisions, from the kernel, a recording or a test.

use std::sync::Arc;

use monitor_ebpf::proof;

use crate::decide::{Decider, Decision, Event};
use crate::decode::{Decoder, LeftOut, Part, Text, View, place, views_live};
use crate::detect::{
    Engine, Fields, Hit, Key, Learned, PROVEN, Readings, Reasons, in_words, proof_tables,
};
use crate::limits::FINDINGS_PER_SAMPLE_MAX;
use crate::model::{Confidence, Finding, SampleHead};
use crate::policy::{Policy, Rule};
use crate::reassemble::{Flows, Reader, Stats};

/// What was found and what was left out, since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// Samples taken in.
    pub samples: u64,
    /// Bytes of text decoded, those handed on twice counted once.
    pub bytes: u64,
    /// Hits, each occurrence one.
    pub hits: u64,
    /// Hits beyond the bounds of a sample.
    pub hits_cut: u64,
    /// What of texts was not decoded, for want of room.
    pub undecoded: LeftOut,
    /// Messages for which a rule acted.
    pub decisions: u64,
}

/// The stages between capture and act, with their state.
pub struct Pipeline {
    flows: Flows<Flow>,
    finder: Finder,
    decider: Decider,
    counters: Counters,
    findings: Vec<Finding>,
    decisions: Vec<Decision>,
}

/// What is kept of one flow.
#[derive(Default)]
struct Flow {
    decoder: Decoder,
    fields: Fields,
}

impl Reader for Flow {
    fn kept(&self) -> &[u8] {
        self.decoder.kept()
    }
}

/// Turns texts into findings.
struct Finder {
    engine: Engine,
    key: Key,
    readings: Readings,
}

impl Pipeline {
    /// A pipeline that has seen nothing yet.
    pub fn new(policy: Arc<Policy>, key: Key) -> Pipeline {
        Pipeline {
            flows: Flows::default(),
            finder: Finder { engine: policy.engine(), key, readings: Readings::default() },
            decider: Decider::new(policy),
            counters: Counters::default(),
            findings: Vec::new(),
            decisions: Vec::new(),
        }
    }

    /// Takes in a sample; gives what was found in it and what the policy says to that.
    pub fn sample(&mut self, head: &SampleHead, bytes: &[u8]) -> (&[Finding], &[Decision]) {
        self.findings.clear();
        self.decisions.clear();
        self.counters.samples += 1;
        let piece = self.flows.push(head, bytes);
        self.counters.bytes += piece.fresh.len() as u64;
        let (finder, findings, counters) =
            (&mut self.finder, &mut self.findings, &mut self.counters);
        let Flow { decoder, fields } = piece.state;
        decoder.feed(piece.fresh, piece.gap, &mut |text| {
            finder.find(&text, fields, findings, counters);
        });
        counters.undecoded.add(decoder.take_left_out());
        if !self.findings.is_empty() {
            let event = Event {
                at_ns: head.at_ns,
                process: &head.process,
                destination: head.destination,
                transport: head.transport,
                findings: &self.findings,
            };
            self.decider.decide(&event, &mut self.decisions);
            self.counters.decisions += self.decisions.len() as u64;
        }
        (&self.findings, &self.decisions)
    }

    /// The same for a sample on which the kernel has decided by the rule at an index: there is a decision of
    /// it in any case, and a finding, though what stands around a value may speak against it.
    pub fn proven(
        &mut self,
        head: &SampleHead,
        bytes: &[u8],
        rule: usize,
    ) -> (&[Finding], &[Decision]) {
        self.sample(head, bytes);
        let policy = Arc::clone(self.decider.policy());
        let Some(asked) = policy.rules.get(rule) else { return (&self.findings, &self.decisions) };
        if self.decisions.iter().any(|decision| decision.rule == rule) {
            return (&self.findings, &self.decisions);
        }
        let is_asked = |finding: &Finding| asked.entities.iter().any(|(e, _)| *e == finding.entity);
        if !self.findings.iter().any(is_asked) {
            self.finder.find_proven(bytes, asked, &mut self.findings, &mut self.counters);
        }
        let findings: Vec<usize> =
            (0..self.findings.len()).filter(|&at| is_asked(&self.findings[at])).collect();
        self.decisions.push(Decision { rule, action: asked.action, findings, window: None });
        (&self.findings, &self.decisions)
    }

    /// Puts another policy in force; flows go on.
    pub fn replace_policy(&mut self, policy: Arc<Policy>) {
        self.finder.engine = policy.engine();
        self.decider.replace(policy);
    }

    /// Tells the day, so that exceptions expire.
    pub fn set_today(&mut self, today: crate::policy::Date) {
        self.decider.set_today(today);
    }

    /// The policy in force.
    pub fn policy(&self) -> &Arc<Policy> {
        self.decider.policy()
    }

    /// What was found and left out.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// What happened to flows.
    pub fn flows(&self) -> (usize, Stats) {
        (self.flows.len(), self.flows.stats())
    }

    /// What the policy let through or could not keep.
    pub fn decider(&self) -> crate::decide::Counters {
        self.decider.counters()
    }
}

impl Finder {
    fn find(
        &mut self,
        text: &Text<'_>,
        fields: &mut Fields,
        findings: &mut Vec<Finding>,
        counters: &mut Counters,
    ) {
        let views = views_live(text);
        counters.undecoded.add(views.left_out);
        let in_order: Vec<&View<'_>> = views.iter().collect();
        let engine = &self.engine;
        let find = |view: &View<'_>, bytes: &[u8], hits: &mut Vec<Hit>| {
            if !view.has_fields() {
                return engine.find(bytes, hits);
            }
            let fresh = |end| view.span(end..end).end > text.fresh;
            let find = |learned: Option<Learned<'_>>, hits: &mut Vec<Hit>| {
                engine.find_learned(bytes, learned, hits)
            };
            fields.find(bytes, fresh, hits, find)
        };
        counters.hits_cut += self.readings.find(&in_order, None, find) as u64;
        // What ends before the fresh bytes was found when they were.
        for reading in self.readings.found().iter().filter(|reading| reading.span.end > text.fresh)
        {
            counters.hits += 1;
            let (hit, Some(view)) = (&reading.hit, in_order.get(reading.view)) else {
                continue;
            };
            let Some(value) = view.bytes.get(hit.start..hit.end) else { continue };
            let key = hit.key.and_then(|(start, end)| view.bytes.get(start..end));
            add(findings, (&self.engine, &self.key), hit, value, text.part, key, counters);
        }
    }
}

impl Finder {
    /// Finds what the kernel has proven, by the same text.
    fn find_proven(
        &self,
        bytes: &[u8],
        rule: &Rule,
        findings: &mut Vec<Finding>,
        counters: &mut Counters,
    ) {
        let tables = proof_tables();
        let search = proof::search(&tables, bytes, 0);
        for found in search.proofs.iter().take(search.found as usize) {
            let entity = PROVEN.iter().find(|(_, class)| *class == found.class);
            let Some((entity, _)) = entity else { continue };
            let Some(detector) = self.engine.id(entity) else { continue };
            if !rule.entities.iter().any(|(asked, _)| asked.name() == *entity) {
                continue;
            }
            let (start, end) = (found.start as usize, found.end as usize);
            let Some(value) = bytes.get(start..end) else { continue };
            let hit = Hit {
                detector,
                start,
                end,
                confidence: Confidence::Low,
                score_db: 0,
                reasons: Reasons::CHECKED.and(Reasons::DOUBT),
                partial: false,
                test_data: false,
                key: None,
                rival: None,
            };
            add(findings, (&self.engine, &self.key), &hit, value, Part::Text, None, counters);
        }
    }
}

/// Adds a hit to the findings: one finding for each value.
fn add(
    findings: &mut Vec<Finding>,
    (engine, host_key): (&Engine, &Key),
    hit: &Hit,
    value: &[u8],
    part: Part,
    key: Option<&[u8]>,
    counters: &mut Counters,
) {
    let entity = engine.entity(hit.detector);
    let fingerprint = host_key.fingerprint(engine, hit.detector, value);
    let same = |f: &&mut Finding| f.entity == *entity && f.fingerprint == fingerprint;
    if let Some(finding) = findings.iter_mut().find(same) {
        finding.count += 1;
        if hit.confidence > finding.confidence {
            finding.confidence = hit.confidence;
            finding.reasons = reasons(hit, key, entity.name());
        }
        finding.partial &= hit.partial;
        return;
    }
    if findings.len() >= FINDINGS_PER_SAMPLE_MAX {
        counters.hits_cut += 1;
        return;
    }
    findings.push(Finding {
        entity: entity.clone(),
        confidence: hit.confidence,
        tags: engine.tags(hit.detector),
        count: 1,
        masked: engine.mask(hit.detector, value),
        fingerprint,
        place: place(part, key),
        test_data: hit.test_data,
        partial: hit.partial,
        reasons: reasons(hit, key, entity.name()),
    });
}

fn reasons(hit: &Hit, key: Option<&[u8]>, entity: &str) -> Vec<String> {
    let field = key.and_then(|key| in_words(hit, key, entity));
    hit.reasons.iter().map(str::to_owned).chain(field).collect()
}
