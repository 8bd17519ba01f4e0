//! An experiment's page.

use std::fs;

use boss::swapinfo::{Purpose, Scope};

use crate::client::{Who, webs};
use crate::support::save;

const TRIAL: &str = "/experiments/testbed/trial";

#[tokio::test(flavor = "multi_thread")]
async fn it_shows_only_what_somebody_may_do_now() {
    for web in webs().await {
        let has = |who, what: &[&str]| {
            let page = web.get(who, TRIAL).text;
            assert!(page.contains("<dt>Save state</dt><dd>Yes</dd>"), "{page}");
            what.iter().map(|what| page.contains(*what)).collect::<Vec<_>>()
        };
        let actions = ["Swap out", "trial/load", "trial/capture", "trial/prepare", "trial/edit"];
        assert_eq!(has(Who::Reader, &actions), [false; 5]);
        // To edit there is only what they may not set.
        assert_eq!(has(Who::Member, &actions), [true, true, true, true, false]);
        assert_eq!(has(Who::Studly, &actions), [true; 5]);
        for never in ["Swap in", "Remove experiment"] {
            assert_eq!(has(Who::Admin, &[never]), [false], "{never}");
        }
        assert_eq!(has(Who::Member, &["/nodes/pc1"]), [false]);
        assert_eq!(has(Who::Admin, &["/nodes/pc1"]), [true]);
        let id = web.experiment.id();
        assert!(web.site.db.set_savedisk(&id, false).await.unwrap());
        let page = web.get(Who::Reader, TRIAL).text;
        assert!(page.contains("<dt>Save state</dt><dd>No</dd>"), "{page}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn saved_disks_are_listed_also_those_of_no_use() {
    for web in webs().await {
        let swapinfo = web.site.path("proj/testbed/exp/trial/swapinfo");
        assert!(web.get(Who::Reader, TRIAL).text.contains("There are none."));
        let (all, purpose) = (Scope::All, Purpose::Save);
        web.site.swapinfo.collect(&web.experiment, all, purpose).await.unwrap();
        let image = web.site.db.images().await.unwrap().pop().unwrap();
        save(&swapinfo, "a", &image);
        let page = web.get(Who::Reader, TRIAL).text;
        for shown in ["/trial/disks/a", ">current<", ">5 B<", ">512 B<", ">testbed/BASE:0<"] {
            assert!(page.contains(shown), "{shown}: {page}");
        }
        let page = web.get(Who::Reader, &format!("{TRIAL}/disks/a")).text;
        for shown in
            ["How it was saved", ">4.1 MB<", ">1.0 MB<", ">aware(FAT32)<", ">1/&#60;b&#62;<"]
        {
            assert!(page.contains(shown), "{shown}: {page}");
        }
        fs::rename(swapinfo.join("a-swap.meta"), swapinfo.join("a-swap.meta.stale")).unwrap();
        fs::write(swapinfo.join("b-swap.meta"), "<b>").unwrap();
        let page = web.get(Who::Reader, TRIAL).text;
        assert!(page.contains(">stale<") && !page.contains("/trial/disks/a"), "{page}");
        assert!(page.contains(">can&#39;t be used<") && page.contains("damaged"), "{page}");
        save(&swapinfo, "a", &image);
        fs::write(swapinfo.join("a-swap.ndz"), "longer").unwrap();
        let page = web.get(Who::Reader, TRIAL).text;
        assert!(page.contains("a-swap.ndz has 6 bytes, and should have 5"), "{page}");
    }
}
