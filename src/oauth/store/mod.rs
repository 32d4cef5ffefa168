//! The token file: for its owner's eyes only, replaced whole, shared with other
//! processes.

#[cfg(test)]
pub(super) mod tests;

use std::fs::{self, DirBuilder, File, Metadata, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use crate::http::{GaveUp, Pulse};
use crate::oauth::credentials::{Credentials, Record};
use crate::oauth::now_ms;

/// A token file has about 1 KiB.
const MAX_FILE_BYTES: u64 = 64 * 1024;

/// Of the file beside it that is about to replace it.
const NEW: &str = ".new";

/// Of the file beside it that shows whether there can be one. Not the same: where files
/// cannot be locked, it would take the place of tokens that are just being saved.
const PROBE: &str = ".probe";

/// Of the file beside it that is locked.
const LOCK: &str = ".lock";

/// As many as Linux follows.
const MAX_LINKS: usize = 40;

/// Between two looks at a lock that another process holds.
const LOCK_PAUSE: Duration = Duration::from_millis(20);

/// The file at `Config.token_store`.
#[derive(Debug)]
pub struct CredentialStore {
    path: PathBuf,
}

/// What the file says.
#[derive(Debug, Clone)]
pub enum Stored {
    /// There is no file.
    Nothing,
    Credentials(Box<Credentials>),
    /// The refresh token died and was forgotten: Google's words.
    Ended(String),
    /// Broken, or not ours: what is wrong with it. To be set aside, not destroyed.
    Unusable(String),
}

/// Tells one content of the file from the next without reading it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum FileIdentity {
    Absent,
    Present {
        modified: Option<SystemTime>,
        bytes: u64,
        inode: u64,
    },
}

/// The right to change the file, among all processes; ends with the value.
#[derive(Debug)]
pub(super) enum StoreLock {
    Held {
        _file: File,
    },
    /// Another process has it, and had it for as long as we were willing to wait.
    Busy,
    /// The folder is read-only, or its file system knows no locks.
    Unavailable,
    /// Another process has it, and the one who waited waits no longer.
    GaveUp(GaveUp),
}

/// The token file cannot be used as it should be.
#[derive(Debug, Clone, thiserror::Error)]
#[error("cannot {action} the token file {}: {detail}", path.display())]
pub struct StoreError {
    action: &'static str,
    path: PathBuf,
    detail: String,
}

