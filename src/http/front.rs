//! The one thread that looks after all connections.

use std::cmp::Reverse;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, TcpListener};
use std::sync::Arc;
use std::time::{Duration, Instant};

use mio::event::Event;
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token, Waker};

use super::answers::Answers;
use super::connection::{Connection, LOOK_BYTES, Shop, Turn};
use super::room::Room;
use super::tls::Tls;
use super::wire::Wire;
use super::{Limits, Request, RequestId};
use crate::log::Steady;

/// Connections taken in one turn, so that a crowd at the door keeps nobody inside waiting.
const ACCEPT_BATCH: usize = 16;
/// How long nothing is taken after the system had no room for a connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// What the log calls the door.
const DOOR_NAME: &str = "door";
/// What the system tells in one turn; the rest it tells in the next.
const EVENTS_MAX: usize = 128;

// Connections have the numbers of their places.
const DOOR: Token = Token(usize::MAX - 1);
const ANSWERS: Token = Token(usize::MAX - 2);

/// A server on one port.
pub struct Front {
    poll: Poll,
    listener: mio::net::TcpListener,
    door: Door,
    tls: Option<Tls>,
    places: Vec<Option<Connection>>,
    /// Of the request handed over last.
    serial: u64,
    answers: Answers,
    shop: Shop,
}

/// Whether connections are to be taken.
struct Door {
    /// Whether somebody may be waiting there.
    has_peers: bool,
    /// Nothing is taken before.
    closed_until: Option<Instant>,
    /// What it is closed for.
    trouble: Steady,
}

impl Front {
    /// A front for a bound listener; with `tls` it speaks nothing else.
    ///
    /// # Errors
    ///
    /// When the system gives no epoll or no waker.
    pub fn new(
        listener: TcpListener,
        limits: Limits,
        tls: Option<Tls>,
    ) -> io::Result<(Front, Answers)> {
        listener.set_nonblocking(true)?;
        let mut listener = mio::net::TcpListener::from_std(listener);
        let poll = Poll::new()?;
        let registry = poll.registry();
        registry.register(&mut listener, DOOR, Interest::READABLE)?;
        let waker = Waker::new(registry, ANSWERS)?;
        let answers = Answers::new(waker, limits.connections_max);
        let mut places = Vec::new();
        places.resize_with(limits.connections_max, || None);
        let front = Front {
            poll,
            listener,
            door: Door {
                has_peers: true,
                closed_until: None,
                trouble: Steady::default(),
            },
            tls,
            places,
            serial: 0,
            answers: answers.clone(),
            shop: Shop {
                room: Room::new(limits.bodies_bytes_max),
                scratch: vec![0; LOOK_BYTES].into_boxed_slice(),
                limits,
            },
        };
        Ok((front, answers))
    }

    /// Serves until [`Answers::stop`].
    ///
    /// `deliver` takes whole requests and must not wait: false when there is no room for this
    /// one, which is then answered with 503. `refused` is told the status of every answer that
    /// is the front's own.
    ///
    /// # Errors
    ///
    /// When the system does not tell events any more.
    pub fn run(
        mut self,
        mut deliver: impl FnMut(Request) -> bool,
        mut refused: impl FnMut(u16),
    ) -> io::Result<()> {
        let mut events = Events::with_capacity(EVENTS_MAX);
        loop {
            let wait = self.wait(Instant::now());
            match self.poll.poll(&mut events, wait) {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                polled => polled?,
            }
            let now = Instant::now();
            for event in &events {
                self.note(event);
            }
            let (answers, is_stopped) = self.answers.take();
            for (id, answer) in answers {
                if let Some(Some(connection)) = self.places.get_mut(id.place) {
                    connection.answer(answer, now, &self.shop.limits);
                }
            }
            for place in 0..self.places.len() {
                self.turn(place, now, &mut deliver, &mut refused);
            }
            if is_stopped {
                return Ok(());
            }
            // After the turns: what came in time counts.
            self.expire(now, &mut refused);
            self.accept(now);
        }
    }

