//! The daemon at work: one thread that takes records off the ring, puts them through the pipeline
//! and acts on what comes out; signals, deaths, the control socket and the clock get their turn
//! between records.

use std::io::Write as _;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::capture::wait::readable;
use anyhow::Context as _;
use aya::maps::{MapData, RingBuf};
use monitor_ebpf::record::{Sample, SampleHead};
use nix::sys::signal::SigSet;
use nix::sys::signal::Signal::{SIGHUP, SIGINT, SIGTERM};
use sd_notify::NotifyState;
use serde::Serialize;
use tokio::io::unix::AsyncFd;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::time::{Interval, MissedTickBehavior, interval_at};

use super::answer::{Answer, Decided, Verdict};
use super::control::{self, Ask};
use super::gate::Gate;
use super::held::{self, Held};
use super::prevent::Prevents;
use super::warden::Warden;
use super::watch::Watch;
use crate::act::Killer;
use crate::capture::hooks::{self, Hook, Purpose};
use crate::capture::host::Host;
use crate::capture::prefilter::{Needs, Prefilter};
use crate::capture::processes::Processes;
use crate::capture::programs::Programs;
use crate::capture::tls::TlsTap;
use crate::capture::{Armed, CaptureError, sample_head};
use crate::command::policy::today;
use crate::detect::Key;
use crate::limits::{LOOKUP_THREADS_MAX, PROGRAMS_PER_TURN_MAX, RECORDS_PER_TURN_MAX};
use crate::pipeline::Pipeline;
use crate::policy::{Policy, Settings};
use crate::report::sink::Sink;

/// How often the day and the watchdog are looked at.
const TICK: Duration = Duration::from_secs(20);
/// No watchdog is told of more often.
const TICK_MIN: Duration = Duration::from_millis(100);

/// What the command line says, as far as it matters from here on.
pub struct Options {
    /// Read again at SIGHUP.
    pub policy_file: Option<PathBuf>,
    /// Kill nothing.
    pub dry_run: bool,
    /// Where the control socket is.
    pub runtime_dir: PathBuf,
    /// Where the audit trail is.
    pub state_dir: PathBuf,
    /// Carry the programs' own lines.
    pub kernel_log: bool,
    /// When the program began.
    pub started: Instant,
}

/// Samples that the daemon took in, and could not.
#[derive(Debug, Clone, Copy, Default)]
pub struct Received {
    /// Records taken off the ring, without those that wait for their socket to be known.
    pub samples: u64,
    /// Records that had to wait for it.
    pub held: u64,
    /// Of those, the ones whose lengths did not fit each other.
    pub malformed: u64,
}

/// Everything that a record meets on its way.
pub struct Daemon {
    pub(super) options: Options,
    /// Before the programs, so that it is dropped first.
    pub(super) tls: Option<TlsTap>,
    pub(super) programs: Programs,
    pub(super) hooks: Vec<Hook>,
    pub(super) armed_at: Instant,
    pub(super) pipeline: Pipeline,
    pub(super) answer: Answer,
    pub(super) received: Received,
    pub(super) processes: Processes,
    pub(super) watch: Watch,
    coverage_tick: Interval,
    pub(super) prevents: Prevents,
    held: Held,
    samples: Option<AsyncFd<RingBuf<MapData>>>,
    signals: Signals,
    requests: mpsc::Receiver<control::Request>,
    desk: control::Shared,
    /// Places for looking up who processes are, beside this thread.
    pub(super) lookups: Arc<Semaphore>,
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
    reload: Signal,
}

impl Signals {
    fn catch() -> std::io::Result<Signals> {
        // Whoever started the daemon may have blocked them, and a mask is inherited.
        let mut caught = SigSet::empty();
        for signal in [SIGTERM, SIGINT, SIGHUP] {
            caught.add(signal);
        }
        caught.thread_unblock()?;
        Ok(Signals {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            reload: signal(SignalKind::hangup())?,
        })
    }
}

