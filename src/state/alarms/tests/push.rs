//! What notifications change.

use super::*;

/// One thing that is heard.
#[derive(Clone, Copy, Debug)]
enum Word {
    /// State and time.
    Poll(&'static str, i64),
    /// The state before, the state and the time.
    Push(&'static str, &'static str, i64),
}
use Word::{Poll, Push};

fn run(heard: &[Word]) -> Held {
    let mut held = Held::new();
    for heard in heard {
        match *heard {
            Poll(state, minute) => drop(held.poll(&[polled(state, at(minute))])),
            Push(before, state, minute) => drop(held.push(&told(before, state, at(minute)))),
        }
    }
    held
}

#[test]
fn the_newest_change_wins_and_is_told_once() {
    let cases: [(&[Word], &str, &[&str]); 18] = [
        (
            &[Push("OK", "ALARM", 5), Poll("OK", 3)],
            "ALARM sns OK",
            &["OK>ALARM"],
        ),
        (
            &[Push("OK", "ALARM", 5), Poll("OK", 7)],
            "OK poll ALARM",
            &["OK>ALARM", "ALARM>OK"],
        ),
        (
            &[Push("OK", "ALARM", 5), Poll("ALARM", 5)],
            "ALARM sns OK",
            &["OK>ALARM"],
        ),
        // At a tie the poll decides the state, whichever comes first.
        (
            &[Push("OK", "ALARM", 5), Poll("OK", 5)],
            "OK poll ALARM",
            &["OK>ALARM", "ALARM>OK"],
        ),
        (&[Poll("OK", 5), Push("OK", "ALARM", 5)], "OK poll -", &[]),
        (
            &[
                Push("OK", "ALARM", 5),
                Poll("ALARM", 5),
                Push("ALARM", "OK", 5),
            ],
            "ALARM sns OK",
            &["OK>ALARM"],
        ),
        (
            &[
                Push("OK", "ALARM", 5),
                Poll("OK", 5),
                Push("OK", "ALARM", 5),
            ],
            "OK poll ALARM",
            &["OK>ALARM", "ALARM>OK"],
        ),
        // The notification knows what was before.
        (
            &[
                Poll("OK", 1),
                Poll("ALARM", 5),
                Push("INSUFFICIENT_DATA", "ALARM", 5),
            ],
            "ALARM poll INSUFFICIENT_DATA",
            &["OK>ALARM"],
        ),
        // The first sight by a poll is no change; its notification is.
        (&[Poll("ALARM", 5)], "ALARM poll -", &[]),
        (
            &[Poll("ALARM", 5), Push("OK", "ALARM", 5)],
            "ALARM poll OK",
            &["OK>ALARM"],
        ),
        // The same change by CloudWatch and by EventBridge.
        (
            &[Push("OK", "ALARM", 5), Push("OK", "ALARM", 5)],
            "ALARM sns OK",
            &["OK>ALARM"],
        ),
        // What is late changes nothing.
        (
            &[Push("OK", "ALARM", 5), Push("ALARM", "OK", 3)],
            "ALARM sns OK",
            &["OK>ALARM"],
        ),
        (
            &[Poll("ALARM", 5), Push("ALARM", "OK", 3)],
            "ALARM poll -",
            &[],
        ),
        // Back and forth with nothing heard in between: it has changed all the same.
        (
            &[Push("OK", "ALARM", 2), Push("OK", "ALARM", 5)],
            "ALARM sns OK",
            &["OK>ALARM", "OK>ALARM"],
        ),
        (&[Poll("OK", 2), Push("", "OK", 5)], "OK sns -", &[]),
        // Of a state nobody knew the notification says what was before, or nobody does.
        (&[Push("", "ALARM", 5)], "ALARM sns -", &["->ALARM"]),
        (&[Push("ALARM", "ALARM", 5)], "ALARM sns ALARM", &[]),
        // Dated less than 15 minutes ahead of the clock, it is believed.
        (
            &[Poll("OK", 1), Push("OK", "ALARM", 25)],
            "ALARM sns OK",
            &["OK>ALARM"],
        ),
    ];
    for (heard, shown, log) in cases {
        let held = run(heard);
        assert_eq!(held.shown("a"), shown, "{heard:?}");
        assert_eq!(held.log, log, "{heard:?}");
        let polled = heard.iter().any(|heard| matches!(heard, Poll(..)));
        assert_eq!(held.alarms.get("a").unwrap().listed, polled, "{heard:?}");
    }
}

#[test]
fn two_forms_of_one_change_may_differ_by_milliseconds() {
    let mut held = Held::new();
    held.push(&told("OK", "ALARM", at(5)));
    held.push(&told("OK", "ALARM", at(5).plus_ms(3)));
    assert_eq!(held.log, ["OK>ALARM"]);
    held.push(&told("OK", "ALARM", at(5).plus_ms(10_000)));
    assert_eq!(held.log.len(), 2);
}

#[test]
fn notifications_of_one_moment_end_the_same_in_any_order() {
    let states = ["OK", "ALARM", "INSUFFICIENT_DATA", "NEW_A", "NEW_B"];
    let all: Vec<PushedAlarm> = states
        .iter()
        .flat_map(|from| states.iter().map(move |to| told(from, to, at(5))))
        .collect();
    let end = |first: &PushedAlarm, second: &PushedAlarm| {
        let mut held = Held::new();
        held.push(&told("", "OK", at(1)));
        held.push(first);
        held.push(second);
        held.shown("a")
    };
    for first in &all {
        for second in &all {
            assert_eq!(
                end(first, second),
                end(second, first),
                "{first:?} {second:?}"
            );
        }
    }
    let (bad, good) = (told("OK", "ALARM", at(5)), told("ALARM", "OK", at(5)));
    assert_eq!(end(&bad, &good), "ALARM sns OK");
}

#[test]
fn the_config_says_which_notifications_count() {
    use AlarmsKept::{All, MediaPackage, Off};
    let change = |from: &str| {
        Some(AlarmChange {
            name: "a".into(),
            from: Some(from.into()),
            to: "ALARM".into(),
        })
    };
    type Case<'a> = (
        AlarmsKept,
        &'a [&'a str],
        &'a [&'a str],
        i64,
        Option<Pushed>,
    );
    let cases: [Case; 8] = [
        (All, &[], &[], 5, None),
        (MediaPackage, &[], &[], 5, None),
        (Off, &["a*"], &[], 5, None),
        (Off, &[], &[], 5, Some(Pushed::Off(change("OK")))),
        (Off, &["b"], &[], 5, Some(Pushed::Off(change("OK")))),
        (All, &["a"], &["?"], 5, Some(Pushed::Excluded)),
        (Off, &[], &["a"], 5, Some(Pushed::Excluded)),
        (All, &[], &[], 26, Some(Pushed::Ahead)),
    ];
    for (alarms, include, exclude, minute, refused) in cases {
        let mut held = Held::new();
        held.wish = wish(alarms, include, exclude);
        let out = held.push(&told("OK", "ALARM", at(minute)));
        let taken = matches!(&out, Pushed::Taken(changes) if changes.touched.len() == 1);
        assert_eq!(
            taken,
            refused.is_none(),
            "{alarms:?} {include:?} {exclude:?}"
        );
        assert_eq!(held.alarms.get("a").is_some(), taken);
        if let Some(refused) = refused {
            assert_eq!(out, refused, "{alarms:?} {include:?} {exclude:?}");
        }
    }
    // Taken by push, it is kept by polls, whatever it is of.
    let mut held = Held::new();
    held.push(&told("OK", "ALARM", at(5)));
    held.poll(&[PolledAlarm {
        of_mediapackage: false,
        ..polled("ALARM", at(5))
    }]);
    assert!(held.alarms.get("a").unwrap().listed);
}

