//! Prints what Routee said about Viber messages, for a person: `cargo run --example inspect -- --help`.

#![allow(clippy::indexing_slicing, reason = "each range is one that was found in the same input")]
#![allow(clippy::naive_bytecount, reason = "it is no reason for a dependency")]

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt::Display;
use std::io::{self, IsTerminal, Read, Write};
use std::ops::Range;
use std::process::ExitCode;
use std::{env, fs, iter, mem};

use chrono::{DateTime, Utc};
use routee_viber::{
    Anomaly, Body, BodyKind, CallbackError, Channel, Counting, FailoverCallback, FailoverStep, InboundMessage,
    Incoming, RetryPlan, Status, StatusName, TrackedMessage, TrackingPage, ViberCallback, samples,
};
use serde::Serialize;
use serde::de::IgnoredAny;
use serde_json::{Deserializer, Value};

const HELP: &str = "\
Prints the bodies that Routee POSTs about Viber messages in readable form.

Usage: cargo run --example inspect -- [--retries] [FILE]...

  FILE        one body, a JSON list of bodies, or one body per line; `-` is standard input
  --retries   also print when Routee is expected to send each body again if it is not answered with 200
  -h, --help  print this help

A body is a status callback, a reply, a failover callback, or an answer of the tracking API. Any other JSON object is
shown entry by entry. Without a FILE, standard input is read if something is piped in. Otherwise you see a bundled
sample. The exit code is 1 if anything could not be read.
";

/// Longer lines are shortened to this many columns.
const LINE: usize = 100;

fn main() -> ExitCode {
    match run() {
        Ok(code) => code,
        // Whoever read the output, such as `head`, has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => complain(&format!("cannot print: {error}")),
    }
}

/// Fails only if standard output does.
fn run() -> io::Result<ExitCode> {
    let mut retries = false;
    let mut files = Vec::new();
    for argument in env::args_os().skip(1) {
        match argument.to_str() {
            Some("-h" | "--help") => return io::stdout().write_all(HELP.as_bytes()).map(|()| ExitCode::SUCCESS),
            Some("--retries") => retries = true,
            Some(option) if option.starts_with('-') && option != "-" => {
                return Ok(complain(&format!("unknown option `{option}`, see --help")));
            }
            _ => files.push(argument),
        }
    }

    let mut inspector = Inspector { out: io::stdout().lock(), retries, is_first: true, code: ExitCode::SUCCESS };
    if files.is_empty() {
        match piped_in() {
            Ok(input) if input.is_empty() => {
                writeln!(inspector.out, "No file is named and nothing is piped in, so this is a bundled sample")?;
                writeln!(inspector.out, "(routee_viber::samples::STATUS). Its values are made up.\n")?;
                inspector.inspect("sample", samples::STATUS.as_bytes())?;
            }
            input => inspector.inspect_read("standard input", input)?,
        }
    }
    for file in files {
        if file == "-" {
            inspector.inspect_read("standard input", standard_input())?;
        } else {
            inspector.inspect_read(&file.to_string_lossy(), fs::read(&file))?;
        }
    }
    Ok(inspector.code)
}

/// What is piped in; empty at a terminal, and under a job runner that has no input to give.
fn piped_in() -> io::Result<Vec<u8>> {
    if io::stdin().is_terminal() { Ok(Vec::new()) } else { standard_input() }
}

fn standard_input() -> io::Result<Vec<u8>> {
    let mut input = Vec::new();
    io::stdin().read_to_end(&mut input)?;
    Ok(input)
}

fn complain(message: &str) -> ExitCode {
    // If standard error is gone too, the exit code has to do.
    let _ = writeln!(io::stderr(), "{}", harmless(message));
    ExitCode::FAILURE
}

struct Inspector<W> {
    out: W,
    retries: bool,
    is_first: bool,
    code: ExitCode,
}

impl<W: Write> Inspector<W> {
    fn inspect_read(&mut self, name: &str, input: io::Result<Vec<u8>>) -> io::Result<()> {
        match input {
            Ok(input) => self.inspect(name, &input)?,
            Err(error) => self.cannot_inspect(name, &error),
        }
        Ok(())
    }