    /// How long nothing is to be done unless something happens.
    fn wait(&self, now: Instant) -> Option<Duration> {
        let door = match self.door.closed_until {
            Some(until) => Some(until),
            None => self.door.has_peers.then_some(now),
        };
        let there = self.places.iter().flatten();
        let next = there.map(|one| if one.is_due { now } else { one.deadline });
        let next = next.chain(door).min();
        next.map(|next| next.saturating_duration_since(now))
    }

    fn note(&mut self, event: &Event) {
        let place = match event.token() {
            DOOR => {
                self.door.has_peers = true;
                return;
            }
            Token(place) => place,
        };
        // Reset, or both sides have ended: there is nobody to answer to.
        if event.is_error() || event.is_write_closed() {
            self.leave(place);
        } else if let Some(Some(connection)) = self.places.get_mut(place) {
            let wire = connection.wire();
            wire.became(
                event.is_readable() || event.is_read_closed(),
                event.is_writable(),
            );
            connection.is_due = true;
        }
    }

    fn turn(
        &mut self,
        place: usize,
        now: Instant,
        deliver: &mut impl FnMut(Request) -> bool,
        refused: &mut impl FnMut(u16),
    ) {
        let Some(connection) = self.places[place].as_mut().filter(|one| one.is_due) else {
            return;
        };
        connection.is_due = false;
        match connection.turn(now, &mut self.shop) {
            Turn::Waits => {}
            Turn::Again => connection.is_due = true,
            Turn::Gone => self.leave(place),
            Turn::Refused(status) => {
                connection.is_due = true;
                refused(status);
            }
            Turn::Crowded(bytes) => {
                connection.is_due = true;
                self.make_room(place, bytes, now, refused);
            }
            Turn::Whole(mut request) => {
                self.serial += 1;
                request.id = RequestId {
                    place,
                    serial: self.serial,
                };
                connection.wait(now, &self.shop.limits);
                self.answers.open(request.id);
                if !deliver(request) {
                    self.refuse(place, "too much is under way, try again", now, refused);
                }
            }
        }
    }

    /// A body needs memory that is not there. The largest unfinished body goes, the oldest
    /// among equals: that is never one of few bytes while there are larger ones.
    fn make_room(
        &mut self,
        place: usize,
        bytes: usize,
        now: Instant,
        refused: &mut impl FnMut(u16),
    ) {
        const WHY: &str = "too many bodies are under way, try again";
        while !self.shop.room.has(bytes) {
            let there = self.places.iter().enumerate();
            let bodies = there.filter_map(|(at, one)| {
                let (held, since) = one.as_ref()?.unfinished_body()?;
                Some((held, Reverse(since), at))
            });
            let bodies = bodies.filter(|(held, _, _)| *held > 0);
            let goes = bodies.max().map_or(place, |(_, _, at)| at);
            self.refuse(goes, WHY, now, refused);
            if goes == place {
                return;
            }
        }
    }

    /// Answers 503 for the worker, or instead of it.
    fn refuse(&mut self, place: usize, why: &str, now: Instant, refused: &mut impl FnMut(u16)) {
        const BUSY: u16 = 503;
        self.answers.close(place);
        if let Some(Some(connection)) = self.places.get_mut(place) {
            connection.refuse(BUSY, why, now, &self.shop.limits);
            refused(BUSY);
        }
    }

    fn expire(&mut self, now: Instant, refused: &mut impl FnMut(u16)) {
        for place in 0..self.places.len() {
            let is_late = |one: &Connection| now >= one.deadline;
            let Some(connection) = self.places[place].as_ref().filter(|one| is_late(one)) else {
                continue;
            };
            if connection.worth().is_none() {
                self.refuse(place, "nobody has answered in time", now, refused);
            } else {
                self.leave(place);
            }
        }
    }

