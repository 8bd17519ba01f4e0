//! Site variables: an empty text is a value, and what makes no sense stays in the form.

use crate::client::{Who, webs};

#[tokio::test(flavor = "multi_thread")]
async fn a_variable_is_set_emptied_and_given_back() {
    for web in webs().await {
        let name = "swap/swapout_command";
        let set = |fields: &[(&str, &str)]| {
            let all: Vec<_> = fields.iter().copied().chain([("name", name)]).collect();
            web.post(Who::Admin, "/sitevars", &all)
        };
        let value = async || {
            let all = web.site.db.sitevars().await.unwrap();
            all.into_iter().find(|one| one.name == name).unwrap().value
        };
        assert_eq!(set(&[("do", "set"), ("value", "create-swapimage")]).location(), "/sitevars");
        assert_eq!(value().await.as_deref(), Some("create-swapimage"));
        assert!(web.get(Who::Admin, "/sitevars").text.contains("is create-swapimage now"));
        // Without the field nothing is changed.
        assert_eq!(set(&[("do", "set")]).status, 400);
        assert_eq!(value().await.as_deref(), Some("create-swapimage"));
        assert_eq!(set(&[("do", "set"), ("value", "")]).status, 303);
        assert_eq!(value().await.as_deref(), Some(""));
        assert_eq!(set(&[("do", "default"), ("value", "x")]).status, 303);
        assert_eq!(value().await, None);
        for who in [Who::Leader, Who::Studly] {
            let fields = [("name", name), ("do", "set"), ("value", "x")];
            assert_eq!(web.post(who, "/sitevars", &fields).status, 403);
        }
        assert_eq!(value().await, None);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_makes_no_sense_is_told_and_stays_in_the_form() {
    for web in webs().await {
        for (name, value, why) in [
            ("swap/swapout_command_timeout", "2 <minutes>", "number of seconds"),
            ("swap/exposestatesave", "maybe", "0 or 1"),
        ] {
            let fields = [("name", name), ("do", "set"), ("value", value)];
            let answer = web.post(Who::Admin, "/sitevars", &fields);
            assert_eq!(answer.status, 400);
            assert!(answer.alert().contains(why), "{}", answer.alert());
            assert!(answer.text.contains("aria-invalid=\"true\""));
            assert!(!answer.text.contains("<minutes>"), "{}", answer.text);
        }
        let fields = [("name", "none"), ("do", "set"), ("value", "1")];
        assert_eq!(web.post(Who::Admin, "/sitevars", &fields).status, 404);
    }
}
