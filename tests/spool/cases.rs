//! What the spool answers, case by case.

use std::io::ErrorKind;
use std::sync::mpsc::sync_channel;

use mediapackage2mqtt::engine::spooling::{Opened, Seq, SpoolEvent, SpoolRequest};
use mediapackage2mqtt::sns::spool::keeper::{AHEAD, Spool};
use mediapackage2mqtt::sns::spool::record::{RECORD_BYTES_MAX, framed_bytes};
use mediapackage2mqtt::sns::spool::{Limits, serve};

use super::records::{SMALL, batch, decode, id, record, strange, told};
use super::sim::{Fate, Sim};

fn opened(sim: &Sim, limits: Limits) -> (Spool<Sim>, Opened) {
    let mut spool = Spool::new(sim.clone(), limits);
    let opened = spool.open(&decode).unwrap();
    (spool, opened)
}

fn keep(spool: &mut Spool<Sim>, records: impl IntoIterator<Item = (Seq, Vec<u8>)>) {
    for stored in spool.append(&batch(records)) {
        assert_eq!(stored.result, Ok(()), "{:?}", stored.seqs);
    }
}

fn read_seqs(spool: &mut Spool<Sim>, from: Seq) -> Vec<Seq> {
    let told = told(spool.read(from, &decode));
    told.into_iter().map(|(seq, _)| seq).collect()
}

/// What `serve` tells when these requests wait.
fn serve_all(sim: &Sim, requests: Vec<SpoolRequest>) -> Vec<SpoolEvent> {
    let (send, receive) = sync_channel(requests.len());
    for request in requests {
        send.send(request).unwrap();
    }
    drop(send);
    let mut events = Vec::new();
    serve(sim.clone(), SMALL, decode, receive, |event| {
        events.push(event);
    });
    events
}

fn append(seq: Seq, record: Vec<u8>) -> SpoolRequest {
    let record = record.into();
    SpoolRequest::Append { seq, record }
}

/// An event in short.
fn short(event: &SpoolEvent) -> String {
    match event {
        SpoolEvent::Opened(Ok(opened)) => {
            let pending: Vec<Seq> = opened.pending.iter().map(|(seq, _)| *seq).collect();
            format!("opened {pending:?} next {}", opened.next)
        }
        SpoolEvent::Opened(Err(_)) => "not opened".to_owned(),
        SpoolEvent::Stored { seqs, result } => format!("{seqs:?} {}", result.is_ok()),
        SpoolEvent::Read(found) => {
            let seqs: Vec<Seq> = found.iter().map(|told| told.seq).collect();
            format!("read {seqs:?}")
        }
    }
}

fn check(sim: &Sim, requests: Vec<SpoolRequest>, wanted: &[&str]) {
    let events: Vec<String> = serve_all(sim, requests).iter().map(short).collect();
    assert_eq!(events, wanted);
}

#[test]
fn appends_that_wait_share_a_sync_and_requests_keep_their_order() {
    let sim = Sim::new(0);
    let requests = vec![
        append(1, record(1, 10)),
        append(2, record(2, 10)),
        append(3, record(3, 10)),
        SpoolRequest::Read { from: 2 },
        append(4, record(4, 10)),
        SpoolRequest::Release { up_to: 3 },
        append(5, record(5, 10)),
        SpoolRequest::Read { from: 0 },
        SpoolRequest::SetAside { seq: 4 },
        SpoolRequest::Release { up_to: 5 },
        SpoolRequest::Read { from: 0 },
    ];
    let wanted = [
        "opened [] next 1",
        "[1, 2, 3] true",
        "read [2, 3]",
        "[4] true",
        "[5] true",
        "read [4, 5]",
        "read []",
    ];
    check(&sim, requests, &wanted);
    let syncs = sim.log();
    let syncs = syncs
        .iter()
        .filter(|line| line.starts_with("sync ") && line.ends_with("segment"));
    assert_eq!(syncs.count(), 3, "{:?}", sim.log());
    assert_eq!(sim.content("aside/4.json"), record(4, 10));
}

#[test]
fn no_more_than_the_limit_share_a_sync() {
    let sim = Sim::new(0);
    let requests: Vec<_> = (1..=6).map(|seq| append(seq, record(seq, 0))).collect();
    let wanted = ["opened [] next 1", "[1, 2, 3, 4] true", "[5, 6] true"];
    check(&sim, requests, &wanted);
}

