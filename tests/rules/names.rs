//! The open enums: every name that is known, and every other as it was sent.

use std::collections::HashSet;
use std::fmt::{Debug, Display};
use std::hash::Hash;
use std::str::FromStr;

use routee_viber::{Channel, DetailedStatus, Direction, FailoverStatus, OriginatingService, StatusName};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;

fn check<T>(known: &[T], names: &[&str])
where
    T: Debug + Display + Clone + Ord + Hash + AsRef<str> + FromStr<Err: Debug> + Serialize + DeserializeOwned + 'static,
    T: From<String> + for<'a> From<&'a str> + PartialEq<str> + for<'a> PartialEq<&'a str> + PartialEq<String>,
{
    assert_eq!(known.iter().map(AsRef::as_ref).collect::<Vec<&str>>(), names);
    for (name, text) in known.iter().zip(names) {
        let parted: String = text.chars().zip("_- ".chars().cycle()).flat_map(<[char; 2]>::from).collect();
        let spellings = [
            text.to_string(),
            text.to_uppercase(),
            text.to_lowercase(),
            text.replace(' ', "_"),
            format!("-{text} "),
            parted,
        ];
        let names: HashSet<_> = spellings.iter().map(|spelling| T::from(spelling.as_str())).collect();
        assert_eq!(names, HashSet::from([name.clone()]));
        for spelling in spellings {
            assert_eq!(&T::from(spelling.as_str()), name, "{spelling}");
            assert_eq!(&spelling.parse::<T>().unwrap(), name);
            assert_eq!(&serde_json::from_value::<T>(json!(spelling)).unwrap(), name);
            assert_eq!(&T::from(spelling), name);
        }
        assert_eq!((name.to_string().as_str(), json!(name)), (*text, json!(text)));
        assert!(*name == **text && name == text && *name != *"" && name.clone() == *name);
        let with_more = format!("{text}!");
        let other = T::from(with_more.as_str());
        assert_eq!((other.as_ref(), &other == name), (with_more.as_str(), false));
    }
    for text in ["Sent", "not  known", "", " ", "a\n", "Σ"] {
        let other = T::from(text);
        assert_eq!((other.as_ref(), other.to_string().as_str(), json!(other)), (text, text, json!(text)));
        assert!(!known.contains(&other) && other == text);
        let owned = text.to_owned();
        assert!(other == owned);
        let upper = T::from(text.to_uppercase());
        assert_eq!(upper == other, text.to_uppercase() == text, "{text}");
    }
    let set: HashSet<_> = known.iter().cloned().chain(known.iter().cloned()).collect();
    assert_eq!(set.len(), known.len());
    for json in [json!(null), json!([]), json!({}), json!(5), json!(1.5)] {
        assert!(serde_json::from_value::<T>(json).is_err());
    }
}

#[test]
fn every_open_enum_knows_its_names_and_keeps_any_other() {
    let names = ["QUEUED", "DELIVERED", "SEEN", "UNDELIVERED", "EXPIRED", "FAILED", "UNSENT"];
    check(StatusName::KNOWN, &names);
    let names = [
        "Not Viber User",
        "Opted Out",
        "System Failure",
        "Message Rejected",
        "Timed Out",
        "Unsupported Equipment",
        "TTL Expired",
        "Delivered",
    ];
    check(DetailedStatus::KNOWN, &names);
    check(Direction::KNOWN, &["Outbound", "Inbound"]);
    check(OriginatingService::KNOWN, &["Viber", "Sms", "Failover"]);
    check(Channel::KNOWN, &["Viber", "Sms", "Voice"]);
    check(FailoverStatus::KNOWN, &["Queued", "InProgress", "Succeeded", "Failed"]);
    assert_eq!(StatusName::from("sent").as_str(), "sent");
    assert_eq!(FailoverStatus::from("in progress"), FailoverStatus::InProgress);
}

#[test]
fn names_are_shown_padded_and_sorted_as_texts() {
    assert_eq!(format!("{:>6}|{:<6}|", StatusName::Seen, Direction::from("x")), "  SEEN|x     |");
    assert_eq!(format!("{:?}", [StatusName::Seen, StatusName::from("x")]), r#"[Seen, Other("x")]"#);
    let mut names = ["zzz", "seen", "aaa", "QUEUED"].map(StatusName::from);
    names.sort();
    assert_eq!(names, ["QUEUED", "SEEN", "aaa", "zzz"]);
}
