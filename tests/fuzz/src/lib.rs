//! What the fuzz targets hold of every input; `tests/fuzz_corpora.rs` holds the same of their
//! seeds. Each `check` panics when something is wrong, and says whether the input was taken.

pub mod alarm;
pub mod certificate;
pub mod envelope;
mod input;
pub mod meaning;
pub mod request_head;
pub mod retained;
pub mod spool_record;