#[test]
fn where_it_cannot_be_opened_appends_are_refused_until_it_can() {
    let sim = Sim::new(0);
    let (mut spool, _) = opened(&sim, SMALL);
    keep(&mut spool, [(1, record(1, 0)), (2, record(2, 0))]);
    // The folder cannot be written, and from the third try on it can.
    let mut tries = 0;
    sim.plan(move |_, what, _| {
        tries += usize::from(what == "make_folder");
        match tries < 3 {
            true => Fate::Fails(ErrorKind::ReadOnlyFilesystem),
            false => Fate::Well,
        }
    });
    let wall = SpoolRequest::Read { from: 0 };
    let requests = vec![
        append(1, record(3, 0)),
        wall.clone(),
        append(2, record(4, 0)),
        wall,
        append(AHEAD + 2, record(5, 0)),
    ];
    let next = AHEAD + 1 + 1;
    let opened = format!("opened [1, 2] next {next}");
    let kept = format!("[{next}] true");
    let wanted = [
        "not opened",
        "[1] false",
        "read []",
        &opened,
        "[2] false",
        "read [1, 2]",
        &kept,
    ];
    check(&sim, requests, &wanted);
}

#[test]
fn an_error_says_what_where_and_what_to_do() {
    let cases = [
        (ErrorKind::StorageFull, "append", "make room"),
        (ErrorKind::QuotaExceeded, "create", "make room"),
        (
            ErrorKind::ReadOnlyFilesystem,
            "create",
            "mount that disk writable",
        ),
        (ErrorKind::PermissionDenied, "create", "give it to the user"),
        (ErrorKind::FileTooLarge, "append", "LimitFSIZE="),
        (ErrorKind::Other, "sync", "check that disk"),
        (ErrorKind::Other, "sync_folder", "check that disk"),
    ];
    for (error, operation, remedy) in cases {
        let sim = Sim::new(0);
        let (mut spool, _) = opened(&sim, SMALL);
        sim.plan(move |_, what, _| match what == operation {
            true => Fate::Fails(error),
            false => Fate::Well,
        });
        let stored = spool.append(&batch([(1, record(1, 0))]));
        let why = stored[0].result.clone().unwrap_err();
        let cause = std::io::Error::from(error).to_string();
        for part in ["/sim/", &cause, remedy] {
            assert!(why.contains(part), "{part:?} is not in {why:?}");
        }
        assert!(read_seqs(&mut spool, 0).is_empty());
        // The disk is well again: so is the spool.
        sim.heal();
        keep(&mut spool, [(2, record(2, 0))]);
        assert_eq!(read_seqs(&mut spool, 0), [2]);
    }
}

#[test]
fn after_a_failed_sync_nothing_goes_to_that_file() {
    let sim = Sim::new(0);
    let (mut spool, _) = opened(&sim, SMALL);
    keep(&mut spool, [(1, record(1, 0))]);
    sim.plan(|_, what, _| match what {
        "sync" => Fate::Fails(ErrorKind::Other),
        _ => Fate::Well,
    });
    assert!(spool.append(&batch([(2, record(2, 0))]))[0].result.is_err());
    sim.heal();
    keep(&mut spool, [(3, record(3, 0))]);
    assert!(
        !sim.log()
            .iter()
            .any(|line| line == "append 00000000000000000001.segment")
    );
    assert_eq!(read_seqs(&mut spool, 0), [1, 3]);
}

#[test]
fn no_segment_is_begun_behind_one_that_could_not_be_cleaned() {
    let sim = Sim::new(0);
    let (mut spool, _) = opened(&sim, SMALL);
    keep(&mut spool, [(1, record(1, 0))]);
    sim.plan(|_, what, _| match what {
        "sync" | "truncate" => Fate::Fails(ErrorKind::Other),
        _ => Fate::Well,
    });
    assert!(spool.append(&batch([(2, record(2, 0))]))[0].result.is_err());
    sim.plan(|_, what, _| match what {
        "truncate" => Fate::Fails(ErrorKind::Other),
        _ => Fate::Well,
    });
    assert!(spool.append(&batch([(3, record(3, 0))]))[0].result.is_err());
    sim.heal();
    keep(&mut spool, [(4, record(4, 0))]);
    let one = framed_bytes(record(1, 0).len()) as usize;
    assert_eq!(sim.content("00000000000000000001.segment").len(), one);
    assert_eq!(read_seqs(&mut spool, 0), [1, 4]);
}

