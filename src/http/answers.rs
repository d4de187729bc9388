//! Answers, and the way they take from the workers' threads to the front.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mio::Waker;

use super::RequestId;

/// A body up to this length goes out in one piece with its head, at the price of a copy.
const COPIED_BYTES_MAX: usize = 16 << 10;

/// What a request is answered with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// 200 to 599; anything else becomes 500.
    pub status: u16,
    /// Besides `Content-Length` and `Connection`, which are the front's.
    pub headers: Vec<(&'static str, String)>,
    /// The body; left out for `HEAD`. Answers may share it.
    pub body: Arc<Vec<u8>>,
}

impl Answer {
    /// No body.
    pub fn empty(status: u16) -> Answer {
        Answer {
            status,
            headers: Vec::new(),
            body: Arc::default(),
        }
    }

    /// One line of text for people.
    pub fn text(status: u16, text: impl Into<String>) -> Answer {
        let mut body = text.into().into_bytes();
        body.push(b'\n');
        Answer {
            status,
            headers: vec![("Content-Type", "text/plain; charset=utf-8".to_owned())],
            body: Arc::new(body),
        }
    }

    /// As it goes over the wire: its first bytes, and a long body that follows them.
    pub(super) fn render(self, keep_alive: bool, with_body: bool) -> (Vec<u8>, Arc<Vec<u8>>) {
        let status = match self.status {
            status @ 200..=599 => status,
            _ => 500,
        };
        let connection = if keep_alive { "keep-alive" } else { "close" };
        let mut text = format!(
            "HTTP/1.1 {status} {}\r\nConnection: {connection}\r\n",
            reason(status)
        );
        // These two have no body, and 204 must not have a length (RFC 9110 section 8.6).
        let has_body = !matches!(status, 204 | 304);
        if has_body {
            text.push_str(&format!("Content-Length: {}\r\n", self.body.len()));
        }
        for (name, value) in &self.headers {
            text.push_str(name);
            text.push_str(": ");
            // A line end in a value would begin a header of somebody else's choice.
            text.extend(value.chars().map(|c| if c.is_control() { ' ' } else { c }));
            text.push_str("\r\n");
        }
        text.push_str("\r\n");
        let mut bytes = text.into_bytes();
        if !has_body || !with_body {
            return (bytes, Arc::default());
        }
        if self.body.len() > COPIED_BYTES_MAX {
            return (bytes, self.body);
        }
        bytes.reserve_exact(self.body.len());
        bytes.extend_from_slice(&self.body);
        (bytes, Arc::default())
    }
}

/// For people; nobody else reads it (RFC 9112 section 4).
pub(super) fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        204 => "No Content",
        304 => "Not Modified",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        411 => "Length Required",
        413 => "Content Too Large",
        417 => "Expectation Failed",
        421 => "Misdirected Request",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        503 => "Service Unavailable",
        505 => "HTTP Version Not Supported",
        _ => "Answer",
    }
}

/// Where answers are handed in, from any thread. No more wait here than requests are open.
#[derive(Clone, Debug)]
pub struct Answers {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    desk: Mutex<Desk>,
    waker: Waker,
}

#[derive(Debug)]
struct Desk {
    /// By place: the request that is being worked on.
    open: Vec<Option<RequestId>>,
    given: Vec<(RequestId, Answer)>,
    stopped: bool,
}

impl Answers {
    pub(super) fn new(waker: Waker, connections_max: usize) -> Answers {
        let desk = Desk {
            open: vec![None; connections_max],
            given: Vec::new(),
            stopped: false,
        };
        Answers {
            shared: Arc::new(Shared {
                desk: Mutex::new(desk),
                waker,
            }),
        }
    }

    /// Answers a request. Nothing happens when it has been answered, or its peer has gone.
    pub fn send(&self, id: RequestId, answer: Answer) {
        let mut desk = self.desk();
        if let Some(open) = desk.open.get_mut(id.place)
            && *open == Some(id)
        {
            *open = None;
            desk.given.push((id, answer));
            // The front takes all there are; the first one wakes it.
            let wakes = desk.given.len() == 1;
            drop(desk);
            if wakes {
                self.wake();
            }
        }
    }

    /// Ends [`super::Front::run`]. Answers that were sent before go out as far as the peers
    /// take them at once; all else is closed.
    pub fn stop(&self) {
        self.desk().stopped = true;
        self.wake();
    }