impl Daemon {
    /// Takes over what is armed. Runs inside the runtime.
    pub fn new(
        options: Options,
        armed: Armed,
        policy: Arc<Policy>,
        key: Key,
        sink: Sink,
        warden: Option<Warden>,
    ) -> anyhow::Result<Daemon> {
        let Armed { mut programs, tls, host, hooks, .. } = armed;
        let signals = Signals::catch().context("cannot catch signals")?;
        let gate = Gate::of(&policy.access);
        let desk = control::Desk::new(gate, warden.clone(), options.state_dir.clone());
        let desk = Arc::new(Mutex::new(desk));
        let is_open = !policy.access.is_empty();
        let listening = control::listen(&options.runtime_dir, Arc::clone(&desk), is_open);
        let requests = listening.with_context(|| {
            format!(
                "cannot listen in {}; choose another --runtime-dir",
                options.runtime_dir.display()
            )
        })?;
        let samples = readable(programs.take_samples()?).context("cannot wait for samples")?;
        if options.kernel_log {
            carry_kernel_log(&mut programs);
        }
        let killer = Killer::new(options.dry_run, std::process::id());
        let started = readable(programs.take_started()?).context("cannot wait for programs")?;
        let mut daemon = Daemon {
            prevents: Prevents::new(started),
            processes: Processes::new(host.cgroup_root.clone()),
            watch: Watch::new(),
            coverage_tick: coverage_tick(&policy),
            answer: Answer::new(killer, sink, warden, &policy),
            pipeline: Pipeline::new(policy, key),
            programs,
            tls,
            hooks,
            armed_at: Instant::now(),
            received: Received::default(),
            held: Held::default(),
            samples: Some(samples),
            signals,
            requests,
            desk,
            lookups: Arc::new(Semaphore::new(LOOKUP_THREADS_MAX)),
            options,
        };
        let policy = Arc::clone(daemon.pipeline.policy());
        daemon.prevent(&policy, false)?;
        daemon.say_armed(&host);
        Ok(daemon)
    }

    fn say_armed(&self, host: &Host) {
        let policy = self.options.policy_file.as_ref().map(|path| path.display().to_string());
        let mounted = match host.mounted.as_slice() {
            [] => String::new(),
            mounted => format!(", mounted for itself: {}", mounted.join(" ")),
        };
        tracing::info!(
            "armed in {} ms: taps {}; gates {}; policy {}, {} rules{}{mounted}",
            self.options.started.elapsed().as_millis(),
            hooks::in_use(&self.hooks, Purpose::Tap).join(", "),
            hooks::in_use(&self.hooks, Purpose::Gate).join(", "),
            policy.as_deref().unwrap_or("built in"),
            self.pipeline.policy().rules.len(),
            if self.options.dry_run { ", dry run: nothing is killed" } else { "" },
        );
        notify(&[NotifyState::Ready]);
    }