#[test]
fn a_full_spool_refuses_and_takes_again_when_there_is_room() {
    let sim = Sim::new(0);
    let one = framed_bytes(record(1, 100).len());
    let limits = Limits {
        bytes_max: 10 * one,
        segment_bytes_max: 2 * one,
        ..SMALL
    };
    let (mut spool, _) = opened(&sim, limits);
    for seq in 1..=9 {
        keep(&mut spool, [(seq, record(seq, 100))]);
    }
    // One more has room, the other has not; a smaller one would have.
    let stored = spool.append(&batch([(10, record(10, 101)), (11, record(11, 100))]));
    let results: Vec<_> = stored
        .iter()
        .map(|s| (s.seqs[0], s.result.is_ok()))
        .collect();
    assert_eq!(results, [(10, false), (11, true)]);
    let why = stored[0].result.clone().unwrap_err();
    assert!(
        why.contains("full") && why.contains(&format!("{} bytes", 10 * one)),
        "{why}"
    );
    let segments = sim
        .names()
        .into_iter()
        .filter(|name| name.ends_with("segment"));
    let bytes: usize = segments.map(|name| sim.content(&name).len()).sum();
    assert_eq!(bytes as u64, 10 * one);
    spool.release(2);
    keep(&mut spool, [(12, record(12, 100))]);
}

#[test]
fn the_limit_is_told_in_mebibytes() {
    let sim = Sim::new(0);
    let limits = Limits {
        bytes_max: 64 * 1024 * 1024,
        ..Limits::default()
    };
    let (mut spool, _) = opened(&sim, limits);
    let large = vec![b'x'; RECORD_BYTES_MAX];
    let mut refusal = None;
    for seq in 1..=16 {
        let stored = spool.append(&batch([(seq, large.clone())]));
        refusal = stored[0].result.clone().err();
    }
    assert!(refusal.unwrap().contains("64 MiB"));
}

#[test]
fn a_record_that_is_too_long_or_has_an_old_number_is_refused_alone() {
    let sim = Sim::new(0);
    let (mut spool, _) = opened(&sim, Limits::default());
    keep(&mut spool, [(5, record(5, 0))]);
    let cases = [
        (6, vec![0; RECORD_BYTES_MAX + 1], "too long"),
        (5, record(5, 0), "not a new number"),
        (4, record(4, 0), "not a new number"),
        (u64::MAX, record(1, 0), "not a new number"),
    ];
    for (seq, bad, wanted) in cases {
        let good = (spool.read(0, &decode).len() + 6) as Seq;
        let stored = spool.append(&batch([(seq, bad), (good, record(good, 0))]));
        let why = stored[0].result.clone().unwrap_err();
        assert!(why.contains(wanted), "{why}");
        assert_eq!(
            (stored[1].seqs.as_slice(), &stored[1].result),
            (&[good][..], &Ok(()))
        );
    }
}

#[test]
fn a_read_keeps_its_limits_but_tells_one() {
    let sim = Sim::new(0);
    let (mut spool, _) = opened(&sim, SMALL);
    let fillers = [0, 0, 0, 0, 500, 200, 100];
    for (seq, filler) in (1..).zip(fillers) {
        keep(&mut spool, [(seq, record(seq, filler))]);
    }
    let cases: [(Seq, &[Seq]); 8] = [
        (0, &[1, 2, 3]),
        (2, &[2, 3, 4]),
        (4, &[4]),
        (5, &[5]),
        (6, &[6]),
        (7, &[7]),
        (8, &[]),
        (Seq::MAX, &[]),
    ];
    for (from, wanted) in cases {
        assert_eq!(read_seqs(&mut spool, from), wanted, "from {from}");
    }
    spool.release(2);
    assert_eq!(read_seqs(&mut spool, 0), [3, 4]);
}

#[test]
fn what_cannot_be_copied_aside_is_not_released_before_it_is() {
    let sim = Sim::new(0);
    let (mut spool, _) = opened(&sim, SMALL);
    keep(&mut spool, (1..=4).map(|seq| (seq, record(seq, 0))));
    sim.plan(|_, _, file| match file.starts_with("aside/") {
        true => Fate::Fails(ErrorKind::StorageFull),
        false => Fate::Well,
    });
    spool.set_aside(2, "a test");
    spool.release(3);
    sim.kill();
    let (mut spool, _) = opened(&sim, SMALL);
    assert_eq!(read_seqs(&mut spool, 0), [2, 3, 4]);
    spool.set_aside(2, "a test");
    sim.heal();
    spool.release(3);
    assert_eq!(sim.content("aside/2.json"), record(2, 0));
    assert_eq!(read_seqs(&mut spool, 0), [4]);
}

