//! The threads of a scan: one lists files, some look through them, and the first puts what comes
//! back in order, prints and counts it.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use anstream::{AutoStream, ColorChoice};

use super::ScanArgs;
use super::baseline::Baseline;
use super::changed::{Changed, Lines};
use super::format::{Printer, Run, Standing, harmless};
use super::found::{Found, Report, Warning};
use super::progress::Progress;
use super::reader::{Reader, Rules};
use super::summary::{Summary, counted};
use super::walk::{Job, Walk};
use crate::command::input::Skip;
use crate::command::names::Chosen;
use crate::limits::{SCAN_AHEAD_FILES_MAX, SCAN_QUEUE_FILES_MAX};

/// Path of standard input where one is printed.
const STDIN: &str = "-";

/// What is to be done.
pub(super) struct Scan<'a> {
    pub args: &'a ScanArgs,
    pub chosen: Chosen,
    pub walk: Walk,
    pub rules: Rules,
    pub changed: Option<Changed>,
    pub threads: usize,
    pub stable_key: bool,
}

/// What it came to.
pub(super) enum Outcome {
    Clean,
    Findings,
    Trouble,
}

/// How far the listing may go ahead of the printing.
#[derive(Default)]
struct Pace {
    printed: Mutex<u64>,
    moved: Condvar,
    listed: AtomicU64,
    stop: AtomicBool,
}

impl Pace {
    fn lock(&self) -> MutexGuard<'_, u64> {
        self.printed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until `index` may be listed; `false` where nobody wants it any more.
    fn may(&self, index: u64) -> bool {
        let mut printed = self.lock();
        while index.saturating_sub(*printed) >= SCAN_AHEAD_FILES_MAX as u64 {
            if self.stop.load(Ordering::Relaxed) {
                return false;
            }
            printed = self.moved.wait(printed).unwrap_or_else(PoisonError::into_inner);
        }
        !self.stop.load(Ordering::Relaxed)
    }

    fn printed(&self, count: u64) {
        *self.lock() = count;
        self.moved.notify_one();
    }

    fn stop(&self) {
        // Under the lock: who waits has either seen it or is woken.
        let _printed = self.lock();
        self.stop.store(true, Ordering::Relaxed);
        self.moved.notify_all();
    }
}

type Numbered<T> = (u64, T);

