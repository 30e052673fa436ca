//! The machine that the figures are from, and whether it has anything else to do.

use std::fmt;
use std::fs;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};
use serde::Serialize;

/// How long the processors are watched for other work.
const WATCH: Duration = Duration::from_millis(500);
/// Share of all processors' time that may go elsewhere without a warning.
const BUSY_MAX: f64 = 0.05;
/// Load average, of one minute, that is taken for an idle machine's per processor. A build just
/// before counts as well.
const LOAD_MAX: f64 = 0.25;

/// Name of a daemon's process.
const MONITOR: &str = "egress-monitor";

/// What figures depend on.
#[derive(Debug, Serialize)]
pub struct Machine {
    cpu: String,
    cores: usize,
    memory_mib: u64,
    kernel: String,
    date: String,
    load_average: f64,
    busy_elsewhere: f64,
    other_monitors: usize,
}

impl Machine {
    /// Reads it. Takes half a second.
    pub fn read() -> Result<Machine> {
        let cpus = read("/proc/cpuinfo")?;
        let memory = read("/proc/meminfo")?;
        let memory_kib: u64 = field(&memory, "MemTotal").and_then(first_number).unwrap_or(0);
        let load = read("/proc/loadavg")?;
        Ok(Machine {
            cpu: field(&cpus, "model name").unwrap_or("unknown CPU").to_owned(),
            cores: thread::available_parallelism()?.get(),
            memory_mib: memory_kib / 1024,
            kernel: read("/proc/sys/kernel/osrelease")?.trim().to_owned(),
            date: jiff::Timestamp::now().strftime("%Y-%m-%d").to_string(),
            load_average: first_number(&load).unwrap_or(0.0),
            busy_elsewhere: busy_share()?,
            other_monitors: monitors()?,
        })
    }

    /// Looks again, after the measurements: what came meanwhile has disturbed them.
    pub fn look_again(&mut self) -> Result<()> {
        self.busy_elsewhere = self.busy_elsewhere.max(busy_share()?);
        self.other_monitors = self.other_monitors.max(monitors()?);
        Ok(())
    }

    /// Says so on standard error when others use the processors.
    pub fn warn_when_busy(&self) {
        if let Some(why) = self.busy() {
            eprintln!("bench: this machine is not idle, the figures will be disturbed: {why}");
        }
    }

    fn busy(&self) -> Option<String> {
        let mut reasons = Vec::new();
        if self.busy_elsewhere > BUSY_MAX {
            reasons.push(format!("processors {:.0} % busy", self.busy_elsewhere * 100.0));
        }
        if self.load_average > LOAD_MAX * self.cores as f64 {
            reasons.push(format!("load average {:.2} at the start", self.load_average));
        }
        if self.other_monitors > 0 {
            reasons.push(format!("other egress-monitors running: {}", self.other_monitors));
        }
        (!reasons.is_empty()).then(|| reasons.join(", "))
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Machine { cpu, cores, memory_mib, kernel, date, .. } = self;
        write!(f, "{cpu}, {cores} cores, {memory_mib} MiB, Linux {kernel}, {date}")?;
        match self.busy() {
            Some(why) => write!(f, "; not idle: {why}"),
            None => Ok(()),
        }
    }
}

fn read(path: &str) -> Result<String> {
    fs::read_to_string(path).with_context(|| format!("{path} cannot be read"))
}

/// What stands behind a name and a colon, in the first line that has them.
pub fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        (key.trim() == name).then(|| value.trim())
    })
}

/// The number with which a text begins.
pub fn first_number<T: std::str::FromStr>(text: &str) -> Option<T> {
    text.split_whitespace().next()?.parse().ok()
}

/// Share of the processors' time that was not idle, over [`WATCH`].
fn busy_share() -> Result<f64> {
    let (busy_before, all_before) = processor_ticks()?;
    thread::sleep(WATCH);
    let (busy, all) = processor_ticks()?;
    let all = all.saturating_sub(all_before).max(1);
    Ok(busy.saturating_sub(busy_before) as f64 / all as f64)
}

/// Daemons that run; between measurements there is none of ours.
pub fn monitors() -> Result<usize> {
    let processes = fs::read_dir("/proc").context("/proc cannot be read")?;
    let named = processes.flatten().filter(|process| {
        fs::read_to_string(process.path().join("comm")).is_ok_and(|comm| comm.trim() == MONITOR)
    });
    Ok(named.count())
}

/// Ticks that were busy, and all (proc_stat(5): idle and iowait are the fourth and fifth).
fn processor_ticks() -> Result<(u64, u64)> {
    let stat = read("/proc/stat")?;
    let line = stat.lines().next().context("/proc/stat is empty")?;
    let ticks: Vec<u64> =
        line.split_whitespace().skip(1).map_while(|ticks| ticks.parse().ok()).collect();
    let all: u64 = ticks.iter().sum();
    let idle: u64 = ticks.iter().skip(3).take(2).sum();
    Ok((all - idle, all))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_of_proc_are_read() {
        let status = "Name:\tx\nVmRSS:\t   46272 kB\n";
        assert_eq!(field(status, "VmRSS").and_then(first_number), Some(46_272));
        assert_eq!(field(status, "VmHWM"), None);
    }
}