    /// Runs until a signal ends it; then detaches, takes in what is in the ring, and sums up.
    pub async fn run(mut self) -> anyhow::Result<()> {
        let watchdog = sd_notify::watchdog_enabled().map(|timeout| timeout / 2);
        let period = watchdog.map_or(TICK, |half| half.clamp(TICK_MIN, TICK));
        let mut tick = tokio::time::interval(period);
        let Some(mut samples) = self.samples.take() else { return Ok(()) };
        loop {
            // Records that come without a rest are no reason to let these wait.
            if self.held.is_due() {
                self.take_held(false);
            }
            tokio::select! {
                biased;
                _ = self.signals.terminate.recv() => break,
                _ = self.signals.interrupt.recv() => break,
                _ = self.signals.reload.recv() => self.reload(),
                Some(death) = self.answer.deaths.join_next() => {
                    self.answer.settle(death, &self.programs);
                }
                Some(request) = self.requests.recv() => self.say(request),
                started = self.prevents.started.readable_mut() => {
                    let mut ready = started.context("cannot wait for programs")?;
                    let ids = Prevents::take(ready.get_inner_mut());
                    if ids.len() < PROGRAMS_PER_TURN_MAX {
                        ready.clear_ready();
                    }
                    self.classify(&ids);
                }
                _ = tick.tick() => {
                    self.pipeline.set_today(today());
                    self.follow_day();
                    if watchdog.is_some() {
                        notify(&[NotifyState::Watchdog]);
                    }
                }
                () = tokio::time::sleep(held::LOOK_EVERY), if !self.held.is_empty() => {
                    self.take_held(false);
                }
                _ = self.coverage_tick.tick() => self.look_at_coverage(),
                ready = samples.readable_mut() => {
                    let mut ready = ready.context("cannot wait for samples")?;
                    if self.take_records(ready.get_inner_mut(), RECORDS_PER_TURN_MAX) {
                        ready.clear_ready();
                    } else {
                        // While records are there, waiting for them never waits: without this the
                        // tasks and the clock that the runtime drives would not get their turn.
                        tokio::task::yield_now().await;
                    }
                }
            }
        }
        notify(&[NotifyState::Stopping]);
        drop(self.tls.take());
        let detached = match self.programs.detach() {
            Ok(()) => "detached",
            // The kernel takes the hooks away when the daemon ends, which it does now.
            Err(error) => &format!("detaching goes on at the end: {error}"),
        };
        self.take_records(samples.get_mut(), usize::MAX);
        self.take_held(true);
        self.look_at_coverage();
        self.answer.close(&self.programs).await;
        // Whoever reads it may be gone.
        let _ = write!(std::io::stderr(), "{detached}\n{}", self.status().summary(false));
        Ok(())
    }

    /// Takes up to `records_max` records in; whether the ring is empty.
    fn take_records(&mut self, ring: &mut RingBuf<MapData>, records_max: usize) -> bool {
        for _ in 0..records_max {
            let Some(record) = ring.next() else { return true };
            self.take(&record);
        }
        false
    }

    fn take(&mut self, record: &[u8]) {
        let Some(sample) = Sample::parse(record) else {
            self.received.samples += 1;
            self.received.malformed += 1;
            return;
        };
        let head = self.programs.with_socket(sample.head);
        if self.held.wants(&head) {
            self.received.held += 1;
            self.held.push(&head, record);
        } else {
            self.judge(&head, sample.bytes);
        }
    }

    /// Judges what was held, as far as its time has come.
    fn take_held(&mut self, at_once: bool) {
        let programs = &self.programs;
        let is_known = |record: &[u8]| {
            SampleHead::parse(record).is_some_and(|head| programs.with_socket(head).socket != 0)
        };
        for record in self.held.take(|record| at_once || is_known(record)) {
            if let Some(sample) = Sample::parse(&record) {
                self.judge(&self.programs.with_socket(sample.head), sample.bytes);
            }
        }
    }

    fn judge(&mut self, record: &SampleHead, bytes: &[u8]) {
        self.received.samples += 1;
        let process = self.processes.of(record, &self.programs);
        let head = sample_head(record, process);
        let policy = Arc::clone(self.pipeline.policy());
        let verdict = (record.verdict != 0).then_some(Verdict(record.verdict));
        let (findings, decisions) = match verdict {
            None => self.pipeline.sample(&head, bytes),
            Some(verdict) => self.pipeline.proven(&head, bytes, verdict.rule()),
        };
        if decisions.is_empty() {
            return;
        }
        let decided = Decided {
            head: &head,
            findings,
            decisions,
            verdict,
            position: record.position,
            bytes: u64::from(record.text_bytes) + record.omitted_bytes,
        };
        self.answer.to(&decided, &policy, &mut self.programs);
    }

    /// Puts the policy of the file in force, or leaves the old one.
    fn reload(&mut self) {
        let mut states = vec![NotifyState::Reloading];
        states.extend(NotifyState::monotonic_usec_now());
        notify(&states);
        self.answer.reopen_alerts();
        match &self.options.policy_file {
            None => tracing::info!("alert file opened anew; the policy is built in"),
            Some(path) => match super::read_policy(Some(path)) {
                Err(error) => tracing::error!("{error}: the old one stays in force"),
                Ok(policy) => self.put_in_force(policy, path.display().to_string()),
            },
        }
        notify(&[NotifyState::Ready]);
    }

