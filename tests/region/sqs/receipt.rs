//! Receipt handles: another one at each receive, and nobody may know them.

use super::super::world::guid;

/// Begins every receipt handle: whoever has one may delete the message.
pub const RECEIPT: &str = "AQEBplanted+ReceiptHandle/0f1e2d";
const END: &str = "==";
/// Lengths of the queue, the message id, the number of the receive and the checksum.
const QUEUE: usize = 32;
const ID: usize = 36;
const RECEIVE: usize = 8;
const CHECK: usize = 32;

/// What stands in a handle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// Stands for the queue.
    queue: String,
    /// Id of the message.
    pub message_id: String,
    /// Which receive of the message it is from; the first is 1.
    pub receive: u32,
}

impl Receipt {
    /// Of a message's receive.
    pub fn new(queue: &str, message_id: &str, receive: u32) -> Receipt {
        Receipt {
            queue: guid(queue),
            message_id: message_id.to_owned(),
            receive,
        }
    }

    /// Reads a handle; `None` for one that was never given.
    pub fn parse(handle: &str) -> Option<Receipt> {
        let text = handle.strip_prefix(RECEIPT)?.strip_suffix(END)?;
        if !text.is_ascii() || text.len() != QUEUE + ID + RECEIVE + CHECK {
            return None;
        }
        let (queue, rest) = text.split_at(QUEUE);
        let (message_id, rest) = rest.split_at(ID);
        let receive = u32::from_str_radix(&rest[..RECEIVE], 16).ok()?;
        let receipt = Receipt {
            queue: queue.to_owned(),
            message_id: message_id.to_owned(),
            receive,
        };
        (receipt.handle() == handle).then_some(receipt)
    }

    /// As `ReceiveMessage` gives it.
    pub fn handle(&self) -> String {
        let told = format!("{}{}{:08x}", self.queue, self.message_id, self.receive);
        let check = guid(&told);
        format!("{RECEIPT}{told}{check}{END}")
    }

    /// Whether this queue gave it.
    pub fn is_of(&self, queue: &str) -> bool {
        self.queue == guid(queue)
    }
}