#[test]
fn what_nobody_understands_is_set_aside_and_told_once_as_nothing() {
    let sim = Sim::new(0);
    let (mut spool, _) = opened(&sim, SMALL);
    keep(&mut spool, (1..=3).map(|seq| (seq, strange(seq))));
    keep(&mut spool, [(4, record(4, 0))]);
    let (mut spool, found) = opened(&sim, SMALL);
    assert_eq!(found.pending, [(4, id(&record(4, 0)).unwrap())]);
    // The newest two are kept.
    let copies = |sim: &Sim| -> Vec<String> {
        let names = sim.names().into_iter();
        names.filter(|name| name.starts_with("aside/")).collect()
    };
    assert_eq!(copies(&sim), ["aside/2.json", "aside/3.json"]);
    assert_eq!(sim.content("aside/3.json"), strange(3));
    sim.heal();
    let wanted = [(1, None), (2, None), (3, None)];
    assert_eq!(told(spool.read(0, &decode)), wanted);
    let writes = |line: &String| line.starts_with("write") || line.starts_with("create");
    assert!(!sim.log().iter().any(writes), "{:?}", sim.log());
    keep(&mut spool, [(found.next, strange(9))]);
    assert_eq!(told(spool.read(5, &decode)), [(found.next, None)]);
    let newest = format!("aside/{}.json", found.next);
    assert_eq!(copies(&sim), [newest, "aside/3.json".to_owned()]);
}

#[test]
fn what_nobody_understands_goes_before_the_spool_is_full() {
    let sim = Sim::new(0);
    let limits = Limits {
        bytes_max: 200,
        segment_bytes_max: 100,
        ..SMALL
    };
    let (mut spool, _) = opened(&sim, limits);
    for seq in 1..=7 {
        keep(&mut spool, [(seq, strange(seq))]);
    }
    let (mut spool, found) = opened(&sim, limits);
    assert_eq!(found.pending, []);
    keep(&mut spool, [(found.next, record(1, 0))]);
    assert_eq!(read_seqs(&mut spool, found.next), [found.next]);
}

#[test]
fn damage_costs_the_rest_of_its_segment_and_nothing_else() {
    type Damage = fn(&mut Vec<u8>);
    // Three records of 60 bytes in the damaged segment.
    let cases: [(&str, Damage, &[Seq]); 7] = [
        ("cut in the last", |b| b.truncate(150), &[1, 2, 4]),
        ("cut after the first", |b| b.truncate(60), &[1, 4]),
        ("cut in the first header", |b| b.truncate(10), &[4]),
        ("flipped in the second", |b| b[100] ^= 1, &[1, 4]),
        ("garbage behind", |b| b.extend([0xa5; 99]), &[1, 2, 3, 4]),
        (
            "a record twice",
            |b| b.extend_from_within(120..),
            &[1, 2, 3, 4],
        ),
        ("zeros", |b| b.fill(0), &[4]),
    ];
    for (name, damage, wanted) in cases {
        let sim = Sim::new(0);
        let limits = Limits {
            read_records_max: 9,
            segment_bytes_max: 200,
            ..SMALL
        };
        let (mut spool, _) = opened(&sim, limits);
        keep(&mut spool, (1..=3).map(|seq| (seq, record(seq, 0))));
        keep(&mut spool, [(4, record(4, 0))]);
        sim.damage("00000000000000000001.segment", damage);
        let (mut spool, found) = opened(&sim, limits);
        assert_eq!(read_seqs(&mut spool, 0), wanted, "{name}");
        keep(&mut spool, [(found.next, record(9, 0))]);
        assert_eq!(read_seqs(&mut spool, 5), [found.next], "{name}");
    }
}

#[test]
fn damage_done_while_it_is_open_is_told_by_the_last_number() {
    let sim = Sim::new(0);
    let limits = Limits {
        read_records_max: 9,
        segment_bytes_max: 200,
        ..SMALL
    };
    let (mut spool, _) = opened(&sim, limits);
    keep(&mut spool, (1..=3).map(|seq| (seq, record(seq, 0))));
    keep(&mut spool, [(4, record(4, 0))]);
    sim.damage("00000000000000000001.segment", |bytes| bytes[70] ^= 1);
    let found = told(spool.read(0, &decode));
    assert_eq!(
        found,
        [(1, Some(record(1, 0))), (3, None), (4, Some(record(4, 0)))]
    );
}

