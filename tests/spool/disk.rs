//! The spool on real disks: one that is well, one that is no folder, full ones, a read-only one.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::mpsc::sync_channel;

use mediapackage2mqtt::engine::spooling::{Seq, SpoolEvent, SpoolRequest};
use mediapackage2mqtt::sns::spool::keeper::Spool;
use mediapackage2mqtt::sns::spool::storage::Disk;
use mediapackage2mqtt::sns::spool::{Limits, run};

use super::records::{batch, decode, record, told};

/// Tells a process that a test starts which folder it is to use.
const FOLDER: &str = "SPOOL_TEST_FOLDER";
const FILLER: usize = 4000;

fn spool(folder: &Path) -> Spool<Disk> {
    Spool::new(Disk::new(folder.to_owned()), Limits::default())
}

fn append(spool: &mut Spool<Disk>, seq: Seq) -> Result<(), String> {
    spool.append(&batch([(seq, record(seq, FILLER))]))[0]
        .result
        .clone()
}

fn all(spool: &mut Spool<Disk>) -> Vec<(Seq, Option<Vec<u8>>)> {
    let mut all: Vec<(Seq, Option<Vec<u8>>)> = Vec::new();
    loop {
        let from = all.last().map_or(0, |(seq, _)| seq + 1);
        let some = told(spool.read(from, &decode));
        if some.is_empty() {
            return all;
        }
        all.extend(some);
    }
}

fn expected(seqs: impl IntoIterator<Item = Seq>) -> Vec<(Seq, Option<Vec<u8>>)> {
    let one = |seq| (seq, Some(record(seq, FILLER)));
    seqs.into_iter().map(one).collect()
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(self::files(&path));
        }
        files.push(path);
    }
    files.sort();
    files
}

#[test]
fn records_outlive_the_process_and_only_the_owner_reads_them() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("instance/spool");
    let mut first = spool(&folder);
    assert_eq!(first.open(&decode).unwrap().next, 1);
    for seq in 1..=200 {
        append(&mut first, seq).unwrap();
    }
    first.set_aside(150, "a test");
    first.release(149);
    drop(first);

    let mut second = spool(&folder);
    let opened = second.open(&decode).unwrap();
    assert!(opened.next > 200);
    assert_eq!(opened.pending.len(), 51);
    assert_eq!(all(&mut second), expected(150..=200));
    assert_eq!(
        fs::read(folder.join("aside/150.json")).unwrap(),
        record(150, FILLER)
    );
    let mut paths = files(&folder);
    paths.push(folder.clone());
    for path in paths {
        let wanted = if path.is_dir() { 0o700 } else { 0o600 };
        let mode = fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, wanted, "{}", path.display());
    }
    append(&mut second, opened.next).unwrap();
    second.release(opened.next);
    let names: Vec<String> = files(&folder)
        .iter()
        .map(|path| path.display().to_string())
        .collect();
    assert!(
        !names.iter().any(|name| name.ends_with(".segment")),
        "{names:?}"
    );
    assert_eq!(
        names.iter().filter(|name| name.ends_with(".next")).count(),
        1,
        "{names:?}"
    );
}

#[test]
fn a_file_in_place_of_the_folder_is_named_and_tried_again() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("spool");
    fs::write(&folder, "not a folder").unwrap();
    let (send, receive) = sync_channel(4);
    let (tell, told) = sync_channel(4);
    let place = folder.clone();
    let thread = std::thread::spawn(move || {
        run(place, Limits::default(), decode, receive, |event| {
            tell.send(event).unwrap()
        });
    });
    let append = |seq: Seq| {
        let record = record(seq, 0).into();
        send.send(SpoolRequest::Append { seq, record }).unwrap();
        told.recv().unwrap()
    };
    let why = match told.recv().unwrap() {
        SpoolEvent::Opened(Err(why)) => why,
        other => panic!("{other:?}"),
    };
    assert!(
        why.contains(folder.to_str().unwrap()) && why.contains("move away"),
        "{why}"
    );
    assert!(matches!(
        append(1),
        SpoolEvent::Stored { result: Err(_), .. }
    ));
    fs::remove_file(&folder).unwrap();
    assert!(matches!(append(2), SpoolEvent::Opened(Ok(_))));
    let stored = told.recv().unwrap();
    assert!(
        matches!(stored, SpoolEvent::Stored { result: Ok(()), .. }),
        "{stored:?}"
    );
    drop(send);
    thread.join().unwrap();
}

