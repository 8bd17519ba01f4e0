//! What boss knows, in `SQLite` or `PostgreSQL`.
//!
//! One file per kind of thing. Statements are written for both data bases: parameters are `$1`,
//! numbers are `BIGINT`, flags 0 or 1, times seconds since 1970. What must hold whoever else is at
//! work is said in one statement, or in a transaction of [`Database::begin`].

pub mod experiments;
pub mod images;
pub mod members;
pub mod nodes;
pub mod people;
pub mod sessions;
pub mod sitevars;
pub mod swaps;
pub mod tokens;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Context;
use sqlx::any::{AnyConnectOptions, AnyPoolOptions};
use sqlx::migrate::Migrator;
use sqlx::{Any, AnyPool, ConnectOptions, Executor, Transaction};

static SQLITE: Migrator = sqlx::migrate!("migrations/sqlite");
static POSTGRES: Migrator = sqlx::migrate!("migrations/postgres");

/// How long a statement waits for a connection, or for somebody else's transaction.
const PATIENCE: Duration = Duration::from_secs(20);

/// The data base.
#[derive(Clone, Debug)]
pub struct Database {
    pool: AnyPool,
    is_sqlite: bool,
}

/// A transaction; dropped without a commit, nothing of it has happened.
pub type Changes = Transaction<'static, Any>;

impl Database {
    /// Opens the data base at `url`, makes it if it is a file that isn't there, and brings its
    /// tables up to date.
    ///
    /// # Errors
    /// If there is none, it refuses, or its tables are of a newer program.
    pub async fn open(url: &str) -> anyhow::Result<Self> {
        sqlx::any::install_default_drivers();
        let is_sqlite = url.starts_with("sqlite:");
        let separator = if url.contains('?') { '&' } else { '?' };
        let full = if is_sqlite && !url.contains("mode=") {
            format!("{url}{separator}mode=rwc")
        } else {
            url.to_owned()
        };
        // The URL may hold a password.
        let shown = url.split('@').next_back().unwrap_or_default().to_owned();
        let options: AnyConnectOptions =
            full.parse().with_context(|| format!("the data base's URL (…{shown})"))?;
        let options = options.disable_statement_logging();
        let pool = AnyPoolOptions::new()
            // SQLite has one writer at a time; one connection makes everybody wait in order.
            .max_connections(if is_sqlite { 1 } else { 16 })
            .acquire_timeout(PATIENCE)
            .after_connect(move |connection, _| {
                Box::pin(async move {
                    if is_sqlite {
                        connection.execute("PRAGMA journal_mode = WAL").await?;
                        // A node that was given out stays so after a power cut.
                        connection.execute("PRAGMA synchronous = FULL").await?;
                        connection.execute("PRAGMA foreign_keys = ON").await?;
                        connection.execute("PRAGMA busy_timeout = 20000").await?;
                    }
                    Ok(())
                })
            })
            .connect_with(options)
            .await
            .with_context(|| format!("opening the data base …{shown}"))?;
        let migrator = if is_sqlite { &SQLITE } else { &POSTGRES };
        migrator.run(&pool).await.with_context(|| format!("the tables of …{shown}"))?;
        Ok(Self { pool, is_sqlite })
    }

    /// Begins a transaction. What it has read may have changed since, in `PostgreSQL`: statements
    /// that change something say themselves what must be so.
    pub async fn begin(&self) -> sqlx::Result<Changes> {
        // One that only reads at first would find, when it writes, that another was faster.
        let begin = if self.is_sqlite { "BEGIN IMMEDIATE" } else { "BEGIN" };
        self.pool.begin_with(begin).await
    }

    /// For single statements.
    pub fn pool(&self) -> &AnyPool {
        &self.pool
    }

    /// Closes all connections; what was committed is in the file.
    pub async fn close(&self) {
        self.pool.close().await;
    }
}

/// Seconds since 1970.
pub fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

/// Whether something of that name is there already.
pub fn is_taken(error: &sqlx::Error) -> bool {
    matches!(error, sqlx::Error::Database(error) if error.is_unique_violation())
}

/// Reads a value that is text in the data base.
pub(crate) fn parse<T>(text: &str) -> sqlx::Result<T>
where
    T: std::str::FromStr,
    T::Err: std::fmt::Display,
{
    text.parse().map_err(|error| corrupt(format_args!("{text:?}: {error}")))
}

/// Reads a number that is smaller than the data base's numbers.
pub(crate) fn number<T: TryFrom<i64>>(value: i64) -> sqlx::Result<T> {
    T::try_from(value)
        .map_err(|_| corrupt(format_args!("the number {value}, which is out of range")))
}

/// A value of the data base that isn't what its column holds.
pub(crate) fn corrupt(what: impl std::fmt::Display) -> sqlx::Error {
    sqlx::Error::Decode(format!("the data base holds {what}").into())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    /// They only differ in how rows get their numbers, and in what each says of the other.
    #[test]
    fn both_kinds_of_data_base_have_the_same_tables() {
        let migrations = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations");
        let names = |kind: &str| {
            let entries = fs::read_dir(migrations.join(kind)).unwrap();
            let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name()).collect();
            names.sort();
            names
        };
        assert_eq!(names("sqlite"), names("postgres"));
        for name in names("sqlite") {
            let read = |kind: &str| fs::read_to_string(migrations.join(kind).join(&name)).unwrap();
            let sqlite = read("sqlite")
                .replace(
                    "INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT",
                    "BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY",
                )
                .replace("migrations/postgres has", "migrations/sqlite has");
            assert_eq!(sqlite, read("postgres"), "{}", name.display());
        }
    }
}
