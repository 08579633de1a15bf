//! Opens the database that a URL names.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, bail, ensure};

use crate::store::migration::UNDER_WAY;
use crate::store::postgres::Postgres;
use crate::store::sqlite::{self, Sqlite};
use crate::store::{Store, VERSION};

/// Opens it, even if it has no tables or those of another version.
pub async fn open(url: &str, max_pages: Option<u32>) -> anyhow::Result<Arc<dyn Store>> {
    match of(url)? {
        Database::Postgres => Ok(Arc::new(Postgres::open(url).await?)),
        Database::Sqlite(path) => Ok(Arc::new(Sqlite::open(path, max_pages)?)),
    }
}

enum Database<'a> {
    Postgres,
    Sqlite(&'a str),
}

fn of(url: &str) -> anyhow::Result<Database<'_>> {
    if url.starts_with("postgres://") || url.starts_with("postgresql://") {
        Ok(Database::Postgres)
    } else if let Some(path) = url.strip_prefix("sqlite:") {
        let path = path.strip_prefix("//").unwrap_or(path);
        let path = path.split_once('?').map_or(path, |(path, _)| path);
        ensure!(!matches!(path, "" | ":memory:"), "the database URL must name a file, such as sqlite:routee.db");
        Ok(Database::Sqlite(path))
    } else {
        bail!("the database URL must begin with sqlite: or postgres:")
    }
}

/// Copies the database to a file that is not there yet, beside whoever writes.
pub fn backup(url: &str, copy: &Path) -> anyhow::Result<()> {
    match of(url)? {
        Database::Postgres => bail!("this copies a SQLite database; for PostgreSQL, use pg_dump"),
        Database::Sqlite(path) => sqlite::backup(Path::new(path), copy),
    }
}

/// Opens it with tables of this receiver's version. If `may_migrate`, they are made or brought to that version, and so is
/// SQLite's file.
pub async fn open_current(url: &str, max_pages: Option<u32>, may_migrate: bool) -> anyhow::Result<Arc<dyn Store>> {
    if let Database::Sqlite(path) = of(url)?
        && !may_migrate
    {
        ensure!(Path::new(path).exists(), "there is no database {path}: `receiver migrate` would make one");
    }
    let store = open(url, max_pages).await.context("cannot open the database")?;
    if may_migrate {
        store.migrate().await.context("cannot make the tables")?;
    }
    let version = store.version().await?;
    ensure!(version != UNDER_WAY, "a migration of the tables has not come to its end: run `receiver migrate`");
    let advice = if version > VERSION { "a newer receiver made them" } else { "run `receiver migrate`" };
    ensure!(version == VERSION, "the tables have version {version}, and this receiver works with {VERSION}: {advice}");
    Ok(store)
}
