//! Prints a callback for a person.
//!
//! `cargo run --example inspect` takes a bundled sample; a path after `--` takes that file, and `-`
//! standard input.

use std::error::Error;
use std::io::{self, Read, Write};
use std::process::ExitCode;
use std::{env, fs};

use chrono::{DateTime, Utc};
use routee_viber::{Counting, Extra, RetryPlan, StatusName, ViberCallback};

const SAMPLE: &[u8] = include_bytes!("../tests/fixtures/documented-shape.json");

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "cannot inspect the callback: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Box<dyn Error>> {
    let body = match env::args().nth(1).as_deref() {
        None => SAMPLE.to_vec(),
        Some("-") => {
            let mut body = Vec::new();
            io::stdin().read_to_end(&mut body)?;
            body
        }
        Some(path) => fs::read(path).map_err(|error| format!("{path}: {error}"))?,
    };
    let callback = ViberCallback::from_slice(&body)?;
    print(&callback, &mut io::stdout().lock())?;
    Ok(())
}

fn print(callback: &ViberCallback, out: &mut impl Write) -> io::Result<()> {
    let status = &callback.status;
    line(out, "message", Some(text(&callback.tracking_id)))?;
    line(out, "campaign", callback.campaign_tracking_id.as_deref().map(text))?;
    line(out, "from", callback.from.as_deref().map(text))?;
    line(out, "to", callback.to.as_deref().map(text))?;
    let name = text(status.name.as_str());
    line(out, "status", Some(format!("{name}: {}", meaning(&status.name))))?;
    line(out, "stage", status.name.stage().map(|stage| format!("{stage:?}")))?;
    if let Some(reason) = &status.reason {
        line(out, "reason", reason.detailed_status.as_ref().map(|detailed| text(detailed.as_str())))?;
        line(out, "in words", reason.description.as_deref().map(text))?;
    }
    line(out, "updated", status.updated_date.map(time))?;
    line(out, "created", callback.created_at.map(time))?;
    line(out, "TTL", callback.ttl.map(|ttl| format!("{ttl} s")))?;
    line(out, "expires", callback.expires_at().map(time))?;
    line(out, "price", callback.price.map(|price| price.to_string()))?;
    if let Some(body) = &callback.body {
        line(out, "text", body.text.as_deref().map(text))?;
        line(out, "picture", body.image_url.as_deref().map(text))?;
        if let Some(action) = &body.viber_action {
            line(out, "button", pair(action.caption.as_deref(), action.target_url.as_deref()))?;
        }
        if let Some(file) = &body.viber_file {
            line(out, "file", pair(file.file_name.as_deref(), file.file_url.as_deref()))?;
        }
        if let Some(video) = &body.viber_video {
            line(out, "video", video.video_url.as_deref().map(text))?;
        }
    }
    line(out, "key", Some(text(&callback.idempotency_key())))?;

    section(out, "kept in `extra`", extras(callback))?;
    section(out, "anomalies", callback.anomalies().iter().map(ToString::to_string))?;

    let Some(first) = status.updated_date.or(callback.created_at) else {
        return writeln!(out, "\nno retry times: the callback has no readable date to count from");
    };
    writeln!(out, "\nexpected if it is not answered, where the first attempt was at {}", time(first))?;
    writeln!(out, "  retry  delays from the first attempt  delays from the attempt before")?;
    let plan = RetryPlan::new(first);
    let other = plan.counting(Counting::FromPreviousAttempt);
    for ((number, at), other) in (1..).zip(plan.times()).zip(other.times()) {
        writeln!(out, "  {number:>5}  {:<30}  {}", time(at), time(other))?;
    }
    Ok(())
}

/// What a status means, in the words of Routee's page `docs/viber-messaging-statuses`.
fn meaning(name: &StatusName) -> &'static str {
    match name {
        StatusName::Queued => "could not be delivered; being resent",
        StatusName::Delivered => "delivered",
        StatusName::Seen => "delivered and read by the recipient",
        StatusName::Undelivered => "cannot be delivered",
        StatusName::Expired => "could not be delivered within its time span",
        StatusName::Failed => "not accepted by the platform",
        StatusName::Unsent => "not sent: insufficient balance",
        _ => "a name that is not documented",
    }
}

/// What stayed in `extra`, one line an entry with its path.
fn extras(callback: &ViberCallback) -> Vec<String> {
    let status = &callback.status;
    let mut objects: Vec<(&str, &Extra)> = vec![("", &callback.extra), ("status.", &status.extra)];
    objects.extend(status.reason.iter().map(|reason| ("status.reason.", &reason.extra)));
    if let Some(body) = &callback.body {
        objects.push(("body.", &body.extra));
        objects.extend(body.viber_action.iter().map(|action| ("body.viberAction.", &action.extra)));
        objects.extend(body.viber_file.iter().map(|file| ("body.viberFile.", &file.extra)));
        objects.extend(body.viber_video.iter().map(|video| ("body.viberVideo.", &video.extra)));
    }
    let entries = objects.into_iter().flat_map(|(object, extra)| extra.iter().map(move |entry| (object, entry)));
    entries.map(|(object, (key, value))| format!("{object}{}: {}", text(key), text(&value.to_string()))).collect()
}

fn line(out: &mut impl Write, name: &str, value: Option<String>) -> io::Result<()> {
    value.map_or(Ok(()), |value| writeln!(out, "{name:<9} {value}"))
}

fn section(out: &mut impl Write, title: &str, lines: impl IntoIterator<Item = String>) -> io::Result<()> {
    let mut lines = lines.into_iter().peekable();
    if lines.peek().is_none() {
        return writeln!(out, "\n{title}: none");
    }
    writeln!(out, "\n{title}")?;
    lines.try_for_each(|line| writeln!(out, "  {line}"))
}

fn pair(name: Option<&str>, url: Option<&str>) -> Option<String> {
    let parts: Vec<_> = [name, url].into_iter().flatten().map(text).collect();
    (!parts.is_empty()).then(|| parts.join(" -> "))
}

fn time(at: DateTime<Utc>) -> String {
    at.to_string()
}

/// Text from outside, without what could move the cursor of a terminal.
fn text(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { c.escape_debug().to_string() } else { c.to_string() }).collect()
}
