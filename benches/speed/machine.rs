//! What a run costs the machine: processor time and memory of each process, as the kernel counts them.

use crate::Outcome;
use std::fs;

/// Ticks a second in which the kernel counts processor time for user space.
const TICKS: f64 = 100.0;

/// Seconds of processor time that a process has used.
pub fn processor(pid: u32) -> f64 {
    fields(pid).map_or(0.0, |(own, _)| own)
}

/// The same of a process and all its children, those that have ended included.
pub fn processor_of_family(pid: u32) -> f64 {
    let children: f64 = children(pid).into_iter().map(processor).sum();
    fields(pid).map_or(0.0, |(own, ended)| own + ended) + children
}

fn stat(pid: u32) -> Option<Vec<String>> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name, in parentheses, may hold blanks.
    let (_, rest) = text.rsplit_once(')')?;
    Some(rest.split_whitespace().map(str::to_owned).collect())
}

fn fields(pid: u32) -> Option<(f64, f64)> {
    let stat = stat(pid)?;
    let at = |place: usize| stat.get(place)?.parse::<f64>().ok();
    Some(((at(11)? + at(12)?) / TICKS, (at(13)? + at(14)?) / TICKS))
}

fn children(pid: u32) -> Vec<u32> {
    let Ok(all) = fs::read_dir("/proc") else { return Vec::new() };
    let pids = all.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    pids.filter(|child| parent(*child) == Some(pid)).collect()
}

/// The process that started this one.
pub fn parent(pid: u32) -> Option<u32> {
    stat(pid)?.get(1)?.parse().ok()
}

/// Lets the peak count from here on.
pub fn forget_peak(pid: u32) -> Outcome {
    Ok(fs::write(format!("/proc/{pid}/clear_refs"), "5")?)
}

/// The most memory that a process held, in MB.
pub fn peak(pid: u32) -> Outcome<f64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).ok_or("the kernel counts no peak")?;
    let kib: f64 = line.trim().trim_end_matches("kB").trim().parse()?;
    Ok(kib * 1024.0 / 1e6)
}
