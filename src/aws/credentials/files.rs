//! Files that credentials are read from, each time anew: they are renewed while the agent runs.

use std::fs::File;
use std::io::{Error, Read};
use std::path::Path;

use crate::config::Secret;

/// A shared file of hundreds of lines, or a token: none is as large.
const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// What is in a file; of a very large one only the beginning.
///
/// # Errors
///
/// As the system says it; also for what is no file, since reading a pipe could last for ever.
fn bytes(path: &Path) -> Result<Vec<u8>, Error> {
    if !std::fs::metadata(path)?.is_file() {
        return Err(Error::other("it is not a file"));
    }
    let mut bytes = Vec::new();
    File::open(path)?
        .take(FILE_BYTES_MAX)
        .read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// A file as text; what is no UTF-8 stands in comments, if anywhere.
///
/// # Errors
///
/// As [`bytes`].
pub fn text(path: &Path) -> Result<String, Error> {
    Ok(String::from_utf8_lossy(&bytes(path)?).into_owned())
}

/// A token that stands alone in its file.
///
/// # Errors
///
/// As [`bytes`], and when it is empty or could not stand in a header.
pub fn token(path: &Path) -> Result<Secret, Error> {
    let text = text(path)?;
    let token = text.trim();
    match !token.is_empty() && token.bytes().all(|b| b == b' ' || b.is_ascii_graphic()) {
        true => Ok(Secret::new(token)),
        false => Err(Error::other("it does not hold one token on one line")),
    }
}
