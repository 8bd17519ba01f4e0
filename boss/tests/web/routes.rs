//! Who gets which answer, on each route.

use crate::client::{ALL, webs};

/// A page, and the status for each of [`ALL`].
const PAGES: [(&str, [u16; 7]); 2] =
    [("/", [303, 200, 200, 200, 200, 200, 200]), ("/none", [303, 404, 404, 404, 404, 404, 404])];

#[tokio::test(flavor = "multi_thread")]
async fn everybody_gets_their_pages() {
    for web in webs().await {
        for (path, statuses) in PAGES {
            for (who, status) in ALL.into_iter().zip(statuses) {
                let answer = web.get(who, path);
                assert_eq!(answer.status, status, "{who:?} {path}: {}", answer.text);
            }
        }
    }
}
