//! The token file: for its owner's eyes only, replaced whole, shared with other
//! processes.

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
        self.create_new()
            .and_then(|_| fs::remove_file(self.sibling(NEW)))
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
            let mut file = self.create_new()?;
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
    fn create_new(&self) -> io::Result<File> {
        self.make_folder()?;
        let path = self.sibling(NEW);
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

#[cfg(test)]
#[allow(clippy::unwrap_used)]
pub(super) mod tests {
    use super::*;
    use crate::config::OauthClient;
    use crate::oauth::AccessToken;
    use crate::oauth::credentials::Assignment;
    use crate::secret::Secret;

    pub(in crate::oauth) fn credentials() -> Credentials {
        Credentials {
            access_token: AccessToken::new(Secret::new("ya29.old")),
            refresh_token: Secret::new("1//old"),
            expires_at_ms: 1_790_000_000_123,
            scope: Some("a b".into()),
            email: Some("me@example.com".into()),
            assignment: Some(Assignment {
                project: "acme-dev".into(),
                tier: Some("standard-tier".into()),
                configured: Some("acme".into()),
            }),
            client: Some(OauthClient {
                id: "id".into(),
                secret: Secret::new("secret"),
            }),
        }
    }

    fn store_in(folder: &tempfile::TempDir) -> CredentialStore {
        CredentialStore::new(folder.path().join("made/on/demand/tokens.json"))
    }

    fn unusable(content: &str) -> String {
        let folder = tempfile::tempdir().unwrap();
        let store = CredentialStore::new(folder.path().join("tokens.json"));
        fs::write(store.path(), content).unwrap();
        match store.load().unwrap() {
            Stored::Unusable(why) => why,
            other => panic!("{content} was read as {other:?}"),
        }
    }

    #[test]
    fn what_is_saved_is_loaded() {
        let folder = tempfile::tempdir().unwrap();
        let store = store_in(&folder);
        assert!(matches!(store.load().unwrap(), Stored::Nothing));
        store.save(&credentials()).unwrap();
        let Stored::Credentials(loaded) = store.load().unwrap() else {
            panic!("no credentials");
        };
        assert_eq!(format!("{loaded:?}"), format!("{:?}", credentials()));
        assert_eq!(loaded.refresh_token, credentials().refresh_token);
        assert_eq!(loaded.access_token, credentials().access_token);
    }

    #[cfg(unix)]
    #[test]
    fn only_the_owner_may_read_it() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let store = store_in(&folder);
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        store.save(&credentials()).unwrap();
        assert_eq!(mode(store.path()), 0o600);
        assert_eq!(mode(store.path().parent().unwrap()), 0o700);
        fs::set_permissions(store.path(), fs::Permissions::from_mode(0o644)).unwrap();
        store.save(&credentials()).unwrap();
        assert_eq!(mode(store.path()), 0o600);
    }

    #[test]
    fn lesson_17_it_is_replaced_whole_and_nothing_is_left_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let store = store_in(&folder);
        let before = store.save_identified(&credentials()).unwrap();
        let reader = File::open(store.path()).unwrap();
        let mut renewed = credentials();
        renewed.refresh_token = Secret::new("1//new");
        let after = store.save_identified(&renewed).unwrap();
        let old = io::read_to_string(reader).unwrap();
        assert!(old.contains("1//old") && old.ends_with("}\n"));
        assert_ne!(before, after);
        assert_eq!(store.identity().unwrap(), after);
        let siblings = fs::read_dir(store.path().parent().unwrap()).unwrap();
        assert_eq!(siblings.count(), 1);
    }

    #[cfg(unix)]
    #[test]
    fn a_link_stays_a_link_and_what_it_leads_to_is_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let real = CredentialStore::new(folder.path().join("elsewhere/real.json"));
        let link = CredentialStore::new(folder.path().join("link.json"));
        std::os::unix::fs::symlink("elsewhere/real.json", link.path()).unwrap();
        let is_link = || fs::symlink_metadata(link.path()).unwrap().is_symlink();
        link.save(&credentials()).unwrap();
        assert!(is_link(), "it led nowhere yet");
        link.save_ended("over").unwrap();
        assert!(is_link());
        assert!(matches!(real.load().unwrap(), Stored::Ended(_)));
        let aside = link.set_aside().unwrap();
        assert_eq!(aside.parent(), real.path().parent());
        link.save(&credentials()).unwrap();
        link.remove().unwrap();
        assert!(is_link() && !real.path().exists());
    }

    #[test]
    fn a_process_that_was_killed_while_it_saved_leaves_nothing_for_good() {
        let folder = tempfile::tempdir().unwrap();
        let store = CredentialStore::new(folder.path().join("tokens.json"));
        let names = || {
            let entries = fs::read_dir(folder.path()).unwrap();
            entries
                .map(|entry| entry.unwrap().file_name())
                .collect::<Vec<_>>()
        };
        let killed = || drop(store.create_new().unwrap());
        killed();
        store.save(&credentials()).unwrap();
        assert_eq!(names(), ["tokens.json"]);
        killed();
        store.remove().unwrap();
        assert!(names().is_empty());
    }

    #[test]
    fn an_ended_sign_in_keeps_its_reason_and_no_token() {
        let folder = tempfile::tempdir().unwrap();
        let store = store_in(&folder);
        store.save(&credentials()).unwrap();
        store.save_ended("revoked").unwrap();
        assert!(matches!(store.load().unwrap(), Stored::Ended(why) if why == "revoked"));
        let content = fs::read_to_string(store.path()).unwrap();
        assert!(!content.contains("1//old") && !content.contains("ya29"));
    }

    #[test]
    fn broken_and_foreign_files_are_told_without_quoting_them() {
        for content in [
            "",
            "{\"refresh_token\": \"1//secret",
            "not json 1//secret",
            "[\"1//secret\"]",
            "{\"refresh_token\": [\"1//secret\"]}",
            "{\"refresh_token\": 7, \"access_token\": \"1//secret\"}",
            "{\"refresh_token\": \"1//\\n secret\"}",
            "{\"access_token\": \"1//secret\"}",
            "{}",
        ] {
            assert!(!unusable(content).contains("secret"), "{content}");
        }
        assert!(unusable(&" ".repeat(100_000)).contains("broken"));
        // gcloud's, the Gemini CLI's
        for field in ["\"type\": \"authorized_user\"", "\"id_token\": \"eyJ\""] {
            let content = format!("{{\"refresh_token\": \"1//secret\", {field}}}");
            assert!(unusable(&content).contains("login --import"), "{content}");
        }
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_found_out_before_there_is_anything_to_save() {
        let folder = tempfile::tempdir().unwrap();
        let store = CredentialStore::new(folder.path().join("tokens.json"));
        store.check_writable().unwrap();
        assert!(!store.sibling(NEW).exists());
        fs::write(store.path(), "a file").unwrap();
        let below = CredentialStore::new(store.path().join("tokens.json"));
        let error = below.check_writable().unwrap_err().to_string();
        assert!(error.starts_with("cannot write the token file"), "{error}");
    }

    #[test]
    fn an_unusable_file_is_set_aside_not_destroyed() {
        let folder = tempfile::tempdir().unwrap();
        let store = CredentialStore::new(folder.path().join("tokens.json"));
        fs::write(store.path(), "precious").unwrap();
        let aside = store.set_aside().unwrap();
        assert_eq!(fs::read_to_string(aside).unwrap(), "precious");
        assert!(matches!(store.load().unwrap(), Stored::Nothing));
    }

    #[test]
    fn one_holds_the_lock_and_the_others_do_not_wait_for_ever() {
        let folder = tempfile::tempdir().unwrap();
        let store = store_in(&folder);
        let held = store.lock(Duration::ZERO, &Pulse::none());
        assert!(matches!(held, StoreLock::Held { .. }));
        assert!(matches!(
            store.lock(Duration::ZERO, &Pulse::none()),
            StoreLock::Busy
        ));
        drop(held);
        assert!(matches!(
            store.lock(Duration::ZERO, &Pulse::none()),
            StoreLock::Held { .. }
        ));
    }
}