#[test]
fn polls_know_the_configuration_of_what_they_list() {
    let rich = PushedAlarm {
        description: Some("pushed".into()),
        threshold: Some(2.0),
        dimensions: vec![("Channel".into(), "c".into())],
        ..told("OK", "ALARM", at(5))
    };
    let mut held = Held::new();
    held.poll(&[PolledAlarm {
        description: Some("polled".into()),
        ..polled("OK", at(1))
    }]);
    held.push(&rich);
    let alarm = held.alarms.get("a").unwrap();
    assert_eq!(alarm.description.as_deref(), Some("polled"));
    assert_eq!((alarm.threshold, alarm.dimensions.len()), (Some(2.0), 1));

    // Of what was never listed the newest notification knows most, and a late one the rest.
    let mut held = Held::new();
    let plain = told("ALARM", "OK", at(6));
    for push in [&plain, &rich] {
        held.push(push);
    }
    let alarm = held.alarms.get("a").unwrap();
    assert_eq!((alarm.state.as_str(), alarm.threshold), ("OK", Some(2.0)));
    held.push(&PushedAlarm {
        threshold: Some(3.0),
        ..told("OK", "ALARM", at(7))
    });
    let alarm = held.alarms.get("a").unwrap();
    assert_eq!(alarm.threshold, Some(3.0));
    assert_eq!(alarm.description.as_deref(), Some("pushed"));
}