    /// From now on the request can be answered.
    pub(super) fn open(&self, id: RequestId) {
        if let Some(open) = self.desk().open.get_mut(id.place) {
            *open = Some(id);
        }
    }

    /// From now on it cannot: what is there for it already is taken back too.
    pub(super) fn close(&self, place: usize) {
        let mut desk = self.desk();
        if let Some(open) = desk.open.get_mut(place) {
            *open = None;
        }
        desk.given.retain(|(id, _)| id.place != place);
    }

    /// Everything that was handed in, and whether to stop.
    pub(super) fn take(&self) -> (Vec<(RequestId, Answer)>, bool) {
        let mut desk = self.desk();
        (std::mem::take(&mut desk.given), desk.stopped)
    }

    fn desk(&self) -> MutexGuard<'_, Desk> {
        let desk = self.shared.desk.lock();
        desk.unwrap_or_else(PoisonError::into_inner)
    }

    fn wake(&self) {
        // It fails when the front is gone; then nobody needs to be woken.
        if let Err(error) = self.shared.waker.wake() {
            log::debug!("cannot wake the server front: {error}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_written_with_its_length_and_without_foreign_line_ends() {
        let page = || Answer {
            status: 200,
            headers: vec![("ETag", "\"a\r\nX: y\"".to_owned())],
            body: Arc::new(b"abc".to_vec()),
        };
        let keep = "HTTP/1.1 200 OK\r\nConnection: keep-alive\r\nContent-Length: 3\r\n";
        let close = "HTTP/1.1 500 Internal Server Error\r\nConnection: close\r\n";
        let cases = [
            (
                page(),
                true,
                true,
                format!("{keep}ETag: \"a  X: y\"\r\n\r\nabc"),
            ),
            (
                page(),
                true,
                false,
                format!("{keep}ETag: \"a  X: y\"\r\n\r\n"),
            ),
            (
                Answer::empty(99),
                false,
                true,
                format!("{close}Content-Length: 0\r\n\r\n"),
            ),
            (
                Answer::text(204, "no"),
                true,
                true,
                "HTTP/1.1 204 No Content\r\nConnection: keep-alive\r\n\
                 Content-Type: text/plain; charset=utf-8\r\n\r\n"
                    .to_owned(),
            ),
        ];
        for (answer, keep_alive, with_body, wanted) in cases {
            let (bytes, more) = answer.render(keep_alive, with_body);
            assert_eq!(String::from_utf8(bytes).unwrap(), wanted);
            assert!(more.is_empty(), "{wanted}");
        }
    }

    #[test]
    fn a_long_body_is_not_copied_and_a_short_one_goes_with_its_head() {
        for (length, is_shared) in [(COPIED_BYTES_MAX, false), (COPIED_BYTES_MAX + 1, true)] {
            let body = Arc::new(vec![b'x'; length]);
            let answer = Answer {
                body: body.clone(),
                ..Answer::empty(200)
            };
            let (bytes, more) = answer.clone().render(true, true);
            assert_eq!(Arc::ptr_eq(&more, &body), is_shared, "{length}");
            assert_eq!(bytes.ends_with(b"x"), !is_shared, "{length}");
            let said = format!("Content-Length: {length}\r\n");
            assert!(String::from_utf8_lossy(&bytes).contains(&said), "{length}");
            let (head, none) = answer.render(true, false);
            assert!(head.ends_with(b"\r\n\r\n") && none.is_empty(), "{length}");
        }
    }

    #[test]
    fn one_answer_is_taken_for_an_open_request_and_none_for_any_other() {
        let poll = mio::Poll::new().unwrap();
        let waker = Waker::new(poll.registry(), mio::Token(0)).unwrap();
        let answers = Answers::new(waker, 2);
        let id = |place, serial| RequestId { place, serial };
        answers.open(id(0, 1));
        answers.open(id(1, 2));
        for wrong in [id(0, 2), id(0, 0), id(2, 1), RequestId::default()] {
            answers.send(wrong, Answer::empty(200));
        }
        assert_eq!(answers.take(), (vec![], false));
        for _ in 0..3 {
            answers.send(id(0, 1), Answer::empty(200));
        }
        assert_eq!(
            answers.take(),
            (vec![(id(0, 1), Answer::empty(200))], false)
        );
        answers.send(id(1, 2), Answer::empty(200));
        answers.close(1);
        answers.stop();
        assert_eq!(answers.take(), (vec![], true));
    }
}
