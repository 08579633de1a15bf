//! Who may POST a callback.

use std::net::IpAddr;

use routee_viber::{CALLBACK_HOST, SenderAllowlist};

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn list(addresses: &[&str]) -> SenderAllowlist {
    addresses.iter().map(|text| address(text)).collect()
}

#[test]
fn an_empty_list_allows_no_one() {
    for anybody in ["127.0.0.1", "::1", "0.0.0.0"] {
        assert!(!SenderAllowlist::default().contains(address(anybody)));
        assert!(!list(&[]).contains(address(anybody)));
    }
    assert!(list(&[]).is_empty());
}

#[test]
fn a_mapped_address_equals_the_plain_one() {
    for listed in ["192.0.2.7", "::ffff:192.0.2.7"] {
        let list = list(&[listed, "2001:db8::7"]);
        for (peer, expected) in [
            ("192.0.2.7", true),
            ("::ffff:192.0.2.7", true),
            ("2001:db8::7", true),
            ("192.0.2.8", false),
            ("::ffff:192.0.2.8", false),
            ("::192.0.2.7", false),
            ("2001:db8::8", false),
        ] {
            assert_eq!(list.contains(address(peer)), expected, "{peer} in {listed}");
        }
    }
    assert_eq!(list(&["192.0.2.7", "::ffff:192.0.2.7"]).len(), 1);
}

#[test]
fn a_list_can_be_saved_and_united() {
    let mut united = list(&["192.0.2.7", "192.0.2.8"]);
    let saved: Vec<String> = united.iter().map(|address| address.to_string()).collect();
    let restored: SenderAllowlist = saved.iter().map(|text| address(text)).collect();
    assert_eq!((restored.len(), &restored), (2, &united));
    united.extend(list(&["192.0.2.8", "2001:db8::7"]).iter());
    assert_eq!(united, list(&["192.0.2.7", "192.0.2.8", "2001:db8::7"]));
    assert!(!united.is_empty());
}

#[test]
fn a_list_is_resolved_from_a_host() {
    assert_eq!(SenderAllowlist::resolve_host("127.0.0.1").unwrap(), list(&["127.0.0.1"]));
    let local = SenderAllowlist::resolve_host("localhost").unwrap();
    assert!(local.contains(address("127.0.0.1")) || local.contains(address("::1")));
    assert!(SenderAllowlist::resolve_host("no such host").is_err());
    assert_eq!(CALLBACK_HOST, "callbacksallow.routee.net");
}