    /// Prints each body of an input.
    fn inspect(&mut self, name: &str, input: &[u8]) -> io::Result<()> {
        let input = input.strip_prefix(b"\xef\xbb\xbf").unwrap_or(input);
        let bodies = bodies(input);
        if bodies.is_empty() {
            self.cannot_inspect(name, &"there is no body in it");
        }
        let (mut counted, mut line) = (0, 1);
        for (place, body) in bodies.iter().enumerate() {
            line += input[counted..body.start].iter().filter(|byte| **byte == b'\n').count();
            counted = body.start;
            let name = match bodies.len() {
                1 => name.to_owned(),
                _ => format!("{name}, body {} (line {line})", place + 1),
            };
            match report(&name, &input[body.clone()], self.retries) {
                Ok(report) => self.print(&name, &report)?,
                Err(error) => {
                    // Read again where it stands, so that the error has the line and the column of the input.
                    let column = input[..body.start].iter().rev().take_while(|byte| **byte != b'\n').count();
                    let before = ["\n".repeat(line - 1), " ".repeat(column)].concat();
                    let again = Incoming::from_slice(&[before.as_bytes(), &input[body.clone()]].concat());
                    self.cannot_inspect(&name, &again.err().unwrap_or(error));
                }
            }
        }
        Ok(())
    }

    fn print(&mut self, name: &str, report: &Report) -> io::Result<()> {
        let before = if self.is_first { "" } else { "\n" };
        self.is_first = false;
        write!(self.out, "{before}{}", report.text)?;
        for error in &report.errors {
            self.cannot_inspect(name, error);
        }
        Ok(())
    }

    fn cannot_inspect(&mut self, name: &str, error: &dyn Display) {
        self.code = complain(&format!("cannot inspect {name}: {error}"));
    }
}

/// Where each body of an input stands: JSON values one after the other, those of a list one by one, or else lines, so
/// that a broken line does not cost the others. Anything else is one body, whose error says what is wrong.
fn bodies(input: &[u8]) -> Vec<Range<usize>> {
    if let Some(values) = values(input) {
        return values;
    }
    let is_whole = |line: &[u8]| line.starts_with(b"{") && serde_json::from_slice::<IgnoredAny>(line).is_ok();
    if !input.split(|byte| *byte == b'\n').any(is_whole) {
        return iter::once(0..input.len()).collect();
    }
    let mut start = 0;
    let lines = input.split(|byte| *byte == b'\n').map(|line| {
        let end = start + line.len();
        mem::replace(&mut start, end + 1)..end
    });
    lines.filter(|line| !input[line.clone()].trim_ascii().is_empty()).collect()
}

/// Where each value stands, if the input is nothing but JSON values.
fn values(input: &[u8]) -> Option<Vec<Range<usize>>> {
    let mut values = Vec::new();
    let mut end = 0;
    while let Some(value) = next_value(input, end) {
        let value = value.ok()?;
        end = value.end;
        if input[value.start] == b'[' {
            values.extend(items(&input[..end], value.start));
        } else {
            values.push(value);
        }
    }
    Some(values)
}

/// Where each item of a list stands that starts there and ends with the input.
fn items(input: &[u8], start: usize) -> impl Iterator<Item = Range<usize>> {
    let mut bracket_or_comma = start;
    iter::from_fn(move || {
        let item = next_value(input, bracket_or_comma + 1)?.ok()?;
        bracket_or_comma = input.len() - input[item.end..].trim_ascii_start().len();
        Some(item)
    })
}

fn next_value(input: &[u8], start: usize) -> Option<serde_json::Result<Range<usize>>> {
    let rest = input[start..].trim_ascii_start();
    let start = input.len() - rest.len();
    let mut values = Deserializer::from_slice(rest).into_iter::<IgnoredAny>();
    let value = values.next()?;
    Some(value.map(|_| start..start + values.byte_offset()))
}

/// What is said of a body. Nothing comes in but through `title`, `line` and `row`, which make it harmless.
#[derive(Default)]
struct Report {
    text: String,
    errors: Vec<CallbackError>,
}

fn report(name: &str, body: &[u8], retries: bool) -> Result<Report, CallbackError> {
    let mut report = Report::default();
    let first_attempt = match Incoming::from_slice(body)? {
        Incoming::Status(callback) => {
            if let Some(message) = tracked_message(body, &callback) {
                report.title(name, "a message as the tracking API shows it");
                report.tracked(&message);
                return Ok(report);
            }
            report.title(name, "a Viber status");
            report.callback(&callback, None);
            report.not_understood(&callback.anomalies(), callback.extras(), &callback);
            callback.status.updated_date.or(callback.created_at)
        }
        Incoming::Inbound(reply) => {
            report.title(name, "a reply from a recipient");
            report.reply(&reply);
            report.not_understood(&reply.anomalies(), reply.extras(), &reply);
            reply.sent_date
        }
        Incoming::Failover(flow) => {
            report.title(name, "a failover callback");
            report.flow(&flow);
            report.not_understood(&flow.anomalies(), flow.extras(), &flow);
            flow.updated_at.or(flow.created_at)
        }
        other => {
            match tracking_page(body) {
                Some(page) => report.page(name, &page),
                None => report.other(name, body, &other),
            }
            return Ok(report);
        }
    };
    if retries {
        report.retries(first_attempt);
    }
    Ok(report)
}

