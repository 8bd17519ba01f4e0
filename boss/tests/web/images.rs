//! Images: who sees, reads, signs and removes which.

use std::fs;
use std::time::Duration;

use boss::access::Trust;

use crate::client::{Web, Who, webs};

const SURE: [(&str, &str); 1] = [("confirm", "1")];

/// The page, when nothing goes on any more.
async fn ended(web: &Web, who: Who, path: &str) -> String {
    let mut page = String::new();
    for _ in 0..600 {
        page = web.get(who, path).text;
        if !page.contains("going on") {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(!page.contains("going on"), "{path}: {page}");
    page
}

#[tokio::test(flavor = "multi_thread")]
async fn one_sees_ones_projects_images_and_who_uses_them() {
    for web in webs().await {
        let signature = {
            let image = web.site.db.image(&"testbed/BASE".parse().unwrap()).await.unwrap();
            web.site.db.image_signature(&image.unwrap()).await.unwrap().unwrap().sha256
        };
        for who in [Who::Reader, Who::Member, Who::Leader, Who::Admin] {
            let page = web.get(who, "/images").text;
            assert!(page.contains("testbed/BASE") && page.contains(&signature), "{page}");
            assert!(page.contains("node pc1 was loaded with it"), "{page}");
        }
        assert!(!web.get(Who::Stranger, "/images").text.contains("BASE"));
        // Of an image that is for all, others don't learn who uses it.
        let file = web.site.image_file(2);
        let description = boss::image::Description { global: true, ..crate::support::describe() };
        let id = "testbed/BASE".parse().unwrap();
        web.site.images.import(&file, &id, &description).await.unwrap();
        let image = web.site.db.image(&id).await.unwrap().unwrap();
        web.site.db.set_loaded(&"pc1".parse().unwrap(), &image).await.unwrap();
        let path = "/images/testbed/BASE/1";
        let page = web.get(Who::Stranger, path).text;
        assert!(page.contains("that you may not know of"), "{page}");
        assert!(!page.contains("pc1") && !page.contains("trial") && !page.contains("/remove"));
        assert!(web.get(Who::Reader, path).text.contains("node pc1"));
        assert_eq!(web.get(Who::Stranger, "/images/testbed/BASE/0").status, 404);
        for action in ["verify", "sign", "remove"] {
            assert_eq!(web.post(Who::Stranger, &format!("{path}/{action}"), &SURE).status, 403);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_is_read_and_what_is_found_is_told() {
    for web in webs().await {
        let path = "/images/testbed/BASE/0";
        let verify = format!("{path}/verify");
        assert_eq!(web.post(Who::Reader, &verify, &[]).status, 403);
        assert_eq!(web.post(Who::Member, &verify, &[]).location(), path);
        let page = ended(&web, Who::Member, path).await;
        assert!(page.contains("are what they were"), "{page}");
        assert!(!web.get(Who::Reader, path).text.contains("are what they were"));
        let over = web.get(Who::Member, &format!("{path}/over"));
        assert!(over.text.contains("event: over"), "{}", over.text);
        let file = web.site.path("proj/testbed/images/BASE.ndz");
        let mut bytes = fs::read(&file).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        fs::write(&file, bytes).unwrap();
        web.post(Who::Member, &verify, &[]);
        let page = ended(&web, Who::Member, path).await;
        assert!(page.contains("has changed") && page.contains("stale"), "{page}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_made_an_image_or_leads_its_group_signs_and_removes_it() {
    for web in webs().await {
        let db = &web.site.db;
        let description =
            boss::image::Description { creator: Who::Studly.login(), ..crate::support::describe() };
        let file = web.site.image_file(3);
        for number in 0..4 {
            let id = format!("testbed/I{number}").parse().unwrap();
            web.site.images.import(&file, &id, &description).await.unwrap();
        }
        let of_sub = boss::image::Description { gid: "sub".parse().unwrap(), ..description };
        web.site.images.import(&file, &"testbed/S0".parse().unwrap(), &of_sub).await.unwrap();
        let path = |name: &str, action: &str| format!("/images/testbed/{name}/0/{action}");
        // Of a crash in between: the signature is gone.
        fs::remove_file(web.site.path("proj/testbed/images/sigs/I0.ndz.sig")).unwrap();
        let page = web.get(Who::Member, "/images").text;
        assert!(page.contains("can't be saved") && !page.contains("Sign it"), "{page}");
        assert!(web.get(Who::Studly, "/images").text.contains("Sign it"));
        assert_eq!(web.post(Who::Member, &path("I0", "sign"), &[]).status, 403);
        assert_eq!(web.post(Who::Studly, &path("I0", "sign"), &[]).status, 303);
        let page = ended(&web, Who::Studly, "/images/testbed/I0/0").await;
        assert!(page.contains("has a signature"), "{page}");

        assert_eq!(web.post(Who::Studly, &path("I0", "remove"), &[]).status, 400);
        for who in [Who::Reader, Who::Member] {
            assert_eq!(web.post(who, &path("I0", "remove"), &SURE).status, 403, "{who:?}");
        }
        for (who, name) in [(Who::Studly, "I0"), (Who::Leader, "I1"), (Who::Admin, "I2")] {
            let answer = web.post(who, &path(name, "remove"), &SURE);
            assert_eq!(answer.location(), "/images", "{who:?}: {}", answer.text);
            assert!(db.image(&format!("testbed/{name}").parse().unwrap()).await.unwrap().is_none());
        }
        // Who leads a subgroup has the subgroup's, and who made one has none without a project.
        let (pid, gid) = ("testbed".parse().unwrap(), "sub".parse().unwrap());
        let login = Who::Member.login();
        db.set_membership(&login, &pid, &gid, Trust::GroupRoot).await.unwrap();
        assert_eq!(web.post(Who::Member, &path("I3", "remove"), &SURE).status, 403);
        assert_eq!(web.post(Who::Member, &path("S0", "remove"), &SURE).status, 303);
        let own = "testbed".parse().unwrap();
        db.remove_membership(&Who::Studly.login(), &pid, &own).await.unwrap();
        assert_eq!(web.post(Who::Studly, &path("I3", "remove"), &SURE).status, 404);
        let needed = web.post(Who::Leader, "/images/testbed/BASE/0/remove", &SURE);
        assert_eq!(needed.status, 409);
        assert!(needed.alert().contains("node pc1"), "{}", needed.alert());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_imported_in_the_background() {
    for web in webs().await {
        let file = web.site.image_file(4);
        let file = file.to_str().unwrap();
        let import = |more: &[(&str, &str)]| {
            let base = [("pid", "testbed"), ("name", "IN+1"), ("file", file), ("partition", "2")];
            let all: Vec<_> = base.into_iter().chain(more.iter().copied()).collect();
            web.post(Who::Admin, "/images/import", &all)
        };
        let begun = import(&[]);
        assert_eq!(begun.status, 303, "{}", begun.text);
        let page = ended(&web, Who::Admin, begun.location()).await;
        assert!(page.contains("testbed/IN+1:0 is there, with its signature"), "{page}");
        let image = web.site.db.image(&"testbed/IN+1".parse().unwrap()).await.unwrap().unwrap();
        assert_eq!((image.load_partition, image.creator.as_str()), (2, "mike"));
        for (more, status) in [
            (("file", "relative"), 400),
            (("pid", "none"), 404),
            (("gid", "none"), 404),
            (("name", "../x"), 400),
            (("partition", "300"), 400),
        ] {
            let answer = import(&[more]);
            assert_eq!(answer.status, status, "{more:?}: {}", answer.text);
            assert!(!answer.alert().is_empty());
        }
        let bad = import(&[("file", "/proc/self/maps")]);
        let page = ended(&web, Who::Admin, bad.location()).await;
        assert!(page.contains("class=\"notice bad\""), "{page}");
    }
}