impl Scan<'_> {
    /// Does it.
    pub(super) fn run(&self, baseline: Option<Baseline>) -> Result<Outcome, String> {
        let begun = Instant::now();
        let pace = Pace::default();
        let (jobs, waiting) = sync_channel(SCAN_QUEUE_FILES_MAX);
        let (reports, done) = channel();
        let waiting = Mutex::new(waiting);
        let stdout = io::stdout();
        let colour = AutoStream::choice(&stdout) != ColorChoice::Never;
        let mut out = BufWriter::with_capacity(64 << 10, stdout.lock());
        let run = Run {
            chosen: &self.chosen,
            stable_key: self.stable_key,
            baseline: self.args.baseline.is_some(),
            colour,
            out: &mut out,
        };
        let mut collector = Collector {
            scan: self,
            printer: self.args.format.printer(),
            run,
            baseline,
            summary: Summary::default(),
            listed: 0,
            looked_at: BTreeSet::new(),
            progress: Progress::new(!self.args.quiet),
        };
        let written = std::thread::scope(|scope| {
            scope.spawn(|| self.list(&pace, jobs));
            for _ in 0..self.threads {
                let (reports, waiting, pace) = (reports.clone(), &waiting, &pace);
                scope.spawn(move || self.work(waiting, &reports, pace));
            }
            drop(reports);
            let written = collector.collect(&done, &pace);
            pace.stop();
            written
        });
        collector.progress.end();
        collector.summary.took = begun.elapsed();
        match written.and_then(|()| collector.end()) {
            // Whoever read has had enough, and that is no error.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
            Err(error) => return Err(format!("cannot write to standard output: {error}")),
            Ok(()) => {}
        }
        collector.conclude()
    }

    /// Lists what there is to do.
    fn list(&self, pace: &Pace, jobs: SyncSender<Numbered<Job>>) {
        let mut index = 0;
        let baseline = self.args.baseline.as_ref().or(self.args.write_baseline.as_ref());
        let baseline = baseline.and_then(|at| at.canonicalize().ok());
        let mut job = |job: Job| {
            // A baseline is full of digits, and none of them is anybody's.
            if let (Some(baseline), Job::File(path)) = (&baseline, &job)
                && path.file_name() == baseline.file_name()
                && path.canonicalize().is_ok_and(|path| path == *baseline)
            {
                return true;
            }
            if let (Some(changed), Job::File(path)) = (&self.changed, &job)
                && changed.lines(path).is_none()
            {
                return true;
            }
            let goes = pace.may(index) && jobs.send((index, job)).is_ok();
            index += 1;
            pace.listed.store(index, Ordering::Relaxed);
            goes
        };
        for path in &self.args.paths {
            if !self.walk.each(path, &mut job) {
                break;
            }
        }
    }

    /// Does what is listed until there is no more.
    fn work(
        &self,
        jobs: &Mutex<Receiver<Numbered<Job>>>,
        reports: &Sender<Numbered<Report>>,
        pace: &Pace,
    ) {
        let mut reader = Reader::new(&self.rules);
        loop {
            let next = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
            let Ok((index, job)) = next else { break };
            // What is still listed is taken off the queue, so that the listing thread ends.
            if pace.stop.load(Ordering::Relaxed) {
                continue;
            }
            let report = self.look_through(&mut reader, job);
            if reports.send((index, report)).is_err() {
                break;
            }
        }
    }

    fn look_through(&self, reader: &mut Reader<'_>, job: Job) -> Report {
        match job {
            Job::File(path) => {
                let mut report = reader.file(&path, self.lines(&path));
                report.name = Some(path);
                report
            }
            Job::Stdin => reader.stream(STDIN, &mut io::stdin().lock()),
            Job::Trouble(path, what) => {
                Report { skipped: vec![(path, Skip::Unreadable, what)], ..Report::default() }
            }
        }
    }

    fn lines(&self, path: &Path) -> Lines<'_> {
        let changed = self.changed.as_ref();
        changed.and_then(|changed| changed.lines(path)).unwrap_or(Lines::All)
    }
}

/// Puts reports in order, prints and counts.
struct Collector<'a, 'o> {
    scan: &'a Scan<'a>,
    printer: Box<dyn Printer>,
    run: Run<'o>,
    baseline: Option<Baseline>,
    summary: Summary,
    /// Findings that were printed.
    listed: usize,
    /// Paths of the files that were looked through, as a baseline has them.
    looked_at: BTreeSet<String>,
    progress: Progress,
}

impl Collector<'_, '_> {
    fn collect(&mut self, done: &Receiver<Numbered<Report>>, pace: &Pace) -> io::Result<()> {
        self.printer.begin(&mut self.run)?;
        let mut early: BTreeMap<u64, Report> = BTreeMap::new();
        let mut next = 0;
        for (index, report) in done {
            early.insert(index, report);
            while let Some(report) = early.remove(&next) {
                next += 1;
                self.report(report)?;
            }
            pace.printed(next);
            let listed = pace.listed.load(Ordering::Relaxed);
            self.progress.at(next, listed, self.summary.findings(), self.summary.bytes);
        }
        Ok(())
    }

    fn report(&mut self, report: Report) -> io::Result<()> {
        let summary = &mut self.summary;
        summary.files = summary.files.saturating_add(u64::from(report.is_file));
        summary.bytes = summary.bytes.saturating_add(report.bytes);
        summary.left.add(report.left);
        for (path, why, what) in &report.skipped {
            self.summary.skip(&harmless(path), *why);
            if why.is_trouble() {
                self.trouble(path, *why, what)?;
            }
        }
        if let (Some(baseline), Some(name)) = (&self.baseline, &report.name)
            && !baseline.is_empty()
            && report.skipped.is_empty()
        {
            self.looked_at.insert(baseline.path(&name.to_string_lossy()));
        }
        for warning in &report.warnings {
            self.warning(warning)?;
        }
        let before = self.summary.findings();
        let any = !report.found.is_empty();
        for found in &report.found {
            self.found(found)?;
        }
        let new = self.summary.findings() > before;
        self.summary.files_with_findings += u64::from(new);
        if any {
            let out = &mut self.run.out;
            self.progress.aside(|| out.flush())?;
        }
        Ok(())
    }

