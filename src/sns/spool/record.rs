//! How a record lies in a segment: a header that tells its length, number and checksum, then
//! the record itself. Pure.
//!
//! | bytes | |
//! |---|---|
//! | 0..4 | `MPS1` |
//! | 4..8 | length of the record, big-endian like all numbers here |
//! | 8..16 | its number |
//! | 16..24 | first bytes of SHA-256 over the segment's number, length, number and record |
//!
//! The segment's number is part of the checksum: a block of an older file that a power loss
//! brings back into a newer one is not taken for a record of it.

use sha2::{Digest, Sha256};

use crate::engine::spooling::Seq;

/// What stands before each record.
pub const HEADER_BYTES: usize = 24;
/// Largest record. A body of SNS has at most 2.5 MiB.
pub const RECORD_BYTES_MAX: usize = 4 * 1024 * 1024;

const MAGIC: [u8; 4] = *b"MPS1";
const SUM_BYTES: usize = 8;

/// What a record says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Its number.
    pub seq: Seq,
    /// How many bytes follow the header; at most [`RECORD_BYTES_MAX`].
    pub length: usize,
    sum: [u8; SUM_BYTES],
}

impl Header {
    /// Reads a header; `None` when these bytes are none.
    pub fn parse(bytes: &[u8]) -> Option<Header> {
        let (magic, rest) = bytes.split_first_chunk::<4>()?;
        let (length, rest) = rest.split_first_chunk::<4>()?;
        let (seq, rest) = rest.split_first_chunk::<8>()?;
        let sum = *rest.first_chunk::<SUM_BYTES>()?;
        let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
        let seq = u64::from_be_bytes(*seq);
        let well = *magic == MAGIC && length <= RECORD_BYTES_MAX;
        well.then_some(Header { seq, length, sum })
    }

    /// Whether this is the record that the header was written for, in the segment `first`.
    pub fn fits(&self, first: Seq, record: &[u8]) -> bool {
        record.len() == self.length && sum(first, self.seq, record) == self.sum
    }
}

/// How much room a record of this length takes, in bytes.
pub fn framed_bytes(length: usize) -> u64 {
    (HEADER_BYTES as u64).saturating_add(length as u64)
}

/// Puts a record of the segment `first` at the end of `out`. What is longer than
/// [`RECORD_BYTES_MAX`] cannot be read back: ask before.
pub fn encode(first: Seq, seq: Seq, record: &[u8], out: &mut Vec<u8>) {
    out.extend(MAGIC);
    out.extend(length_bytes(record));
    out.extend(seq.to_be_bytes());
    out.extend(sum(first, seq, record));
    out.extend(record);
}

fn length_bytes(record: &[u8]) -> [u8; 4] {
    u32::try_from(record.len())
        .unwrap_or(u32::MAX)
        .to_be_bytes()
}

fn sum(first: Seq, seq: Seq, record: &[u8]) -> [u8; SUM_BYTES] {
    let mut hash = Sha256::new();
    hash.update(first.to_be_bytes());
    hash.update(length_bytes(record));
    hash.update(seq.to_be_bytes());
    hash.update(record);
    let whole: [u8; 32] = hash.finalize().into();
    let mut sum = [0; SUM_BYTES];
    sum.copy_from_slice(&whole[..SUM_BYTES]);
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_read_back_as_it_was_written() {
        for record in [&b""[..], b"a", &[7; 70_000]] {
            let mut bytes = Vec::new();
            encode(3, 5, record, &mut bytes);
            assert_eq!(bytes.len() as u64, framed_bytes(record.len()));
            let header = Header::parse(&bytes).unwrap();
            assert_eq!((header.seq, header.length), (5, record.len()));
            assert!(header.fits(3, &bytes[HEADER_BYTES..]));
        }
    }

    #[test]
    fn no_flipped_bit_and_no_other_segment_goes_unseen() {
        let mut good = Vec::new();
        encode(3, 5, b"record", &mut good);
        let fits = |first: Seq, bytes: &[u8]| {
            Header::parse(bytes).is_some_and(|h| h.fits(first, &bytes[HEADER_BYTES..]))
        };
        assert!(fits(3, &good));
        assert!(!fits(4, &good));
        for bit in 0..good.len() * 8 {
            let mut bad = good.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert!(!fits(3, &bad), "bit {bit}");
        }
        for length in 0..good.len() {
            let bytes = &good[..length];
            assert!(length < HEADER_BYTES || !fits(3, bytes), "{length} bytes");
        }
    }

    #[test]
    fn a_length_beyond_the_limit_is_no_header() {
        let mut bytes = Vec::new();
        encode(1, 1, b"", &mut bytes);
        let cases = [
            (0, true),
            (RECORD_BYTES_MAX, true),
            (RECORD_BYTES_MAX + 1, false),
            (u32::MAX as usize, false),
        ];
        for (length, wanted) in cases {
            bytes[4..8].copy_from_slice(&(length as u32).to_be_bytes());
            assert_eq!(Header::parse(&bytes).is_some(), wanted, "{length}");
        }
        assert_eq!(Header::parse(&bytes[..HEADER_BYTES - 1]), None);
    }
}