    fn put_in_force(&mut self, policy: Policy, name: String) {
        let fixed =
            |s: &Settings| (s.ring_bytes, s.sample_bytes_max, s.alerts_queue_max, s.unix_sockets);
        if fixed(&self.pipeline.policy().settings) != fixed(&policy.settings) {
            tracing::warn!(
                "ring_bytes, sample_bytes_max, alerts_queue_max and unix_sockets hold from the next \
                 start"
            );
        }
        if self.pipeline.policy().tls.enabled != policy.tls.enabled {
            tracing::warn!("tls.enabled holds from the next start");
        }
        control::locked(&self.desk).gate = Gate::of(&policy.access);
        let is_open = !policy.access.is_empty();
        if let Err(error) = control::open_to_others(&self.options.runtime_dir, is_open) {
            tracing::error!("the control socket is open to whom it was open before: {error}");
        }
        if Warden::is_needed(&policy) && !self.answer.has_warden() {
            tracing::warn!(
                "action = \"quarantine\", which alerts until then, and [access] to shut hold from the next start"
            );
        }
        if let Some(tls) = &mut self.tls {
            tls.exclude(policy.tls.exclude.clone());
        }
        self.put_prefilter(&policy);
        let rules = policy.rules.len();
        self.answer.follow(&policy);
        self.coverage_tick = coverage_tick(&policy);
        let policy = Arc::new(policy);
        self.pipeline.replace_policy(Arc::clone(&policy));
        if let Err(error) = self.prevent(&policy, true) {
            tracing::error!("the kernel stops what it did before: {error}; restart");
        }
        tracing::info!("policy {name} is in force, {rules} rules");
    }

    /// Makes the kernel let through what a policy needs. Where that fails the old width stays, and
    /// what the new policy asks for beyond it is not seen: an error, and not the end.
    fn put_prefilter(&mut self, policy: &Policy) {
        let (needs, budget) =
            (Needs::of(policy.entities()), super::opaque_budget(&policy.settings));
        let old = self.pipeline.policy();
        if needs == Needs::of(old.entities()) && budget == super::opaque_budget(&old.settings) {
            return;
        }
        let put = Prefilter::new(&needs, budget).map_err(CaptureError::from).and_then(|new| {
            if let Some(why) = new.fallback() {
                tracing::warn!("every send is handed over, none is cleared: {why}");
            }
            self.programs.set_prefilter(&new).map_err(CaptureError::from)
        });
        match put {
            Ok(()) => tracing::info!("the prefilter lets through: {needs}"),
            Err(error) => tracing::error!("the prefilter is as wide as before: {error}; restart"),
        }
    }

    fn say(&self, request: control::Request) {
        match request.ask {
            Ask::Status => answer_with(&self.status(), request.answer),
            Ask::Coverage(listed_max) => self.say_coverage(listed_max, request.answer),
        }
    }
}

/// Ticks whenever coverage is to be looked at.
fn coverage_tick(policy: &Policy) -> Interval {
    let every = policy.coverage.map_or(TICK, |floor| floor.every);
    let mut tick = interval_at(tokio::time::Instant::now() + every, every);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    tick
}

/// Answers in JSON. Whoever asked may be gone.
pub(super) fn answer_with(said: &impl Serialize, to: oneshot::Sender<Vec<u8>>) {
    let mut answer = serde_json::to_vec(said).unwrap_or_default();
    answer.push(b'\n');
    let _ = to.send(answer);
}

fn notify(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::warn!("systemd cannot be told: {error}");
    }
}

fn carry_kernel_log(programs: &mut Programs) {
    let logger = match programs.take_log() {
        Ok(logger) => logger,
        Err(error) => return tracing::warn!("no log of the programs: {error}"),
    };
    match readable(logger) {
        Err(error) => tracing::warn!("no log of the programs: {error}"),
        Ok(mut logger) => {
            tokio::spawn(async move {
                while let Ok(mut ready) = logger.readable_mut().await {
                    ready.get_inner_mut().flush();
                    ready.clear_ready();
                }
            });
        }
    }
}