impl CredentialStore {
    pub fn new(path: PathBuf) -> Self {
        Self { path }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn load(&self) -> Result<Stored, StoreError> {
        self.load_identified().map(|(stored, _)| stored)
    }

    /// Replaces the file whole and durably: a crash at any moment leaves the old
    /// one or the new one. Makes the folders that lead to it.
    pub fn save(&self, credentials: &Credentials) -> Result<(), StoreError> {
        self.save_identified(credentials).map(|_| ())
    }

    /// Whether it can be saved, before anybody goes to the trouble of a sign-in.
    pub fn check_writable(&self) -> Result<(), StoreError> {
        let _lock = match self.lock(Duration::ZERO, &Pulse::none()) {
            // Whoever has it is saving.
            StoreLock::Busy => return Ok(()),
            lock => lock,
        };
        self.create_new(PROBE)
            .and_then(|_| fs::remove_file(self.sibling(PROBE)))
            .map_err(|error| self.failed("write", error))
    }

    /// Does nothing if there is no file.
    pub fn remove(&self) -> Result<(), StoreError> {
        for file in [self.sibling(NEW), self.target()] {
            match fs::remove_file(file) {
                Err(error) if error.kind() != ErrorKind::NotFound => {
                    return Err(self.failed("remove", error));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Renames the file to a sibling, and says to which.
    pub fn set_aside(&self) -> Result<PathBuf, StoreError> {
        let aside = self.sibling(&format!(".set-aside-{}", now_ms()));
        fs::rename(self.target(), &aside).map_err(|error| self.failed("set aside", error))?;
        Ok(aside)
    }

    /// With the identity of exactly that content.
    pub(super) fn load_identified(&self) -> Result<(Stored, FileIdentity), StoreError> {
        let file = match File::open(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return Ok((Stored::Nothing, FileIdentity::Absent));
            }
            Err(error) => return Err(self.failed("read", error)),
        };
        let read = || -> io::Result<_> {
            let identity = FileIdentity::of(&file.metadata()?);
            let mut content = Vec::new();
            (&file).take(MAX_FILE_BYTES).read_to_end(&mut content)?;
            Ok((content, identity))
        };
        let (content, identity) = read().map_err(|error| self.failed("read", error))?;
        let stored = parse(&content).unwrap_or_else(|what| {
            Stored::Unusable(format!("the token file {} {what}", self.path.display()))
        });
        Ok((stored, identity))
    }

    pub(super) fn save_identified(
        &self,
        credentials: &Credentials,
    ) -> Result<FileIdentity, StoreError> {
        self.write(&Record::from(credentials))
    }

    /// Forgets the tokens and remembers why.
    pub(super) fn save_ended(&self, why: &str) -> Result<FileIdentity, StoreError> {
        self.write(&Record::ended(why))
    }

    pub(super) fn identity(&self) -> io::Result<FileIdentity> {
        match fs::metadata(&self.path) {
            Ok(metadata) => Ok(FileIdentity::of(&metadata)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(FileIdentity::Absent),
            Err(error) => Err(error),
        }
    }

    /// Waits for other processes, but not for ever: one that was suspended in the
    /// middle of its work must not suspend us. The lock is on a sibling, since the
    /// file itself gets replaced.
    pub(super) fn lock(&self, patience: Duration, pulse: &Pulse) -> StoreLock {
        let file = match self.open_lock_file() {
            Ok(file) => file,
            Err(error) => return self.unlockable(&error),
        };
        let asked_at = Instant::now();
        loop {
            match file.try_lock() {
                Ok(()) => return StoreLock::Held { _file: file },
                Err(TryLockError::Error(error)) => return self.unlockable(&error),
                Err(TryLockError::WouldBlock) if asked_at.elapsed() >= patience => {
                    return StoreLock::Busy;
                }
                Err(TryLockError::WouldBlock) => thread::sleep(LOCK_PAUSE),
            }
            if let Err(gave_up) = pulse.beat() {
                return StoreLock::GaveUp(gave_up);
            }
        }
    }

    fn unlockable(&self, error: &io::Error) -> StoreLock {
        log::debug!("cannot lock {}: {error}", self.path.display());
        StoreLock::Unavailable
    }

    fn open_lock_file(&self) -> io::Result<File> {
        self.make_folder()?;
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(false);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        options.open(self.sibling(LOCK))
    }

    fn write(&self, record: &Record) -> Result<FileIdentity, StoreError> {
        let replace = || -> io::Result<FileIdentity> {
            let mut content = serde_json::to_vec_pretty(record)?;
            content.push(b'\n');
            let target = self.target();
            let mut file = self.create_new(NEW)?;
            file.write_all(&content)?;
            file.sync_all()?;
            fs::rename(self.sibling(NEW), &target)?;
            sync_folder(folder_of(&target));
            Ok(FileIdentity::of(&file.metadata()?))
        };
        replace().map_err(|error| {
            let _ = fs::remove_file(self.sibling(NEW));
            self.failed("write", error)
        })
    }

    /// Always of the same name, so that a process that is killed in the middle
    /// leaves one copy of the tokens at most, which the next one replaces.
    fn create_new(&self, name: &str) -> io::Result<File> {
        self.make_folder()?;
        let path = self.sibling(name);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        options.open(path)
    }

    fn make_folder(&self) -> io::Result<()> {
        let mut builder = DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(folder_of(&self.target()))
    }

    /// A link stays a link: the file is what it leads to, there already or not.
    fn target(&self) -> PathBuf {
        let mut target = self.path.clone();
        for _ in 0..MAX_LINKS {
            match fs::read_link(&target) {
                Ok(next) => target = folder_of(&target).join(next),
                Err(_) => break,
            }
        }
        target
    }

    fn sibling(&self, suffix: &str) -> PathBuf {
        let target = self.target();
        let mut name = target.file_name().unwrap_or_default().to_owned();
        name.push(suffix);
        target.with_file_name(name)
    }

    fn failed(&self, action: &'static str, error: io::Error) -> StoreError {
        let detail = match error.kind() {
            ErrorKind::ResourceBusy => {
                format!("{error} (if it is mounted into a container, mount its folder instead)")
            }
            _ => error.to_string(),
        };
        StoreError {
            action,
            path: self.path.clone(),
            detail,
        }
    }
}

impl FileIdentity {
    fn of(metadata: &Metadata) -> Self {
        Self::Present {
            modified: metadata.modified().ok(),
            bytes: metadata.len(),
            #[cfg(unix)]
            inode: std::os::unix::fs::MetadataExt::ino(metadata),
            #[cfg(not(unix))]
            inode: 0,
        }
    }
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// A rename lives in the folder. Some file systems, and all of Windows, cannot
/// flush one; the file is in its place all the same.
fn sync_folder(folder: &Path) {
    if let Err(error) = File::open(folder).and_then(|folder| folder.sync_all()) {
        log::debug!("cannot flush the folder {}: {error}", folder.display());
    }
}

/// The error completes "the token file …". It holds positions only: serde's own
/// messages quote what they find, which may be a token.
fn parse(content: &[u8]) -> Result<Stored, String> {
    let record: Record = serde_json::from_slice(content).map_err(|error| {
        format!(
            "is broken or another program's (line {}, column {}); `gemini-proxy login --import` \
             takes over other programs' sign-ins",
            error.line(),
            error.column()
        )
    })?;
    if let Some(why) = record.sign_in_ended {
        return Ok(Stored::Ended(why));
    }
    match record.into_credentials() {
        Some(credentials) => Ok(Stored::Credentials(Box::new(credentials))),
        None => Err("holds no refresh token".to_owned()),
    }
}