#[test]
fn what_was_never_listed_is_kept_for_a_day_and_in_bounds() {
    let day = 24 * 3600;
    let mut held = Held::new();
    held.push(&told("OK", "ALARM", at(5)));
    let heard = held.now;
    assert_eq!(held.alarms.next_expiry(), Some(mono(heard + day)));
    assert!(held.alarms.expire(mono(heard + day - 1)).is_empty());
    // Two polls that lack it change nothing: no poll has ever shown it.
    for _ in 0..3 {
        assert_eq!(held.poll(&[]), AlarmChanges::default());
    }
    assert_eq!(held.alarms.expire(mono(heard + day)), [Id::from("a")]);
    assert_eq!(held.alarms.next_expiry(), None);

    let named = |n: usize| PushedAlarm {
        name: format!("n{n:03}").into(),
        ..told("OK", "ALARM", at(5))
    };
    for n in 0..NEVER_LISTED_MAX {
        held.push(&named(n));
    }
    held.push(&named(0));
    let Pushed::Taken(changes) = held.push(&named(999)) else {
        panic!("not taken");
    };
    assert_eq!(changes.removed, [Id::from("n001")]);
    assert_eq!(held.alarms.iter().count(), NEVER_LISTED_MAX);
}

#[test]
fn a_listed_alarm_goes_after_two_polls_begun_since_it_was_heard_of() {
    let mut held = Held::new();
    held.poll(&[polled("OK", at(1))]);
    assert!(held.poll(&[]).removed.is_empty());
    held.push(&told("OK", "ALARM", at(5)));
    assert!(held.poll(&[]).removed.is_empty());
    assert_eq!(held.poll(&[]).removed, [Id::from("a")]);
}

#[test]
fn anothers_alarm_has_a_key_of_its_own() {
    let of = |account: Option<&str>, region: Option<&str>| PushedAlarm {
        account_id: account.map(str::to_owned),
        region: region.map(str::to_owned),
        dimensions: vec![("Channel".into(), "c".into())],
        ..told("OK", "ALARM", at(5))
    };
    let cases = [
        (Some(OURS), Some(OURS), Some(REGION), "a"),
        (Some(OURS), None, None, "a"),
        (Some(OURS), Some("2"), Some(REGION), "a\u{0}2.eu-central-1"),
        (
            Some(OURS),
            Some(OURS),
            Some("eu-west-1"),
            "a\u{0}123456789012.eu-west-1",
        ),
        (
            Some(OURS),
            None,
            Some("eu-west-1"),
            "a\u{0}unknown.eu-west-1",
        ),
        (Some(OURS), Some("2"), None, "a\u{0}2.unknown"),
        // While our account is not known, the region decides.
        (None, Some("2"), Some(REGION), "a"),
        (None, Some("2"), Some("eu-west-1"), "a\u{0}2.eu-west-1"),
    ];
    for (ours, account, region, key) in cases {
        let mut held = Held::new();
        held.home = home(ours);
        held.push(&of(account, region));
        let keys: Vec<&str> = held.alarms.iter().map(|(key, _)| &**key).collect();
        assert_eq!(keys, [key], "{account:?} {region:?}");
        // No poll touches it, and it survives a restart under the same key.
        let alarm = held.alarms.get(key).unwrap().clone();
        if alarm.foreign {
            held.poll(&[polled("OK", at(9))]);
            assert_eq!(held.alarms.get(key), Some(&alarm));
        }
        let mut after = Held::new();
        assert!(after.alarms.adopt(alarm.clone(), mono(1), at(10)));
        assert_eq!(after.alarms.get(key), Some(&alarm));
    }
}

