//! Site variables.

use sqlx::FromRow;

use super::Database;

/// A site variable.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub struct Sitevar {
    /// Such as `swap/swapout_command`.
    pub name: String,
    /// What was set; an empty text is a value.
    pub value: Option<String>,
    /// What counts if nothing is set.
    pub default_value: String,
    /// What it is for.
    pub description: String,
}

impl Sitevar {
    /// What counts.
    pub fn effective(&self) -> &str {
        self.value.as_deref().unwrap_or(&self.default_value)
    }
}

impl Database {
    /// All of them.
    pub async fn sitevars(&self) -> sqlx::Result<Vec<Sitevar>> {
        sqlx::query_as("SELECT * FROM sitevars ORDER BY name").fetch_all(self.pool()).await
    }

    /// What counts for `name`; `None` if there is no such variable.
    pub async fn sitevar(&self, name: &str) -> sqlx::Result<Option<String>> {
        let query = sqlx::query_as("SELECT * FROM sitevars WHERE name = $1").bind(name);
        let variable: Option<Sitevar> = query.fetch_optional(self.pool()).await?;
        Ok(variable.map(|variable| variable.effective().to_owned()))
    }

    /// Sets a variable, or has the default count again; false if there is no such variable.
    pub async fn set_sitevar(&self, name: &str, value: Option<&str>) -> sqlx::Result<bool> {
        let query = sqlx::query("UPDATE sitevars SET value = $2 WHERE name = $1");
        let done = query.bind(name).bind(value).execute(self.pool()).await?;
        Ok(done.rows_affected() == 1)
    }
}
