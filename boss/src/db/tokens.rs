//! Tokens, by which users of the REST interface are known.

use sqlx::FromRow;

use super::{Database, now};
use crate::boot::{Digest, Key};
use crate::db::people::User;
use crate::names::Login;

/// What is known of a token.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub struct Token {
    /// The beginning of its digest: enough to name it among a user's, and nobody can use it.
    pub id: String,
    /// What it is for.
    pub note: String,
    /// When it was made.
    pub created_at: i64,
    /// Until when it counts; for ever, if that isn't known.
    pub expires_at: Option<i64>,
}

impl Database {
    /// Notes that who has this key is the user, until the given time.
    pub async fn add_token(
        &self,
        key: &Key,
        login: &Login,
        expires_at: Option<i64>,
        note: &str,
    ) -> sqlx::Result<()> {
        sqlx::query(
            "INSERT INTO tokens (digest, login, created_at, expires_at, note) \
             VALUES ($1, $2, $3, $4, $5)",
        )
        .bind(key.digest().to_hex())
        .bind(login.as_str())
        .bind(now())
        .bind(expires_at)
        .bind(note)
        .execute(self.pool())
        .await?;
        Ok(())
    }

    /// Who presents a token; nobody, if it isn't one or has expired.
    pub async fn user_of_token(&self, presented: &str) -> sqlx::Result<Option<User>> {
        sqlx::query_as(
            "SELECT u.* FROM tokens t JOIN users u ON u.login = t.login \
             WHERE t.digest = $1 AND (t.expires_at IS NULL OR t.expires_at > $2)",
        )
        .bind(Digest::of(presented).to_hex())
        .bind(now())
        .fetch_optional(self.pool())
        .await
    }

    /// The tokens of a user, the latest first; also those that have expired.
    pub async fn tokens(&self, login: &Login) -> sqlx::Result<Vec<Token>> {
        sqlx::query_as(
            "SELECT substr(digest, 1, 12) AS id, note, created_at, expires_at FROM tokens \
             WHERE login = $1 ORDER BY created_at DESC, digest",
        )
        .bind(login.as_str())
        .fetch_all(self.pool())
        .await
    }

    /// Forgets one token of a user; false if they have none of this id.
    pub async fn revoke_token(&self, login: &Login, id: &str) -> sqlx::Result<bool> {
        let query = "DELETE FROM tokens WHERE login = $1 AND substr(digest, 1, 12) = $2";
        let done = sqlx::query(query).bind(login.as_str()).bind(id).execute(self.pool()).await?;
        Ok(done.rows_affected() > 0)
    }

    /// Forgets all tokens of a user; how many there were.
    pub async fn revoke_tokens(&self, login: &Login) -> sqlx::Result<u64> {
        let query = sqlx::query("DELETE FROM tokens WHERE login = $1").bind(login.as_str());
        Ok(query.execute(self.pool()).await?.rows_affected())
    }
}