/// Runs this one test in a process of its own, started by a line of sh. The line gets the
/// folder as `$1` and goes on with `exec "$0" "$@"` after a `shift`.
fn in_own_process(test: &str, line: &str, folder: &Path) -> bool {
    let own = std::env::current_exe().unwrap();
    let mut command = Command::new("sh");
    command.args(["-c", line]).arg(own).arg(folder);
    command.args(["--exact", test, "--nocapture", "--test-threads=1"]);
    let output = command.env(FOLDER, folder).output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    eprintln!("{}{text}", String::from_utf8_lossy(&output.stdout));
    let is_skipped = output.status.code() == Some(SKIPPED);
    assert!(output.status.success() || is_skipped, "{}", output.status);
    !is_skipped
}

/// The code with which a line of sh says that this machine does not allow what it needs.
const SKIPPED: i32 = 77;

/// Appends until the disk does not take any more; returns the last number that is safe, and
/// why the next is not.
fn fill(spool: &mut Spool<Disk>, first: Seq) -> (Seq, String) {
    for seq in first..first + 10_000 {
        if let Err(why) = append(spool, seq) {
            return (seq - 1, why);
        }
    }
    panic!("the disk is endless");
}

#[test]
fn a_limit_of_file_sizes_refuses_and_loses_nothing() {
    let name = "disk::a_limit_of_file_sizes_refuses_and_loses_nothing";
    let Some(folder) = std::env::var_os(FOLDER) else {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("spool");
        // 64 blocks of 512 bytes: less than a segment.
        let line = r#"trap '' XFSZ; ulimit -f 64; shift; exec "$0" "$@""#;
        assert!(in_own_process(name, line, &folder));
        let mut spool = spool(&folder);
        let opened = spool.open(&decode).unwrap();
        assert!(!opened.pending.is_empty());
        let seqs: Vec<Seq> = opened.pending.iter().map(|(seq, _)| *seq).collect();
        assert_eq!(all(&mut spool), expected(seqs));
        append(&mut spool, opened.next).unwrap();
        return;
    };
    let mut spool = spool(Path::new(&folder));
    let next = spool.open(&decode).unwrap().next;
    let (last, why) = fill(&mut spool, next);
    assert!(
        why.contains("LimitFSIZE=") && why.contains(".segment"),
        "{why}"
    );
    assert!(last > next);
    assert_eq!(all(&mut spool), expected(next..=last));
}

#[test]
fn a_full_and_a_read_only_disk_refuse_and_recover() {
    let name = "disk::a_full_and_a_read_only_disk_refuse_and_recover";
    let Some(folder) = std::env::var_os(FOLDER) else {
        let dir = tempfile::tempdir().unwrap();
        // A disk of its own in a namespace of its own: it ends with the process.
        let line = r#"
            folder=$1; shift
            unshare -rm true 2>/dev/null || exit 77
            exec unshare -rm sh -c '
                folder=$1; shift
                mount -t tmpfs -o size=256k tmpfs "$folder" || exit 77
                exec "$0" "$@"' "$0" "$folder" "$@""#;
        if !in_own_process(name, line, dir.path()) {
            eprintln!("SKIPPED: this machine allows no mount in a namespace (unshare -rm)");
        }
        return;
    };
    let root = Path::new(&folder);
    let folder = root.join("spool");
    fs::write(root.join("other"), vec![0; 100 * 1024]).unwrap();
    let mut first = spool(&folder);
    let next = first.open(&decode).unwrap().next;
    let (last, why) = fill(&mut first, next);
    assert!(
        why.contains("make room") && why.contains(folder.to_str().unwrap()),
        "{why}"
    );
    assert_eq!(all(&mut first), expected(next..=last));
    // `last + 1` was refused: AWS sends that message again.
    fs::remove_file(root.join("other")).unwrap();
    append(&mut first, last + 2).unwrap();
    let kept = expected((next..=last).chain([last + 2]));
    assert_eq!(all(&mut first), kept);

    // A disk with a file that is open for writing cannot be made read-only.
    drop(first);
    let mut first = spool(&folder);
    let next = first.open(&decode).unwrap().next;
    remount(root, "ro");
    let why = append(&mut first, next).unwrap_err();
    assert!(why.contains("mount that disk writable"), "{why}");
    let mut second = spool(&folder);
    let why = second.open(&decode).unwrap_err();
    assert!(why.contains("mount that disk writable"), "{why}");
    remount(root, "rw");
    let opened = second.open(&decode).unwrap();
    assert_eq!(all(&mut second), kept);
    append(&mut second, opened.next).unwrap();
}

/// Only ever the disk that the test mounted in its own namespace.
fn remount(root: &Path, how: &str) {
    let options = format!("remount,{how}");
    let status = Command::new("mount")
        .args(["-o", &options])
        .arg(root)
        .status();
    assert!(status.unwrap().success());
}