    fn found(&mut self, found: &Found) -> io::Result<()> {
        let known = self.baseline.as_mut().filter(|_| found.allowed.is_none());
        let known = known.is_some_and(|baseline| baseline.knows(found));
        let accepts = self.scan.args.write_baseline.is_some() || self.scan.args.update_baseline;
        let summary = &mut self.summary;
        let standing = if found.allowed.is_some() {
            summary.allowed += 1;
            Standing::Allowed
        } else if known || accepts {
            summary.known += 1;
            Standing::Known
        } else {
            if found.test_data && !self.scan.args.fail_on_test_data {
                summary.test_data += 1;
            } else {
                *summary.found.entry(std::sync::Arc::clone(&found.entity)).or_default() += 1;
            }
            Standing::New
        };
        if self.listed >= self.scan.args.max_findings {
            self.summary.not_listed += 1;
            return Ok(());
        }
        self.listed += 1;
        let (printer, run) = (&mut self.printer, &mut self.run);
        self.progress.aside(|| printer.found(run, found, standing))
    }

    fn warning(&mut self, warning: &Warning) -> io::Result<()> {
        self.summary.warnings += 1;
        if self.printer.warning(&mut self.run, warning)? || self.scan.args.quiet {
            return Ok(());
        }
        let path = harmless(&warning.path);
        let place = match warning.line {
            0 => path,
            line => format!("{path}:{line}:{}", warning.column),
        };
        self.say(&format!("{place}: warning: {}", warning.message));
        Ok(())
    }

    fn trouble(&mut self, path: &str, why: Skip, what: &str) -> io::Result<()> {
        let (path, what) = (harmless(path), harmless(&format!("{why}: {what}")));
        self.say(&format!("egress-monitor: {path}: {what}"));
        self.printer.trouble(&mut self.run, &path, &what)
    }

    /// Tells standard error. Where that is gone there is nobody to tell.
    fn say(&self, line: &str) {
        self.progress.aside(|| {
            let _ = writeln!(io::stderr(), "{line}");
        });
    }

    /// Ends what is printed.
    fn end(&mut self) -> io::Result<()> {
        self.printer.end(&mut self.run, &self.summary)?;
        self.run.out.flush()
    }

    /// Sees to the baseline, and sums up.
    fn conclude(mut self) -> Result<Outcome, String> {
        let args = self.scan.args;
        let (entities, min) = (&self.scan.rules.entities, args.min_confidence);
        // What did not change was not looked at.
        let whole = args.changed_since.is_none();
        if let Some(baseline) = self.baseline.take() {
            let looked_at = &self.looked_at;
            if args.write_baseline.is_some() || args.update_baseline {
                let count = baseline.write(looked_at, entities, min, whole)?;
                if !args.quiet {
                    let at = args.write_baseline.as_ref().or(args.baseline.as_ref());
                    let at = at.map(|at| at.display().to_string()).unwrap_or_default();
                    self.say(&format!("{at} accepts {}", counted(count as u64, "finding")));
                }
            } else if !args.quiet && whole {
                for stale in baseline.stale(looked_at, entities, min) {
                    let at = args.baseline.as_ref().map(|at| at.display().to_string());
                    let at = at.unwrap_or_default();
                    let stale = harmless(&stale);
                    self.say(&format!(
                        "{at}: warning: stale: {stale} is gone; --update-baseline takes it out"
                    ));
                }
            }
        }
        if !args.quiet {
            let _ = self.summary.tell(&mut io::stderr().lock());
        }
        Ok(if self.summary.findings() > 0 {
            Outcome::Findings
        } else if self.summary.has_trouble() {
            Outcome::Trouble
        } else {
            Outcome::Clean
        })
    }
}
