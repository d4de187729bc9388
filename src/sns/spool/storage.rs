//! The few things that the spool does with a disk, one by one, so that a test can let each of
//! them fail.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Most files that are looked at in one folder: far more than the spool makes.
pub const FILES_MAX: usize = 65_536;

/// A folder with files in it, and folders below. Names are relative to it; the empty name is
/// the folder itself.
///
/// # Errors
///
/// Of all methods: whatever the disk says. After an error of [`append`](Storage::append) any
/// part of the bytes may be there.
#[allow(clippy::missing_errors_doc, reason = "they stand above, once for all")]
pub trait Storage {
    /// Makes the folder where it is missing, so that it survives a power loss; fails when it
    /// cannot be written.
    fn make_folder(&mut self, folder: &str) -> io::Result<()>;
    /// The names in the folder, in no order; none when it is missing.
    fn list(&mut self, folder: &str) -> io::Result<Vec<String>>;
    /// Makes an empty file; fails when it is there.
    fn create(&mut self, file: &str) -> io::Result<()>;
    /// Writes at the end.
    fn append(&mut self, file: &str, bytes: &[u8]) -> io::Result<()>;
    /// Writes from this place on, in a file that is made where it is missing. What lies behind
    /// the bytes stays.
    fn write_at(&mut self, file: &str, at: u64, bytes: &[u8]) -> io::Result<()>;
    /// Returns when the file's content survives a power loss. Its name may not.
    fn sync(&mut self, file: &str) -> io::Result<()>;
    /// Returns when the names in the folder survive a power loss.
    fn sync_folder(&mut self, folder: &str) -> io::Result<()>;
    /// Removes a file.
    fn delete(&mut self, file: &str) -> io::Result<()>;
    /// Cuts a file to this many bytes.
    fn truncate(&mut self, file: &str, length: u64) -> io::Result<()>;
    /// How many bytes the file has.
    fn length(&mut self, file: &str) -> io::Result<u64>;
    /// Reads from this place on, up to the length of `into`; 0 is the end.
    fn read_at(&mut self, file: &str, at: u64, into: &mut [u8]) -> io::Result<usize>;
    /// How people call the file.
    fn place(&self, file: &str) -> String;
}

/// A folder of a real disk: 0700, its files 0600.
#[derive(Debug)]
pub struct Disk {
    folder: PathBuf,
    /// The file that was made last. It stays open: an error of writing back is told to those
    /// who had the file open (fsync(2)).
    written: Option<(String, File)>,
    /// The file that was read last.
    read: Option<(String, File)>,
}

impl Disk {
    /// The disk is not touched before [`Storage::make_folder`].
    pub fn new(folder: PathBuf) -> Disk {
        Disk {
            folder,
            written: None,
            read: None,
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        match name {
            "" => self.folder.clone(),
            name => self.folder.join(name),
        }
    }

    fn with_written<T>(
        &mut self,
        file: &str,
        act: impl FnOnce(&mut File) -> io::Result<T>,
    ) -> io::Result<T> {
        match &mut self.written {
            Some((name, open)) if name == file => act(open),
            _ => {
                let mut options = OpenOptions::new();
                act(&mut options.append(true).open(self.path(file))?)
            }
        }
    }

    fn forget(&mut self, file: &str) {
        let is_other = |open: &(String, File)| open.0 != file;
        self.written = self.written.take().filter(is_other);
        self.read = self.read.take().filter(is_other);
    }
}

fn sync_path(folder: &Path) -> io::Result<()> {
    // The parent of a plain name is called "".
    let named = !folder.as_os_str().is_empty();
    let folder = if named { folder } else { Path::new(".") };
    File::open(folder)?.sync_all()
}

/// Makes the folder and those above it. Each is an entry in the one above.
fn make(folder: &Path) -> io::Result<()> {
    match DirBuilder::new().mode(0o700).create(folder) {
        Ok(()) => folder.parent().map_or(Ok(()), sync_path),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let above = folder
                .parent()
                .filter(|above| !above.as_os_str().is_empty());
            make(above.ok_or(error)?)?;
            DirBuilder::new().mode(0o700).create(folder)?;
            folder.parent().map_or(Ok(()), sync_path)
        }
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            if folder.is_dir() {
                return Ok(());
            }
            Err(ErrorKind::NotADirectory.into())
        }
        Err(error) => Err(error),
    }
}

impl Storage for Disk {
    fn make_folder(&mut self, folder: &str) -> io::Result<()> {
        let folder = self.path(folder);
        make(&folder)?;
        // A disk that is read-only says so before it looks for the file: asked without writing.
        match fs::remove_file(folder.join("no-such-file")) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            other => other,
        }
    }

    fn list(&mut self, folder: &str) -> io::Result<Vec<String>> {
        let entries = match fs::read_dir(self.path(folder)) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            other => other?,
        };
        let mut names = Vec::new();
        for entry in entries {
            if names.len() >= FILES_MAX {
                let text = format!("more than {FILES_MAX} files in one folder");
                return Err(io::Error::other(text));
            }
            names.extend(entry?.file_name().into_string());
        }
        Ok(names)
    }

    fn create(&mut self, file: &str) -> io::Result<()> {
        let mut options = OpenOptions::new();
        options.append(true).create_new(true).mode(0o600);
        self.written = Some((file.to_owned(), options.open(self.path(file))?));
        Ok(())
    }

    fn append(&mut self, file: &str, bytes: &[u8]) -> io::Result<()> {
        self.with_written(file, |open| open.write_all(bytes))
    }

    fn write_at(&mut self, file: &str, at: u64, bytes: &[u8]) -> io::Result<()> {
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(false).mode(0o600);
        options.open(self.path(file))?.write_all_at(bytes, at)
    }

    fn sync(&mut self, file: &str) -> io::Result<()> {
        match &self.written {
            Some((name, open)) if name == file => open.sync_data(),
            _ => File::open(self.path(file))?.sync_data(),
        }
    }

    fn sync_folder(&mut self, folder: &str) -> io::Result<()> {
        sync_path(&self.path(folder))
    }

    fn delete(&mut self, file: &str) -> io::Result<()> {
        self.forget(file);
        fs::remove_file(self.path(file))
    }

    fn truncate(&mut self, file: &str, length: u64) -> io::Result<()> {
        self.with_written(file, |open| open.set_len(length))
    }

    fn length(&mut self, file: &str) -> io::Result<u64> {
        Ok(fs::metadata(self.path(file))?.len())
    }

    fn read_at(&mut self, file: &str, at: u64, into: &mut [u8]) -> io::Result<usize> {
        match &self.read {
            Some((name, open)) if name == file => open.read_at(into, at),
            _ => {
                let open = File::open(self.path(file))?;
                let count = open.read_at(into, at);
                self.read = Some((file.to_owned(), open));
                count
            }
        }
    }

    fn place(&self, file: &str) -> String {
        self.path(file).display().to_string()
    }
}
