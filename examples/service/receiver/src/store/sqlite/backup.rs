//! A copy of the file, made beside whoever writes to it.

use std::fs::{self, File};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use rusqlite::Connection;
use rusqlite::backup::Backup;

use crate::store::sqlite::open_reader;

/// How long it waits if a lock is in the way.
const PAUSE: Duration = Duration::from_millis(100);

/// Copies the database, as it is now, to a file that is not there yet.
pub fn backup(database: &Path, copy: &Path) -> anyhow::Result<()> {
    let cannot_read = || format!("cannot read {}", database.display());
    let source = open_reader(database).with_context(cannot_read)?;
    let is_ours = source.table_exists(None, "schema_version").with_context(cannot_read)?;
    ensure!(is_ours, "{} has no tables of the receiver", database.display());
    File::create_new(copy).with_context(|| format!("cannot create {}", copy.display()))?;
    let copied = copy_to(&source, database, copy);
    if copied.is_err() {
        // SQLite's journal stays behind if the disk was full.
        for suffix in ["", "-journal"] {
            let mut leftover = copy.as_os_str().to_owned();
            leftover.push(suffix);
            let _ = fs::remove_file(leftover);
        }
    }
    copied.with_context(|| format!("cannot copy {} to {}", database.display(), copy.display()))
}

fn copy_to(source: &Connection, database: &Path, copy: &Path) -> anyhow::Result<()> {
    // Who may not read the one may not read the other.
    fs::set_permissions(copy, fs::metadata(database)?.permissions())?;
    let mut copy = Connection::open(copy)?;
    // All pages in one step. After each step others may write, and then it would begin anew.
    Backup::new(source, &mut copy)?.run_to_completion(i32::MAX, PAUSE, None)?;
    copy.close().map_err(|(_, error)| error.into())
}
