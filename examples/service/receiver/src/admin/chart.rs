//! A picture of what became of messages over time, in SVG, with its numbers in a table below it.
//!
//! The lines can be told apart without colour: each has markers of its own, and its name stands at its end. Colours, and
//! whether it is dark or light, come from `style.css`. It is drawn twice, for a wide window and for a narrow one, since a
//! text that shrinks with its picture cannot be read on a phone.

use chrono::{DateTime, Utc};
use maud::{Markup, PreEscaped, html};
use plotters::backend::SVGBackend;
use plotters::chart::ChartBuilder;
use plotters::coord::Shift;
use plotters::drawing::{DrawingArea, DrawingAreaErrorKind, IntoDrawingArea as _};
use plotters::element::{Circle, Cross, IntoDynElement as _, Text, TriangleMarker};
use plotters::series::LineSeries;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{BLACK, Color as _, IntoFont as _, RGBColor, TRANSPARENT, TextStyle};

use crate::admin::parts::grouped;
use crate::reports::outcomes::Outcomes;
use crate::reports::timeline::{Point, Timeline, Unit};

type Error = DrawingAreaErrorKind<std::io::Error>;

/// The width of the wide picture and of the narrow one, which fits a phone of 360 pixels, and how many dates fit below each.
const SIZES: [(&str, u32, usize); 2] = [("wide", 1000, 8), ("narrow", 320, 3)];

const HEIGHT: u32 = 260;

/// What is left of the lines for percentages, right of them for their names, and below them for dates.
const MARGINS: [u32; 3] = [52, 78, 26];

/// The most markers on a line.
const MARKERS: usize = 15;

/// Font sizes are in units of plotters, of which 1.24 are a pixel.
const FONT: u32 = 16;

/// How far apart names at the ends of lines are, in pixels.
const LINE_HEIGHT: i32 = 16;

#[derive(Clone, Copy)]
enum Series {
    Delivered,
    Seen,
    Failed,
}

impl Series {
    const ALL: [Self; 3] = [Self::Delivered, Self::Seen, Self::Failed];

    const fn name(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Seen => "seen",
            Self::Failed => "failed",
        }
    }

    /// By these, `style.css` knows what is to have which colour.
    const fn color(self) -> RGBColor {
        match self {
            Self::Delivered => RGBColor(0, 0, 1),
            Self::Seen => RGBColor(0, 1, 0),
            Self::Failed => RGBColor(1, 0, 0),
        }
    }

    const fn of(self, outcomes: &Outcomes) -> i64 {
        match self {
            Self::Delivered => outcomes.delivered,
            Self::Seen => outcomes.seen,
            Self::Failed => outcomes.failed,
        }
    }
}