#[test]
fn a_segment_that_cannot_be_read_keeps_the_spool_shut_and_whole() {
    let sim = Sim::new(0);
    let (mut spool, _) = opened(&sim, SMALL);
    keep(&mut spool, [(1, record(1, 0))]);
    sim.plan(|_, what, _| match what {
        "read_at" => Fate::Fails(ErrorKind::Other),
        _ => Fate::Well,
    });
    assert!(read_seqs(&mut spool, 0).is_empty());
    let mut second = Spool::new(sim.clone(), SMALL);
    let why = second.open(&decode).unwrap_err();
    assert!(why.contains("/sim/00000000000000000001.segment"), "{why}");
    sim.heal();
    assert_eq!(second.open(&decode).unwrap().pending.len(), 1);
    assert_eq!(read_seqs(&mut spool, 0), [1]);
}

#[test]
fn of_very_many_the_newest_are_told_as_pending_and_all_are_there() {
    let sim = Sim::new(0);
    let limits = Limits {
        pending_max: 3,
        ..SMALL
    };
    let (mut spool, _) = opened(&sim, limits);
    keep(&mut spool, (1..=8).map(|seq| (seq, record(seq, 0))));
    let (mut spool, found) = opened(&sim, limits);
    let pending: Vec<Seq> = found.pending.iter().map(|(seq, _)| *seq).collect();
    assert_eq!(pending, [6, 7, 8]);
    assert_eq!(read_seqs(&mut spool, 0), [1, 2, 3]);
}

#[test]
fn a_start_with_nothing_to_tell_writes_nothing() {
    let sim = Sim::new(0);
    let is_write = |line: &String| {
        let what = line.split(' ').next().unwrap();
        !["make_folder", "list", "length", "read_at"].contains(&what)
    };
    sim.heal();
    let (mut spool, _) = opened(&sim, SMALL);
    assert!(!sim.log().iter().any(is_write), "{:?}", sim.log());
    keep(&mut spool, (1..=3).map(|seq| (seq, record(seq, 0))));
    spool.release(1);
    spool.release(3);
    assert_eq!(sim.names(), ["00000000000001048579.next", "delivered"]);
    sim.heal();
    let (_, found) = opened(&sim, SMALL);
    assert!(!sim.log().iter().any(is_write), "{:?}", sim.log());
    assert_eq!(
        found,
        Opened {
            pending: Vec::new(),
            next: 1_048_579
        }
    );
}

#[test]
fn a_release_of_what_was_never_kept_does_not_reach_what_is_kept_later() {
    let sim = Sim::new(0);
    let (mut spool, _) = opened(&sim, SMALL);
    keep(&mut spool, [(1, record(1, 0))]);
    spool.release(Seq::MAX);
    keep(&mut spool, [(2, record(2, 0))]);
    assert_eq!(read_seqs(&mut spool, 0), [2]);
}

#[test]
fn a_process_that_uses_up_its_numbers_marks_new_ones() {
    let sim = Sim::new(0);
    let (mut spool, _) = opened(&sim, SMALL);
    keep(&mut spool, [(1, record(1, 0))]);
    keep(&mut spool, [(AHEAD + 1, record(2, 0))]);
    sim.lose_power();
    let (mut spool, found) = opened(&sim, SMALL);
    assert_eq!(found.next, 2 * AHEAD + 1);
    spool.release(AHEAD + 1);
    assert_eq!(opened(&sim, SMALL).1.next, 2 * AHEAD + 1);
}

#[test]
fn foreign_files_are_left_alone() {
    let sim = Sim::new(0);
    let (mut spool, _) = opened(&sim, SMALL);
    keep(&mut spool, [(1, record(1, 0))]);
    let foreign = [
        "lost+found",
        "1.segment",
        "99999999999999999999.next",
        "aside/notes.txt",
    ];
    let mut disk = sim.clone();
    for name in foreign {
        use mediapackage2mqtt::sns::spool::storage::Storage;
        disk.create(name).unwrap();
    }
    let (mut spool, found) = opened(&sim, SMALL);
    assert_eq!(found.next, AHEAD + 1);
    for copy in 2..6 {
        keep(&mut spool, [(AHEAD + copy, record(copy, 0))]);
        spool.set_aside(AHEAD + copy, "a test");
    }
    spool.release(Seq::MAX);
    let names = sim.names();
    for name in foreign {
        assert!(
            names.iter().any(|there| there == name),
            "{name} is gone: {names:?}"
        );
    }
}