/// The message that the tracking API shows: it has no `body`, and at least two things that a callback has no field for.
fn tracked_message(body: &[u8], callback: &ViberCallback) -> Option<TrackedMessage> {
    let message = TrackedMessage::from_slice(body).ok().filter(|_| callback.body.is_none())?;
    (message.anomalies().len() + 2 <= callback.anomalies().len()).then_some(message)
}

fn tracking_page(body: &[u8]) -> Option<TrackingPage> {
    let page = TrackingPage::from_slice(body).ok()?;
    (page.number.is_some() && page.total_elements.is_some()).then_some(page)
}

impl Report {
    fn title(&mut self, name: &str, title: &str) {
        self.text += &harmless(&format!("{name}: {title}"));
        self.text.push('\n');
    }

    fn line(&mut self, line: &str) {
        self.text += &shortened(&harmless(line));
        self.text.push('\n');
    }

    fn row(&mut self, name: &str, value: Option<impl Display>) {
        if let Some(value) = value {
            self.line(&format!("  {name:<11} {value}"));
        }
    }

    fn callback(&mut self, callback: &ViberCallback, campaign: Option<&str>) {
        self.row("message", Some(&callback.tracking_id));
        self.row("campaign", joined([campaign, callback.campaign_tracking_id.as_deref()], ", "));
        self.row("application", callback.application_name.as_ref());
        self.row("from", callback.from.as_ref());
        self.row("to", callback.to.as_ref());
        self.row("groups", joined(callback.groups.iter().map(|group| Some(group.as_str())), ", "));
        self.row("country", callback.country.as_ref());
        self.row("direction", callback.direction.as_ref());
        self.row("service", callback.originating_service.as_ref());
        self.row("label", callback.label.as_ref());
        self.status(&callback.status);
        self.row("created", callback.created_at);
        self.row("TTL", callback.ttl.map(|ttl| format!("{ttl} s")));
        self.row("expires", callback.expires_at());
        self.row("overdue", callback.overdue_at());
        self.row("price", callback.price);
        self.row("replies to", callback.inbound_url.as_ref());
        self.body(callback.body.as_ref());
        self.row("key", Some(callback.idempotency_key()));
    }

    fn status(&mut self, status: &Status) {
        self.row("status", Some(format!("{}: {}", status.name, meaning(&status.name))));
        self.row("stage", status.name.stage());
        if let Some(reason) = &status.reason {
            self.row("reason", reason.detailed_status.as_ref());
            self.row("in words", reason.description.as_ref());
        }
        self.row("updated", status.updated_date);
    }

    fn body(&mut self, body: Option<&Body>) {
        let Some(body) = body else { return };
        self.row("text", body.text.as_ref());
        self.row("iOS text", body.ios_fallback_text.as_ref());
        self.row("picture", body.image_url.as_ref());
        if let Some(action) = &body.viber_action {
            self.row("button", joined([action.caption.as_deref(), action.target_url.as_deref()], " -> "));
        }
        if let Some(file) = &body.viber_file {
            self.row("file", joined([&file.file_name, &file.file_type, &file.file_url].map(Option::as_deref), ", "));
        }
        if let Some(video) = &body.viber_video {
            let size = video.file_size.map(|size| format!("{size} MB"));
            let duration = video.duration.map(|duration| format!("{duration} s"));
            let parts = [&video.video_url, &size, &duration, &video.video_thumbnail];
            self.row("video", joined(parts.map(Option::as_deref), ", "));
        }
    }

    fn tracked(&mut self, message: &TrackedMessage) {
        let callback = ViberCallback::from(message.clone());
        self.callback(&callback, message.campaign.as_deref());
        self.row("session", message.session_id.as_ref());
        self.row("in session", message.session_message);
        self.row("may expire", message.expire_on_delivery.map(may_expire));
        self.not_understood(&message.anomalies(), message.extras(), message);
    }

