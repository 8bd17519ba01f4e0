//! Who says who is in a group: who leads it, of nobody who may more, and never more than they may.

use boss::access::Trust;
use boss::names::{Gid, Login, Pid};

use crate::client::{Answer, Web, Who, webs};

const MEMBERS: &str = "/people/projects/testbed/members";

fn join(web: &Web, who: Who, login: &str, gid: &str, trust: &str) -> Answer {
    web.post(who, MEMBERS, &[("login", login), ("gid", gid), ("trust", trust)])
}

fn leave(web: &Web, who: Who, login: &str, gid: &str) -> Answer {
    let path = format!("{MEMBERS}/remove");
    web.post(who, &path, &[("login", login), ("gid", gid), ("confirm", "0"), ("confirm", "1")])
}

async fn trust(web: &Web, login: &str, gid: &str) -> Option<Trust> {
    let (pid, login): (Pid, Login) = ("testbed".parse().unwrap(), login.parse().unwrap());
    let all = web.site.db.memberships(&pid).await.unwrap();
    all.into_iter().find(|one| one.login == login && one.gid.as_str() == gid).map(|one| one.trust)
}

/// Makes the member one who leads the subgroup.
async fn lead_subgroup(web: &Web) {
    let (pid, gid): (Pid, Gid) = ("testbed".parse().unwrap(), "sub".parse().unwrap());
    let login = Who::Member.login();
    web.site.db.set_membership(&login, &pid, &gid, Trust::GroupRoot).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_raises_themselves() {
    for web in webs().await {
        for (who, status) in
            [(Who::Stranger, 404), (Who::Reader, 403), (Who::Member, 403), (Who::Studly, 403)]
        {
            let login = who.login();
            for gid in ["testbed", "sub"] {
                let answer = join(&web, who, login.as_str(), gid, "project_root");
                assert_eq!(answer.status, status, "{who:?}: {}", answer.text);
                assert_eq!(leave(&web, who, "leader", gid).status, status);
            }
        }
        assert_eq!(trust(&web, "member", "testbed").await, Some(Trust::LocalRoot));
        assert_eq!(trust(&web, "leader", "testbed").await, Some(Trust::ProjectRoot));
        assert_eq!(trust(&web, "stranger", "testbed").await, None);
        lead_subgroup(&web).await;
        for gid in ["sub", "testbed"] {
            assert_eq!(join(&web, Who::Member, "member", gid, "project_root").status, 403);
        }
        assert_eq!(trust(&web, "member", "sub").await, Some(Trust::GroupRoot));
        // Fields that no page shows change nothing.
        let fields = [("admin", "1"), ("studly", "1"), ("login", "member"), ("time_zone", "")];
        assert_eq!(web.post(Who::Member, "/me/time-zone", &fields).status, 303);
        let user = web.site.db.user(&Who::Member.login()).await.unwrap().unwrap();
        assert!(!user.admin && !user.studly);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_leads_a_subgroup_leads_nothing_else() {
    for web in webs().await {
        lead_subgroup(&web).await;
        assert_eq!(join(&web, Who::Member, "reader", "sub", "group_root").status, 303);
        assert_eq!(trust(&web, "reader", "sub").await, Some(Trust::GroupRoot));
        // Who isn't in the project is brought in by who leads that.
        assert_eq!(join(&web, Who::Member, "stranger", "sub", "user").status, 403);
        assert_eq!(trust(&web, "stranger", "sub").await, None);
        assert_eq!(join(&web, Who::Member, "reader", "testbed", "user").status, 403);
        assert_eq!(leave(&web, Who::Member, "reader", "testbed").status, 403);
        // Whoever has more trust there stays as they are.
        assert_eq!(join(&web, Who::Leader, "leader", "sub", "local_root").status, 303);
        assert_eq!(join(&web, Who::Member, "leader", "sub", "user").status, 403);
        assert_eq!(leave(&web, Who::Member, "leader", "sub").status, 403);
        assert_eq!(trust(&web, "leader", "sub").await, Some(Trust::LocalRoot));
        assert_eq!(leave(&web, Who::Member, "reader", "sub").status, 303);
        assert_eq!(trust(&web, "reader", "sub").await, None);
        let page = web.get(Who::Member, "/people/projects/testbed").text;
        assert!(!page.contains("<option>project_root") && page.contains("group_root</option>"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_leads_the_project_says_who_is_in_it_but_for_its_head() {
    for web in webs().await {
        assert_eq!(join(&web, Who::Leader, "stranger", "sub", "local_root").status, 303);
        assert_eq!(trust(&web, "stranger", "testbed").await, Some(Trust::User));
        assert_eq!(web.get(Who::Stranger, "/people/projects/testbed").status, 200);
        // Out of the project is out of its groups.
        assert_eq!(leave(&web, Who::Leader, "stranger", "testbed").status, 303);
        assert_eq!(trust(&web, "stranger", "sub").await, None);
        assert_eq!(web.get(Who::Stranger, "/people/projects/testbed").status, 404);
        for who in [Who::Leader, Who::Admin] {
            assert_eq!(leave(&web, who, "mike", "testbed").status, 409);
            assert_eq!(join(&web, who, "mike", "testbed", "user").status, 409);
        }
        assert_eq!(trust(&web, "mike", "testbed").await, Some(Trust::ProjectRoot));
        for (login, gid, trust, status) in [
            ("nobody-yet", "testbed", "user", 404),
            ("member", "none", "user", 404),
            ("member", "testbed", "king", 400),
            ("No Login", "testbed", "user", 400),
        ] {
            let answer = join(&web, Who::Leader, login, gid, trust);
            assert_eq!(answer.status, status, "{}", answer.text);
            assert!(!answer.alert().is_empty());
        }
        // It has to be ticked.
        let fields = [("login", "member"), ("gid", "testbed")];
        assert_eq!(web.post(Who::Leader, &format!("{MEMBERS}/remove"), &fields).status, 400);
        assert_eq!(trust(&web, "member", "testbed").await, Some(Trust::LocalRoot));
        // Their own project gives nothing in another.
        let theirs = "/people/projects/theirs/members";
        let fields = [("login", "leader"), ("gid", "theirs"), ("trust", "user")];
        assert_eq!(web.post(Who::Leader, theirs, &fields).status, 404);
        assert_eq!(web.post(Who::Stranger, theirs, &fields).status, 303);
        let elsewhere = [("login", "stranger"), ("gid", "testbed"), ("trust", "user")];
        assert_eq!(web.post(Who::Stranger, theirs, &elsewhere).status, 404);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn members_see_their_projects_and_administrators_all() {
    for web in webs().await {
        let page = |who| web.get(who, "/people").text;
        for who in [Who::Reader, Who::Leader] {
            assert!(page(who).contains("/people/projects/testbed"));
            assert!(!page(who).contains("theirs") && !page(who).contains("/people/users"));
        }
        assert!(!page(Who::Stranger).contains("testbed"));
        let all = page(Who::Admin);
        assert!(all.contains("theirs") && all.contains("/people/users/stranger"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn administrators_add_users_projects_and_groups() {
    for web in webs().await {
        let new = [("login", "new"), ("uid", "61500"), ("full_name", "<New>"), ("studly", "1")];
        let with = |password: &'static str| {
            let fields: Vec<_> = new.into_iter().chain([("password", password)]).collect();
            web.post(Who::Admin, "/people/users", &fields)
        };
        let short = with("short");
        assert_eq!(short.status, 400);
        assert!(short.text.contains("value=\"61500\"") && !short.text.contains("value=\"short\""));
        let login: Login = "new".parse().unwrap();
        assert!(web.site.db.user(&login).await.unwrap().is_none());
        assert_eq!(with("long enough for a password").location(), "/people/users/new");
        let user = web.site.db.user(&login).await.unwrap().unwrap();
        assert!(user.studly && !user.admin);
        assert!(web.site.db.password(&login).await.unwrap().is_some());
        assert!(!web.get(Who::Admin, "/people").text.contains("<New>"));
        assert_eq!(with("long enough for a password").status, 409);
        let root = [("login", "toor"), ("uid", "0")];
        assert_eq!(web.post(Who::Admin, "/people/users", &root).status, 400);

        let project = [("pid", "fresh"), ("head", "new"), ("project_gid", "61600")];
        let answer = web.post(Who::Admin, "/people/projects", &project);
        assert_eq!(answer.location(), "/people/projects/fresh", "{}", answer.text);
        assert!(web.site.path("proj/fresh/exp").is_dir());
        let group = [("new_gid", "part"), ("unix_gid", "61601")];
        let answer = web.post(Who::Admin, "/people/projects/fresh/groups", &group);
        assert_eq!(answer.status, 303, "{}", answer.text);
        assert!(web.site.path("groups/fresh/part/exp").is_dir());
        assert_eq!(web.post(Who::Admin, "/people/projects/fresh/groups", &group).status, 409);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn flags_count_at_once_and_stay_if_a_form_lacks_them() {
    for web in webs().await {
        let path = "/people/users/member";
        assert_eq!(web.post(Who::Admin, path, &[("admin", "0"), ("admin", "1")]).status, 303);
        assert_eq!(web.get(Who::Member, "/nodes").status, 200);
        assert_eq!(web.post(Who::Admin, path, &[("studly", "1")]).status, 303);
        assert_eq!(web.get(Who::Member, "/nodes").status, 200);
        assert_eq!(web.post(Who::Admin, path, &[("admin", "0")]).status, 303);
        assert_eq!(web.get(Who::Member, "/nodes").status, 403);
        assert!(web.site.db.user(&Who::Member.login()).await.unwrap().unwrap().studly);
        // The last one would leave nobody who could undo it.
        assert_eq!(web.post(Who::Admin, "/people/users/admin", &[("admin", "0")]).status, 409);
        assert_eq!(web.get(Who::Admin, "/nodes").status, 200);
        let own = [("password", "long enough for a password")];
        assert_eq!(web.post(Who::Admin, "/people/users/admin/password", &own).status, 409);
        assert_eq!(web.post(Who::Admin, "/people/users/member/password", &own).status, 303);
        assert_eq!(web.get(Who::Member, "/me").status, 303);
        assert_eq!(web.post(Who::Admin, "/people/users/reader/sessions/end", &[]).status, 303);
        assert_eq!(web.get(Who::Reader, "/me").status, 303);
    }
}
