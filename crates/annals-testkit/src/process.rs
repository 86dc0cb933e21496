//! What a process took of the machine, as `/proc` tells it.

use std::fs;
use std::time::Duration;

/// Clock ticks of `/proc/<pid>/stat`; 100 a second on every Linux that Debian runs on.
const TICKS: f64 = 100.0;

/// Processor time of a process with its ended children, user and system, in steps of 10 ms. Nothing if there is no such process.
#[must_use]
pub fn processor_time(pid: u32) -> Duration {
    let fields = proc_stat(pid);
    // utime, stime, cutime, cstime: fields 14 to 17 of proc(5), 11 after the name.
    let ticks: u64 = fields
        .iter()
        .skip(11)
        .take(4)
        .filter_map(|field| field.parse::<u64>().ok())
        .sum();
    Duration::from_secs_f64(ticks as f64 / TICKS)
}

/// The fields of `/proc/<pid>/stat` after the name, which may itself contain spaces: state, ppid, … Empty if there is no such process.
#[must_use]
pub fn proc_stat(pid: u32) -> Vec<String> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let rest = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    rest.split_whitespace().map(str::to_owned).collect()
}
