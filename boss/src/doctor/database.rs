//! The data base.

use std::path::Path;

use super::Findings;
use crate::config::Config;
use crate::db::Database;

const CHECK: &str = "database";

/// Opens it, which brings its tables up to date.
pub(super) async fn examine(findings: &mut Findings, config: &Config) -> Option<Database> {
    let file = config.database.strip_prefix("sqlite:");
    let file = file.map(|path| path.strip_prefix("//").unwrap_or(path));
    let file = file.map(|path| Path::new(path.split('?').next().unwrap_or(path)));
    if let Some(file) = file.filter(|file| !file.exists()) {
        // A doctor makes no data base.
        let what = format!("there is no {} yet", file.display());
        findings.warning(CHECK, what, "boss user add, as any other command, makes it");
        return None;
    }
    match Database::open(&config.database).await {
        Ok(db) => {
            findings.ok(CHECK, "it answers, and its tables are up to date");
            Some(db)
        }
        Err(error) => {
            let advice = "database in the configuration must name one that answers, of this boss \
                          or an older one";
            findings.error(CHECK, format_args!("{error:#}"), advice);
            None
        }
    }
}
