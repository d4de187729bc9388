//! Messages that are posted to a listener: one after the other, and as fast as they are answered.

use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::broker::Ear;
use crate::figures::Times;
use crate::posts::{Client, Post};

/// Messages that are posted one after the other, and how many a second.
pub const PACED: usize = 1000;
pub const PACE: Duration = Duration::from_millis(20);
/// Messages that clients post as fast as they are answered.
pub const CROWDED: usize = 12_000;
pub const CLIENTS: usize = 8;
/// Posted before the clock starts: the first one brings the certificate.
pub const WARM_UP: usize = 200;

/// Posts one by one at a steady pace: how long each took to be answered, and when it began.
pub fn paced(client: &mut Client, posts: &[Post]) -> (Times, Vec<Instant>) {
    let began = Instant::now();
    let (mut answered, mut begun) = (Times::default(), Vec::new());
    for (post, n) in posts.iter().zip(0_u32..) {
        let turn = began + PACE * n;
        std::thread::sleep(turn.saturating_duration_since(Instant::now()));
        let at = Instant::now();
        client.post(post);
        answered.add(at.elapsed());
        begun.push(at);
    }
    (answered, begun)
}

/// How long each of these took from its post to its publication, and to its answer.
pub fn latency(port: u16, posts: &[Post], ear: &Ear) -> [Times; 2] {
    let (answered, begun) = paced(&mut Client::open(port), posts);
    let heard = ear.hear(posts.len());
    let mut published = Times::default();
    for (post, at) in posts.iter().zip(begun) {
        published.add(heard[&post.id].saturating_duration_since(at));
    }
    [published, answered]
}

/// Several clients post as fast as they are answered; how long all of it took.
pub fn crowded(port: u16, posts: &[Post]) -> Duration {
    let (next, start) = (AtomicUsize::new(0), Barrier::new(CLIENTS + 1));
    std::thread::scope(|scope| {
        let work = || {
            let mut client = Client::open(port);
            start.wait();
            while let Some(post) = posts.get(next.fetch_add(1, Ordering::Relaxed)) {
                client.post(post);
            }
            Instant::now()
        };
        let clients: Vec<_> = (0..CLIENTS).map(|_| scope.spawn(work)).collect();
        start.wait();
        let began = Instant::now();
        let ends = clients.into_iter().map(|client| client.join().unwrap());
        ends.max().unwrap() - began
    })
}