/// The picture and its table; nothing if there are no messages.
pub fn chart(title: &str, timeline: &Timeline) -> Markup {
    let Timeline { unit, points } = timeline;
    let Some((first, last)) = points.first().zip(points.last()) else { return html! {} };
    let format = if *unit == Unit::Hour { "%Y-%m-%d %H:%M" } else { "%Y-%m-%d" };
    let begin = |point: &Point| point.from.format(format).to_string();
    let span = format!("by the {} from {} to {}, both included", unit.as_str(), begin(first), begin(last));
    let label = format!(
        "Lines of the percentages of messages that were delivered, seen and failed, {span}. The table below has the numbers."
    );
    html! {
        section {
            h2 { (title) }
            @for (class, width, dates) in SIZES {
                div class={ "chart " (class) } role="img" aria-label=(label) {
                    (PreEscaped(draw(timeline, width, dates).expect("a picture fits into a string")))
                }
            }
            p.none { "Shares of the messages, " (span) "." }
            details {
                summary { "The numbers of this picture" }
                table.numbers {
                    thead {
                        tr {
                            th scope="col" { (unit.as_str()) }
                            th.number scope="col" { "messages" }
                            @for series in Series::ALL { th.number scope="col" { (series.name()) } }
                        }
                    }
                    tbody {
                        @for Point { from, outcomes } in points {
                            tr {
                                th scope="row" { (date(*unit, *from)) }
                                td.number { (grouped(outcomes.messages)) }
                                @for series in Series::ALL {
                                    td.number {
                                        (grouped(series.of(outcomes)))
                                        @if let Some(percent) = outcomes.percent(series.of(outcomes)) {
                                            " " small { (format!("{percent:.1} %")) }
                                        }
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// A date below the picture, which is short, since what it leaves out is in the table.
fn short_date(unit: Unit, from: DateTime<Utc>) -> String {
    let format = match unit {
        Unit::Hour => "%a %H:%M",
        Unit::Day | Unit::Week => "%-d %b",
        Unit::Month | Unit::Year => return date(unit, from),
    };
    from.format(format).to_string()
}

fn date(unit: Unit, from: DateTime<Utc>) -> String {
    let format = match unit {
        Unit::Hour => "%-d %b %H:%M",
        Unit::Day | Unit::Week => "%-d %b %Y",
        Unit::Month => "%b %Y",
        Unit::Year => "%Y",
    };
    from.format(format).to_string()
}

fn draw(timeline: &Timeline, width: u32, dates: usize) -> Result<String, Error> {
    let [left, right, below] = MARGINS;
    let points = &timeline.points;
    let end = i32::try_from(points.len()).unwrap_or(i32::MAX);
    let mut svg = String::new();
    let area = SVGBackend::with_string(&mut svg, (width, HEIGHT)).into_drawing_area();
    let mut chart = ChartBuilder::on(&area)
        .margin_top(10)
        .margin_right(right)
        .y_label_area_size(left)
        .x_label_area_size(below)
        .build_cartesian_2d(-1..end, 0.0..100.0)?;
    let date_at = |place: &i32| {
        usize::try_from(*place)
            .ok()
            .and_then(|place| points.get(place))
            .map_or(String::new(), |point| short_date(timeline.unit, point.from))
    };
    chart
        .configure_mesh()
        .disable_x_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(BLACK.mix(0.2))
        .axis_style(BLACK.mix(0.5))
        .label_style(("sans-serif", FONT))
        .x_labels(dates)
        .x_label_formatter(&date_at)
        .y_labels(5)
        .y_label_formatter(&|percent| format!("{percent} %"))
        .draw()?;
    let mut names = Vec::new();
    for series in Series::ALL {
        let shares: Vec<_> = (0..end)
            .zip(points)
            .map(|(place, point)| (place, point.outcomes.percent(series.of(&point.outcomes))))
            .collect();
        // No line over a time without messages.
        for line in shares.split(|(_, share)| share.is_none()) {
            let line: Vec<_> = line.iter().filter_map(|(place, share)| Some((*place, (*share)?))).collect();
            chart.draw_series(LineSeries::new(line.iter().copied(), series.color().stroke_width(2)))?;
            // The end of each line has a marker, without which a line of one point would not be seen.
            let marked = line.iter().rev().step_by(points.len().div_ceil(MARKERS));
            chart.draw_series(marked.map(|at| match series {
                Series::Delivered => Circle::new(*at, 4, series.color().filled()).into_dyn(),
                Series::Seen => TriangleMarker::new(*at, 6, series.color().filled()).into_dyn(),
                Series::Failed => Cross::new(*at, 4, series.color().stroke_width(2)).into_dyn(),
            }))?;
        }
        if let Some(end) = shares.iter().filter_map(|(place, share)| Some((*place, (*share)?))).next_back() {
            let (_, y) = chart.backend_coord(&end);
            names.push((y, series));
        }
    }
    write_names(&area, names, i32::try_from(width - right).unwrap_or(i32::MAX) + 8)?;
    area.present()?;
    drop(chart);
    drop(area);
    Ok(svg)
}

/// Writes the name of each line beside its end, or as near to it as the others allow.
fn write_names(area: &DrawingArea<SVGBackend, Shift>, mut names: Vec<(i32, Series)>, x: i32) -> Result<(), Error> {
    names.sort_by_key(|(y, _)| *y);
    let mut highest = LINE_HEIGHT / 2;
    for (y, _) in &mut names {
        *y = (*y).max(highest);
        highest = *y + LINE_HEIGHT;
    }
    let mut lowest = i32::try_from(HEIGHT - MARGINS[2]).unwrap_or(i32::MAX);
    for (y, series) in names.into_iter().rev() {
        let y = y.min(lowest);
        lowest = y - LINE_HEIGHT;
        let color = series.color();
        let style = TextStyle::from(("sans-serif", FONT).into_font()).color(&color);
        let style = style.pos(Pos::new(HPos::Left, VPos::Center));
        area.draw(&Text::new(series.name(), (x, y), style))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn timeline(unit: Unit, outcomes: &[[i64; 4]]) -> Timeline {
        let from: DateTime<Utc> = "2026-11-23T10:00:00Z".parse().unwrap();
        let points = outcomes.iter().enumerate().map(|(place, [messages, delivered, seen, failed])| Point {
            from: from + chrono::TimeDelta::hours(place.try_into().unwrap()),
            outcomes: Outcomes {
                messages: *messages,
                delivered: *delivered,
                seen: *seen,
                failed: *failed,
                ..Outcomes::default()
            },
        });
        Timeline { unit, points: points.collect() }
    }

    /// What stands between the tags, piece by piece.
    fn texts(markup: &str) -> Vec<&str> {
        let pieces = markup.split('<').filter_map(|tag| tag.split_once('>')).map(|(_, text)| text.trim());
        pieces.filter(|text| !text.is_empty()).collect()
    }

    #[test]
    fn the_table_has_the_numbers_of_the_picture() {
        let timeline = timeline(Unit::Hour, &[[1000, 900, 333, 100], [0, 0, 0, 0], [3, 2, 1, 1]]);
        let markup = chart("Title", &timeline).into_string();
        let (_, table) = markup.split_once("<details>").unwrap();
        let expected = [
            &["The numbers of this picture", "hour", "messages", "delivered", "seen", "failed"][..],
            &["23 Nov 10:00", "1\u{202f}000", "900", "90.0 %", "333", "33.3 %", "100", "10.0 %"],
            &["23 Nov 11:00", "0", "0", "0", "0"],
            &["23 Nov 12:00", "3", "2", "66.7 %", "1", "33.3 %", "1", "33.3 %"],
        ];
        assert_eq!(texts(table), expected.concat());
        let span = "by the hour from 2026-11-23 10:00 to 2026-11-23 12:00, both included";
        assert!(markup.contains(&format!("<p class=\"none\">Shares of the messages, {span}.</p>")), "{markup}");
        let label = format!(
            "Lines of the percentages of messages that were delivered, seen and failed, {span}. The table below has the numbers."
        );
        assert_eq!(markup.matches(&format!("role=\"img\" aria-label=\"{label}\"")).count(), 2);
        assert_eq!(chart("Title", &Timeline { unit: Unit::Hour, points: Vec::new() }).into_string(), "");
    }

    #[test]
    fn each_line_has_its_own_markers_and_its_name_as_text() {
        // The time without messages parts the lines.
        let svg =
            draw(&timeline(Unit::Day, &[[8, 4, 2, 4], [8, 4, 2, 4], [0; 4], [8, 8, 2, 0], [8, 8, 4, 0]]), 1000, 8)
                .unwrap();
        let count = |tag: &str, color: &str| {
            svg.split('<').filter(|found| found.starts_with(tag) && found.contains(color)).count()
        };
        for (color, [circles, polygons]) in [("#000001", [4, 0]), ("#000100", [0, 4]), ("#010000", [0, 0])] {
            assert_eq!(
                [count("circle", color), count("polygon", color), count("polyline", color)],
                [circles, polygons, 2],
                "{color}"
            );
        }
        // A cross is two strokes.
        assert_eq!(count("line", "#010000"), 8);
        let texts = texts(&svg);
        for text in ["delivered", "seen", "failed", "0 %", "50 %", "100 %", "23 Nov"] {
            assert!(texts.contains(&text), "{text} is not in {texts:?}");
        }
    }

    #[test]
    fn a_point_without_neighbours_has_a_marker() {
        let mut outcomes = [[0; 4]; 30];
        for place in [1, 14, 28] {
            outcomes[place] = [8, 4, 2, 4];
        }
        let svg = draw(&timeline(Unit::Day, &outcomes), 1000, 8).unwrap();
        let circles = svg.split('<').filter(|found| found.starts_with("circle") && found.contains("#000001"));
        assert_eq!(circles.count(), 3);
    }

    #[test]
    fn names_of_lines_that_end_together_stand_below_each_other_within_the_picture() {
        let places = |outcomes: [i64; 4]| {
            let svg = draw(&timeline(Unit::Hour, &[outcomes]), 320, 3).unwrap();
            let place = |name: &str| -> i32 {
                let (before, _) = svg.split_once(&format!("\n{name}\n")).unwrap();
                let (_, y) = before.rsplit_once(" y=\"").unwrap();
                y.split_once('"').unwrap().0.parse().unwrap()
            };
            ["delivered", "seen", "failed"].map(place)
        };
        for outcomes in [[10, 0, 0, 0], [10, 10, 10, 10], [10, 5, 5, 5]] {
            let mut places = places(outcomes);
            places.sort_unstable();
            assert!(places.windows(2).all(|two| two[1] - two[0] >= LINE_HEIGHT), "{places:?}");
            assert!(places[0] >= 0 && places[2] <= i32::try_from(HEIGHT).unwrap(), "{places:?}");
        }
    }
}
