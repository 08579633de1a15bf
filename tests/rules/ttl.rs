//! The TTL: both sides of every bound, and every way in.

use std::time::Duration;

use chrono::TimeDelta;
use routee_viber::{Ttl, TtlError};
use serde_json::{Value, json};

const RANGE: &str = "is outside 30 to 86400 s (or exactly 1209600 s, the default)";

#[test]
fn the_bounds_are_the_documented_ones() {
    assert_eq!([Ttl::MIN, Ttl::MAX, Ttl::WEB_MIN, Ttl::DEFAULT].map(Ttl::as_secs), [30, 86_400, 300, 1_209_600]);
    assert_eq!((Ttl::default(), Ttl::DEFAULT.is_default(), Ttl::MAX.is_default()), (Ttl::DEFAULT, true, false));
    assert!(Ttl::MIN < Ttl::WEB_MIN && Ttl::MAX < Ttl::DEFAULT);
    const HOUR: Duration = match Ttl::from_secs(3600) {
        Ok(ttl) => ttl.as_duration(),
        Err(_) => Duration::ZERO,
    };
    assert_eq!(HOUR, Duration::from_secs(3600));
}

#[test]
fn every_way_in_takes_the_same_values() {
    for seconds in [30, 31, 3600, 86_399, 86_400, 1_209_600_u32] {
        let ttl = Ttl::from_secs(seconds).unwrap();
        assert_eq!(u32::from(ttl), seconds);
        assert_eq!((ttl.as_duration(), Duration::from(ttl)), (Duration::from_secs(seconds.into()), ttl.as_duration()));
        assert_eq!((Ttl::try_from(seconds), Ttl::try_from(u64::from(seconds))), (Ok(ttl), Ok(ttl)));
        assert_eq!(
            (Ttl::try_from(ttl.as_duration()), Ttl::try_from(TimeDelta::seconds(seconds.into()))),
            (Ok(ttl), Ok(ttl))
        );
        assert_eq!((ttl.to_string(), json!(ttl)), (seconds.to_string(), json!(seconds)));
        for text in [seconds.to_string(), format!("{seconds}.0"), format!("{seconds}.000")] {
            assert_eq!(text.parse::<Ttl>(), Ok(ttl), "{text}");
            assert_eq!(serde_json::from_value::<Ttl>(json!(text)).unwrap(), ttl, "{text}");
            assert_eq!(serde_json::from_str::<Ttl>(&text).is_ok(), !text.ends_with("000") || seconds > 0);
        }
    }
    for seconds in [0, 1, 29, 86_401, 1_209_599, 1_209_601, u32::MAX] {
        let errors = [
            Ttl::from_secs(seconds).unwrap_err(),
            Ttl::try_from(seconds).unwrap_err(),
            Ttl::try_from(u64::from(seconds)).unwrap_err(),
            Ttl::try_from(Duration::from_secs(seconds.into())).unwrap_err(),
            Ttl::try_from(TimeDelta::seconds(seconds.into())).unwrap_err(),
            seconds.to_string().parse::<Ttl>().unwrap_err(),
        ];
        for error in errors {
            assert_eq!(error.to_string(), format!("a TTL of {seconds} s {RANGE}"));
            assert_eq!(error.seconds(), Some(seconds.into()));
        }
        let error = serde_json::from_value::<Ttl>(json!(seconds)).unwrap_err();
        assert_eq!(error.to_string(), format!("a TTL of {seconds} s {RANGE}"));
    }
}

#[test]
fn what_is_no_whole_number_of_seconds_is_no_ttl() {
    let message = "a TTL is a whole number of seconds, 30 to 86400 (or exactly 1209600, the default)";
    for text in ["", "x", "30.5", " 3600", "+3600", "03600", "29.9999999999999999999"] {
        let error: TtlError = text.parse::<Ttl>().unwrap_err();
        assert_eq!((error.to_string().as_str(), error.seconds()), (message, None), "{text}");
        assert_eq!(serde_json::from_value::<Ttl>(json!(text)).unwrap_err().to_string(), message, "{text}");
    }
    for json in [json!(30.5), json!(null), json!(true), json!([3600]), json!({"a": 3600})] {
        let error = serde_json::from_value::<Ttl>(json.clone()).unwrap_err().to_string();
        assert_eq!(error, message, "{json}");
    }
    assert_eq!(Ttl::try_from(Duration::from_millis(30_500)).map_err(|error| error.seconds()), Err(None));
    assert_eq!(Ttl::try_from(TimeDelta::milliseconds(30_500)).map_err(|error| error.seconds()), Err(None));
    assert_eq!(Ttl::try_from(TimeDelta::seconds(-30)).map_err(|error| error.seconds()), Err(Some(-30)));
    assert_eq!(Ttl::try_from(u64::MAX).map_err(|error| error.seconds()), Err(Some(u64::MAX.into())));
}

#[test]
fn web_clients_take_300_seconds_at_the_least() {
    for (seconds, expected) in [(30, false), (299, false), (300, true), (86_400, true), (1_209_600, true)] {
        let ttl = Ttl::from_secs(seconds).unwrap();
        let for_web = ttl.for_web().map_err(|error| error.to_string());
        let message = format!("a TTL of {seconds} s is outside 300 to 86400 s, the range for web clients");
        assert_eq!(for_web, if expected { Ok(ttl) } else { Err(message) });
    }
}

#[test]
fn a_request_leaves_the_default_out() {
    #[derive(serde::Serialize)]
    struct Request {
        #[serde(skip_serializing_if = "Ttl::is_default")]
        ttl: Ttl,
    }
    let json = |ttl| serde_json::to_value(Request { ttl }).unwrap();
    assert_eq!((json(Ttl::default()), json(Ttl::MIN)), (json!({}), json!({"ttl": 30})));
    assert_eq!(serde_json::from_str::<Value>("{}").unwrap(), json(Ttl::DEFAULT));
}