    fn reply(&mut self, reply: &InboundMessage) {
        self.row("from", Some(&reply.from));
        self.row("to", reply.to.as_ref());
        self.row("text", reply.message.as_ref());
        self.row("media", joined([&reply.media, &reply.file_name].map(Option::as_deref), ", "));
        self.row("sent", reply.sent_date);
        self.row("reply to", reply.reference_tracking_id.as_ref());
        self.row("campaign", joined([&reply.campaign_name, &reply.campaign_tracking_id].map(Option::as_deref), ", "));
        self.row("label", reply.label.as_ref());
        self.row("direction", reply.direction.as_ref());
        self.row("key", Some(reply.idempotency_key()));
    }

    fn flow(&mut self, flow: &FailoverCallback) {
        self.row("flow", Some(&flow.tracking_id));
        self.row("kind", flow.flow_kind.as_ref());
        self.row("application", flow.application_id.as_ref());
        self.row("service", flow.originating_service.as_ref());
        self.row("status", Some(&flow.status));
        self.row("code", flow.status_code.as_ref());
        self.row("ended on", flow.termination_channel.as_ref());
        self.row("updated", flow.updated_at);
        self.row("created", flow.created_at);
        self.row("overdue", flow.overdue_at());
        self.row("price", flow.total_price);
        self.row("key", Some(flow.idempotency_key()));
        for (place, step) in flow.messages.iter().enumerate() {
            self.line("");
            let channel = step.channel.as_ref().map_or("no readable channel", Channel::as_str);
            self.row("step", Some(format!("{} of {}: {channel}", place + 1, flow.messages.len())));
            self.step(step);
        }
    }

    fn step(&mut self, step: &FailoverStep) {
        self.row("order", step.order);
        self.row("message", joined([&step.tracking_id, &step.message_id, &step.sms_id].map(Option::as_deref), ", "));
        self.row("part", step.part.map(|part| part.to_string() + &of(step.parts)));
        self.row("seq", step.seq);
        self.row("from", step.from.as_ref());
        self.row("to", step.to.as_ref());
        self.row("country", step.country.as_ref());
        self.row("operator", step.operator.as_ref());
        self.row("label", step.label.as_ref());
        self.row("template", joined([&step.template_id, &step.template_lang].map(Option::as_deref), ", "));
        self.row("scope", step.delivery_scope.as_ref());
        if let Some(status) = &step.status {
            self.status(status);
        }
        self.row("fails over", joined(step.failover_on_statuses.iter().map(|name| Some(name.as_str())), ", "));
        self.row("created", step.created_at);
        self.row("TTL", step.ttl_minutes.map(|ttl| format!("{ttl} min")));
        self.row("may expire", step.expire_on_delivery.map(may_expire));
        self.row("expired", step.expired_on_delivery_at);
        self.row("price", step.price);
        self.row("latency", step.latency);
        self.row("replies to", step.inbound_url.as_ref());
        self.body(step.body.as_ref());
    }

    fn page(&mut self, name: &str, page: &TrackingPage) {
        // A flow could be read as a message, but no message as a flow.
        let is_of_flows = page.flows().any(|flow| flow.is_ok());
        let entries = if is_of_flows { "flows" } else { "messages" };
        self.title(name, &format!("a page of {entries} as the tracking API shows them"));
        self.row("page", page.number.map(|number| format!("{number}, counted from 0")));
        self.row("pages", page.total_pages);
        self.row(entries, Some(page.content.len().to_string() + &of(page.total_elements)));
        self.row("next page", page.next_page());
        if !page.anomalies().is_empty() {
            self.not_understood(&page.anomalies(), page.extras(), page);
        }
        if is_of_flows {
            for (place, flow) in page.flows().enumerate() {
                self.entry(name, &format!("flow {} of the page", place + 1), flow, Self::tracked_flow);
            }
        } else {
            for (place, message) in page.messages().enumerate() {
                self.entry(name, &format!("message {} of the page", place + 1), message, Self::tracked);
            }
        }
    }

    fn entry<T>(&mut self, name: &str, title: &str, entry: Result<T, CallbackError>, print: fn(&mut Self, &T)) {
        match entry {
            Ok(entry) => {
                self.line("");
                self.title(name, title);
                print(self, &entry);
            }
            Err(error) => self.errors.push(error),
        }
    }

    fn tracked_flow(&mut self, flow: &FailoverCallback) {
        self.flow(flow);
        self.not_understood(&flow.anomalies(), flow.extras(), flow);
    }

