//! What is measured, and how it is shown.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::time::Duration;

/// How long something took, again and again.
#[derive(Default)]
pub struct Times(Vec<Duration>);

impl Times {
    pub fn add(&mut self, took: Duration) {
        self.0.push(took);
    }

    /// The time that this part of all did not exceed.
    pub fn quantile(&mut self, part: f64) -> Duration {
        self.0.sort();
        let rank = (part * self.0.len() as f64).ceil() as usize;
        self.0[rank.saturating_sub(1)]
    }
}

/// A process of this machine.
pub struct Process {
    id: u32,
    pub name: String,
}

impl Process {
    pub fn of(id: u32) -> Process {
        let name = fs::read_to_string(format!("/proc/{id}/comm")).unwrap();
        Process {
            id,
            name: name.trim().to_owned(),
        }
    }

    /// Our child of this name.
    pub fn child(name: &str) -> Process {
        let ours = std::process::id().to_string();
        let is_ours = |id: &u32| {
            let stat = fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
            // `id (name) state parent …`, see proc_pid_stat(5).
            let parent = stat.rsplit(") ").next().and_then(|s| s.split(' ').nth(1));
            stat.contains(&format!("({name})")) && parent == Some(&ours)
        };
        let all = fs::read_dir("/proc").unwrap();
        let mut ids = all.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
        Process::of(ids.find(is_ours).unwrap())
    }

    /// Time on a processor, all threads together.
    pub fn cpu(&self) -> Duration {
        self.threads().values().sum()
    }

    /// Resident memory in KiB: now, and the most there ever was.
    pub fn memory_kib(&self) -> [u64; 2] {
        let status = fs::read_to_string(format!("/proc/{}/status", self.id)).unwrap();
        ["VmRSS:", "VmHWM:"].map(|name| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            line.unwrap()
                .trim()
                .trim_end_matches(" kB")
                .parse()
                .unwrap()
        })
    }

    /// The same by thread.
    pub fn threads(&self) -> BTreeMap<String, Duration> {
        let mut threads = BTreeMap::new();
        for task in fs::read_dir(format!("/proc/{}/task", self.id)).unwrap() {
            let task = task.unwrap().path();
            let read = |file| fs::read_to_string(task.join(file)).unwrap_or_default();
            let nanoseconds = read("schedstat");
            let nanoseconds = nanoseconds.split(' ').next().unwrap().parse();
            let name = read("comm").trim().to_owned();
            *threads.entry(name).or_default() += Duration::from_nanos(nanoseconds.unwrap_or(0));
        }
        threads
    }
}

/// All figures, as Markdown.
#[derive(Default)]
pub struct Table(Vec<(String, String)>);

impl Table {
    pub fn times(&mut self, what: &str, times: &mut Times) {
        let ms = |part| times.quantile(part).as_secs_f64() * 1e3;
        let [half, most, all] = [0.5, 0.99, 1.0].map(ms);
        let shown = format!("p50 {half:.2} ms, p99 {most:.2} ms, max {all:.2} ms");
        self.add(what, shown);
    }

    pub fn rate(&mut self, what: &str, count: usize, took: Duration) {
        let rate = count as f64 / took.as_secs_f64();
        self.add(what, format!("{rate:.0} a second"));
    }

    /// Of so many.
    pub fn each(&mut self, what: &str, spent: Duration, count: usize) {
        let each = spent.as_secs_f64() * 1e6 / count as f64;
        self.add(what, format!("{each:.0} µs a message"));
    }

    pub fn memory(&mut self, what: &str, kib: u64) {
        self.add(what, format!("{:.1} MB", kib as f64 * 1024.0 / 1e6));
    }

    fn add(&mut self, what: &str, shown: String) {
        eprintln!("  {what}: {shown}");
        self.0.push((what.to_owned(), shown));
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "| what | measured |\n|---|---|")?;
        let mut rows = self.0.iter();
        rows.try_for_each(|(what, shown)| writeln!(f, "| {what} | {shown} |"))
    }
}
