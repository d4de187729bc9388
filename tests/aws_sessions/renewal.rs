//! Several threads and one session.

use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use crate::region::Fault;
use crate::region::sessions::{CONTAINER_PATH, CONTAINER_TOKEN};
use crate::rig::{Rig, number};

const THREADS: usize = 8;
/// Longer than anything here takes.
const LIMIT: Duration = Duration::from_secs(60);

fn container() -> Rig {
    let rig = Rig::new(|world| {
        world.sessions.container_token = Some(CONTAINER_TOKEN.into());
    });
    let url = format!("{}{CONTAINER_PATH}", rig.region.url());
    let rig = rig.var("AWS_CONTAINER_CREDENTIALS_FULL_URI", &url);
    rig.var("AWS_CONTAINER_AUTHORIZATION_TOKEN", CONTAINER_TOKEN)
}

#[test]
fn threads_that_ask_at_once_ask_their_source_once() {
    let rig = container();
    let provider = rig.provider("");
    let all = |ask: &(dyn Fn() -> Option<usize> + Sync)| {
        let start = Barrier::new(THREADS);
        thread::scope(|scope| {
            let threads: Vec<_> = (0..THREADS)
                .map(|_| {
                    scope.spawn(|| {
                        start.wait();
                        ask()
                    })
                })
                .collect();
            let answers = threads.into_iter().map(|thread| thread.join().unwrap());
            answers.collect::<Vec<_>>()
        })
    };
    let ask = || provider.current().ok().map(|found| number(&found));
    assert_eq!(all(&ask), [Some(1); THREADS]);
    assert_eq!(rig.operations().len(), 1);
    // And once for all who were refused with the same session.
    let old = provider.current().unwrap();
    let again = || provider.afresh(&old).ok().map(|found| number(&found));
    assert_eq!(all(&again), [Some(2); THREADS]);
    assert_eq!(rig.operations().len(), 1);
}

#[test]
fn a_refresh_that_hangs_holds_up_nobody_while_the_session_lives() {
    let rig = container();
    let provider = rig.provider("");
    provider.current().unwrap();
    rig.asked();
    rig.region
        .edit(|world| world.faults.add("container:*", 1, Fault::Stall));
    rig.at(56);
    thread::scope(|scope| {
        let refreshing = scope.spawn(|| provider.current().map(|found| number(&found)));
        let began = Instant::now();
        while rig.region.requests().is_empty() {
            assert!(began.elapsed() < LIMIT, "nobody asks the source");
            thread::yield_now();
        }
        let others = (0..THREADS).map(|_| number(&provider.current().unwrap()));
        assert_eq!(others.collect::<Vec<_>>(), [1; THREADS]);
        assert!(
            !refreshing.is_finished(),
            "the source was asked before them"
        );
        // After its time is over it is asked again, and answers. The second one never came.
        assert_eq!(refreshing.join().unwrap(), Ok(3));
    });
}