    /// Dropping a socket closes it, and the system forgets it.
    fn leave(&mut self, place: usize) {
        if let Some(taken) = self.places.get_mut(place)
            && taken.take().is_some()
        {
            self.answers.close(place);
        }
    }

    fn accept(&mut self, now: Instant) {
        if self.door.closed_until.is_some_and(|until| now < until) {
            return;
        }
        self.door.closed_until = None;
        let mut has_evicted = false;
        for _ in 0..ACCEPT_BATCH {
            let is_full = self.places.iter().all(Option::is_some);
            if !self.door.has_peers || (is_full && self.must_turn_first()) {
                return;
            }
            match self.listener.accept() {
                Ok((socket, peer)) => {
                    self.door
                        .trouble
                        .right(DOOR_NAME, "connections are taken again");
                    has_evicted = false;
                    self.welcome(socket, peer.ip(), now);
                }
                Err(error) => match error.kind() {
                    ErrorKind::WouldBlock => self.door.has_peers = false,
                    // That peer has gone already, or a signal came.
                    ErrorKind::ConnectionAborted | ErrorKind::Interrupted => {}
                    // Mostly no file descriptors are left. A place that is given up may help,
                    // once: others may take what it frees.
                    _ if !has_evicted && self.evict() => has_evicted = true,
                    _ if self.must_turn_first() => return,
                    _ => return self.close_door(&error, now),
                },
            }
        }
    }

    /// The peers at the door stay there for now.
    fn close_door(&mut self, error: &io::Error, now: Instant) {
        self.door.closed_until = Some(now + ACCEPT_PAUSE);
        let text = format!(
            "cannot take connections: {error}; trying on; if it stays, raise the limit of open \
             files (systemd: LimitNOFILE)"
        );
        self.door
            .trouble
            .wrong(DOOR_NAME, log::Level::Warn, text, false);
    }

    fn welcome(&mut self, socket: TcpStream, peer: IpAddr, now: Instant) {
        let is_free = |places: &[Option<Connection>]| places.iter().position(Option::is_none);
        let mut place = is_free(&self.places);
        if place.is_none() && self.evict() {
            place = is_free(&self.places);
        }
        // Without a place, or when the system fails, dropping the socket closes it.
        let Some(place) = place else { return };
        // An answer is written in one piece; there is nothing to wait for.
        let _ = socket.set_nodelay(true);
        let interval = self.shop.limits.certificate_look_interval;
        let config = self.tls.as_mut().map(|tls| tls.config(now, interval));
        if let Ok(connection) = self.connect(socket, peer, place, config, now) {
            self.places[place] = Some(connection);
        }
    }

    fn connect(
        &self,
        socket: TcpStream,
        peer: IpAddr,
        place: usize,
        config: Option<Arc<rustls::ServerConfig>>,
        now: Instant,
    ) -> io::Result<Connection> {
        let mut wire = Wire::new(socket, config)?;
        let interest = Interest::READABLE | Interest::WRITABLE;
        let registry = self.poll.registry();
        registry.register(wire.socket(), Token(place), interest)?;
        Ok(Connection::new(wire, peer, now, &self.shop.limits))
    }

    /// Closes the connection that is worth least. False when all are being worked on.
    fn evict(&mut self) -> bool {
        let Some(place) = self.least() else {
            return false;
        };
        self.leave(place);
        true
    }

    fn least(&self) -> Option<usize> {
        let there = self.places.iter().enumerate();
        let worths = there.filter_map(|(at, one)| {
            let one = one.as_ref().filter(|one| !one.is_fresh)?;
            Some((one.worth()?, at))
        });
        worths.min().map(|(_, place)| place)
    }

    /// Whether room can only be made by those that have just come, before they were heard.
    fn must_turn_first(&self) -> bool {
        self.least().is_none() && self.places.iter().flatten().any(|one| one.is_fresh)
    }
}