#[test]
fn alarms_find_home_once_the_account_is_known() {
    let of = |account: &str| PushedAlarm {
        account_id: Some(account.into()),
        ..told("OK", "ALARM", at(5))
    };
    let inventory = Inventory::default();
    let keys = |held: &Held| -> Vec<String> {
        let account = |alarm: &Alarm| alarm.account_id.clone().unwrap();
        let keys = held.alarms.iter();
        keys.map(|(key, alarm)| format!("{} of {}", key.replace('\u{0}', "@"), account(alarm)))
            .collect()
    };
    let mut held = Held::new();
    held.home = home(None);
    held.push(&of("2"));
    held.push(&of(OURS));
    assert_eq!(
        keys(&held),
        ["a of 2", &format!("a@{OURS}.{REGION} of {OURS}")]
    );
    let unknown = held.alarms.settle_home(&home(None), &inventory);
    assert_eq!(unknown, AlarmChanges::default());
    let out = held.alarms.settle_home(&home(Some(OURS)), &inventory);
    let wanted = [&*format!("a of {OURS}"), "a@2.eu-central-1 of 2"];
    assert_eq!(keys(&held), wanted);
    assert_eq!(out.removed, [Id::from(format!("a\u{0}{OURS}.{REGION}"))]);
    assert_eq!(out.touched.len(), 2);
    let again = held.alarms.settle_home(&home(Some(OURS)), &inventory);
    assert_eq!(again, AlarmChanges::default());
}

#[test]
fn memory_is_taken_up_as_long_as_it_may_be_kept() {
    let mut source = Held::new();
    source.push(&told("OK", "ALARM", at(5)));
    let pushed = source.alarms.get("a").unwrap().clone();
    let of = |change: fn(&mut Alarm)| {
        let mut alarm = pushed.clone();
        change(&mut alarm);
        alarm
    };
    let cases = [
        (of(|_| ()), 10, true),
        (of(|_| ()), 24 * 60 + 4, true),
        (of(|_| ()), 24 * 60 + 5, false),
        (of(|a| a.updated_at = None), 10, false),
        (of(|a| a.updated_at = Some(at(26))), 10, false),
        (of(|a| a.source = Via::Poll), 10, false),
        (of(|a| (a.listed, a.updated_at) = (true, None)), 10, true),
        (of(|a| (a.listed, a.foreign) = (true, true)), 10, false),
    ];
    for (alarm, minute, wanted) in cases {
        let mut held = Held::new();
        let taken = held.alarms.adopt(alarm.clone(), mono(1), at(minute));
        assert_eq!(taken, wanted, "{alarm:?} {minute}");
        assert!(!held.alarms.adopt(alarm, mono(1), at(minute)));
    }
    // Adopted, its change counts as told; it goes a day after it changed.
    let mut held = Held::new();
    held.alarms.adopt(pushed, mono(100), at(65));
    assert_eq!(held.alarms.next_expiry(), Some(mono(100 + 23 * 3600)));
    held.push(&told("OK", "ALARM", at(5)));
    assert!(held.log.is_empty());
}