    fn other(&mut self, name: &str, body: &[u8], other: &Incoming) {
        let kind = other.kind();
        self.title(name, &kind.to_string());
        let lacks = match kind {
            BodyKind::Failover => FailoverCallback::from_slice(body).err(),
            BodyKind::Inbound => InboundMessage::from_slice(body).err(),
            BodyKind::Other => ViberCallback::from_slice(body).err(),
            _ => None,
        };
        if let Some(error) = lacks {
            self.line(&format!("  why: {error}"));
        }
        self.line("");
        if let Incoming::Other(object) = other {
            for (key, value) in object {
                self.line(&format!("  {key}: {value}"));
            }
        }
    }

    /// Each anomaly with the value that was not understood.
    fn not_understood<'a>(
        &mut self,
        anomalies: &[Anomaly],
        extras: impl Iterator<Item = (String, &'a Value)>,
        body: &impl Serialize,
    ) {
        self.line("");
        if anomalies.is_empty() {
            return self.line("  Everything was understood.");
        }
        self.line("  not understood:");
        let extras: HashMap<_, _> = extras.collect();
        let body = serde_json::to_value(body).ok();
        for anomaly in anomalies {
            // A name that is not in an `extra` has a path of documented keys and places alone.
            let pointer = || format!("/{}", anomaly.path.replace("].", "/").replace(['.', '['], "/").replace(']', ""));
            let value = extras.get(&anomaly.path).copied().or_else(|| body.as_ref()?.pointer(&pointer()));
            let value = value.map(|value| format!(": {value}")).unwrap_or_default();
            self.line(&format!("    {anomaly}{value}"));
        }
    }

    fn retries(&mut self, first_attempt: Option<DateTime<Utc>>) {
        self.line("");
        let Some(first) = first_attempt else {
            return self.line("  retry times: none, because the body has no readable date to count from");
        };
        self.line(&format!("  retries without an answer of 200, if the first attempt was at {first}:"));
        self.line("    retry  delays from the first attempt  delays from the previous attempt");
        let plan = RetryPlan::new(first);
        let other = plan.counting(Counting::FromPreviousAttempt);
        for (number, (at, other)) in (1..).zip(plan.times().zip(other.times())) {
            self.line(&format!("    {number:>5}  {:<30}  {other}", at.to_string()));
        }
    }
}

/// What a status means, in the words of Routee's page
/// [docs/viber-messaging-statuses](https://docs.routee.net/docs/viber-messaging-statuses).
fn meaning(name: &StatusName) -> &'static str {
    match name {
        StatusName::Queued => "could not be delivered; being resent",
        StatusName::Delivered => "delivered",
        StatusName::Seen => "delivered and read by the recipient",
        StatusName::Undelivered => "cannot be delivered",
        StatusName::Expired => "could not be delivered within its time span",
        StatusName::Failed => "not accepted by the platform",
        StatusName::Unsent => "not sent: insufficient balance",
        _ => "an unrecognized name",
    }
}

/// What `expireOnDelivery` says.
fn may_expire(on_delivery: bool) -> &'static str {
    if on_delivery { "after delivery too, if it is not seen" } else { "not after delivery" }
}

fn joined<'a>(parts: impl IntoIterator<Item = Option<&'a str>>, separator: &str) -> Option<String> {
    let parts: Vec<_> = parts.into_iter().flatten().collect();
    (!parts.is_empty()).then(|| parts.join(separator))
}

fn of(total: Option<impl Display>) -> String {
    total.map(|total| format!(" of {total}")).unwrap_or_default()
}

/// The text with everything escaped that could move the cursor of a terminal or turn the direction of writing. What
/// joins emoji and accents to each other stays.
fn harmless(text: &str) -> String {
    let mut harmless = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\u{61c}' | '\u{200e}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{206f}' | '\u{feff}' => {
                harmless.extend(c.escape_unicode());
            }
            c if c.is_control() => harmless.extend(c.escape_default()),
            c => harmless.push(c),
        }
    }
    harmless
}

fn shortened(line: &str) -> Cow<'_, str> {
    let (mut columns, mut kept) = (0, 0);
    for (start, c) in line.char_indices() {
        // Han, Hangul and emoji are two columns wide.
        columns += if c < '\u{2e80}' { 1 } else { 2 };
        if columns <= LINE - " (1000000 more characters)".len() {
            kept = start + c.len_utf8();
        }
        if columns > LINE {
            let (kept, rest) = line.split_at(kept);
            return format!("{kept}… ({} more characters)", rest.chars().count()).into();
        }
    }
    line.into()
}
