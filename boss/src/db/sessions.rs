//! Who is signed in to the pages, and with which password one does.

use sqlx::{FromRow, Row};

use super::{Database, now};
use crate::boot::{Digest, Key};
use crate::db::people::User;
use crate::names::Login;

/// A session without a request for so many seconds is over.
const IDLE: i64 = 12 * 3600;
/// So is one of that age in any case.
const LONGEST: i64 = 7 * 24 * 3600;
/// To the second it need not be known, and each note of it is a write.
const TOUCH: i64 = 60;

/// Somebody who is signed in.
#[derive(Clone, Debug)]
pub struct Session {
    /// Who.
    pub user: User,
    /// A name of the time zone data base; empty: as the browser has it.
    pub time_zone: String,
    /// What the next page is to say.
    pub notice: String,
    digest: String,
    seen_at: i64,
}

impl FromRow<'_, sqlx::any::AnyRow> for Session {
    fn from_row(row: &sqlx::any::AnyRow) -> sqlx::Result<Self> {
        Ok(Self {
            user: User::from_row(row)?,
            time_zone: row.try_get("time_zone")?,
            notice: row.try_get("notice")?,
            digest: row.try_get("digest")?,
            seen_at: row.try_get("seen_at")?,
        })
    }
}

impl Database {
    /// Begins a session of a user, and forgets all that are over.
    pub async fn add_session(&self, key: &Key, login: &Login) -> sqlx::Result<()> {
        let mut changes = self.begin().await?;
        sqlx::query("DELETE FROM sessions WHERE seen_at < $1 OR created_at < $2")
            .bind(now() - IDLE)
            .bind(now() - LONGEST)
            .execute(&mut *changes)
            .await?;
        sqlx::query(
            "INSERT INTO sessions (digest, login, created_at, seen_at) VALUES ($1, $2, $3, $3)",
        )
        .bind(key.digest().to_hex())
        .bind(login.as_str())
        .bind(now())
        .execute(&mut *changes)
        .await?;
        changes.commit().await
    }

    /// The session of who presents this key; none, if it isn't one or is over.
    pub async fn session(&self, presented: &str) -> sqlx::Result<Option<Session>> {
        let session: Option<Session> = sqlx::query_as(
            "SELECT u.*, s.digest, s.seen_at, s.notice FROM sessions s \
             JOIN users u ON u.login = s.login \
             WHERE s.digest = $1 AND s.seen_at >= $2 AND s.created_at >= $3",
        )
        .bind(Digest::of(presented).to_hex())
        .bind(now() - IDLE)
        .bind(now() - LONGEST)
        .fetch_optional(self.pool())
        .await?;
        if let Some(session) = session.as_ref().filter(|it| it.seen_at < now() - TOUCH) {
            sqlx::query("UPDATE sessions SET seen_at = $2 WHERE digest = $1")
                .bind(&session.digest)
                .bind(now())
                .execute(self.pool())
                .await?;
        }
        Ok(session)
    }

    /// Whose a session is now, which does not make it last longer; nobody's, if it is over.
    pub async fn user_of_session(&self, session: &Session) -> sqlx::Result<Option<User>> {
        sqlx::query_as(
            "SELECT u.* FROM sessions s JOIN users u ON u.login = s.login \
             WHERE s.digest = $1 AND s.seen_at >= $2 AND s.created_at >= $3",
        )
        .bind(&session.digest)
        .bind(now() - IDLE)
        .bind(now() - LONGEST)
        .fetch_optional(self.pool())
        .await
    }

    /// Has the session's next page say something; with an empty text, it was said.
    pub async fn set_notice(&self, session: &Session, notice: &str) -> sqlx::Result<()> {
        sqlx::query("UPDATE sessions SET notice = $2 WHERE digest = $1")
            .bind(&session.digest)
            .bind(notice)
            .execute(self.pool())
            .await?;
        Ok(())
    }

    /// Ends a session.
    pub async fn end_session(&self, session: &Session) -> sqlx::Result<()> {
        let query = sqlx::query("DELETE FROM sessions WHERE digest = $1").bind(&session.digest);
        query.execute(self.pool()).await?;
        Ok(())
    }

    /// Ends all sessions of a user; how many there were.
    pub async fn end_sessions(&self, login: &Login) -> sqlx::Result<u64> {
        let query = sqlx::query("DELETE FROM sessions WHERE login = $1").bind(login.as_str());
        Ok(query.execute(self.pool()).await?.rows_affected())
    }

    /// How many sessions of a user aren't over.
    pub async fn count_sessions(&self, login: &Login) -> sqlx::Result<i64> {
        let query = "SELECT COUNT(*) FROM sessions WHERE login = $1 AND seen_at >= $2 \
                     AND created_at >= $3";
        sqlx::query_scalar(query)
            .bind(login.as_str())
            .bind(now() - IDLE)
            .bind(now() - LONGEST)
            .fetch_one(self.pool())
            .await
    }

    /// The Argon2 of a user's password; none, if they can't sign in or aren't known.
    pub async fn password(&self, login: &Login) -> sqlx::Result<Option<String>> {
        let query = sqlx::query_scalar("SELECT password FROM users WHERE login = $1");
        let found: Option<Option<String>> =
            query.bind(login.as_str()).fetch_optional(self.pool()).await?;
        Ok(found.flatten())
    }

    /// Sets the Argon2 of a user's password, and ends all their sessions but one; with `None` they
    /// can't sign in any more. False, if there is no such user.
    pub async fn set_password(
        &self,
        login: &Login,
        hash: Option<&str>,
        stays: Option<&Session>,
    ) -> sqlx::Result<bool> {
        let mut changes = self.begin().await?;
        let set = sqlx::query("UPDATE users SET password = $2 WHERE login = $1")
            .bind(login.as_str())
            .bind(hash)
            .execute(&mut *changes)
            .await?;
        sqlx::query("DELETE FROM sessions WHERE login = $1 AND digest <> $2")
            .bind(login.as_str())
            .bind(stays.map_or("", |session| &session.digest))
            .execute(&mut *changes)
            .await?;
        changes.commit().await?;
        Ok(set.rows_affected() > 0)
    }

    /// Sets the time zone that a user sees times in; empty: the browser's.
    pub async fn set_time_zone(&self, login: &Login, name: &str) -> sqlx::Result<()> {
        sqlx::query("UPDATE users SET time_zone = $2 WHERE login = $1")
            .bind(login.as_str())
            .bind(name)
            .execute(self.pool())
            .await?;
        Ok(())
    }
}
