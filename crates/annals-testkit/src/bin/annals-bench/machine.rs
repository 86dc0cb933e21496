//! What the machine itself can do, and what a process took of it.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use annals_testkit::proc_stat;
pub(crate) use annals_testkit::processor_time;

use crate::Failure;

/// Processor time of a process and its living children, with their ended ones.
pub(crate) fn processor_time_of_family(pid: u32) -> Duration {
    let mut total = processor_time(pid);
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(child) = entry
            .file_name()
            .to_str()
            .and_then(|name| name.parse::<u32>().ok())
        else {
            continue;
        };
        if proc_stat(child)
            .get(1)
            .is_some_and(|parent| *parent == pid.to_string())
        {
            total += processor_time(child);
        }
    }
    total
}

/// Resident memory, in bytes: now, and at its highest.
pub(crate) fn resident_bytes(pid: u32) -> (u64, u64) {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let field = |name: &str| {
        status
            .lines()
            .find_map(|line| line.strip_prefix(name))
            .and_then(|rest| rest.trim().trim_end_matches(" kB").parse::<u64>().ok())
            .map_or(0, |kilobytes| kilobytes * 1024)
    };
    (field("VmRSS:"), field("VmHWM:"))
}

/// Memory of a process and its living children, in bytes; what they share counts once.
pub(crate) fn proportional_bytes_of_family(pid: u32) -> u64 {
    let children = fs::read_dir("/proc").into_iter().flatten().flatten();
    let children = children.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let family = children.filter(|child| {
        *child == pid
            || proc_stat(*child)
                .get(1)
                .is_some_and(|parent| *parent == pid.to_string())
    });
    let of = |pid: u32| {
        let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
        rollup
            .lines()
            .find_map(|line| line.strip_prefix("Pss:"))
            .and_then(|rest| rest.trim().trim_end_matches(" kB").parse::<u64>().ok())
            .map_or(0, |kilobytes| kilobytes * 1024)
    };
    family.map(of).sum()
}

/// One line: cores, and how long a 4 kB append takes to be durable in `dir`.
pub(crate) fn describe(dir: &Path) -> Result<String, Failure> {
    let path = dir.join("sync-probe");
    let mut file = File::create(&path)?;
    let mut times = Vec::new();
    for _ in 0..300 {
        file.write_all(&[7; 4096])?;
        let start = Instant::now();
        file.sync_data()?;
        times.push(start.elapsed());
    }
    fs::remove_file(path)?;
    times.sort_unstable();
    let cores = std::thread::available_parallelism()?.get();
    let (median, p99) = (
        times[150].as_secs_f64() * 1e3,
        times[297].as_secs_f64() * 1e3,
    );
    Ok(format!(
        "{cores} cores; fdatasync of 4 kB: median {median:.2} ms, p99 {p99:.2} ms"
    ))
}
