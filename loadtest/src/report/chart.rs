//! Charts as SVG, with nothing that would have to be fetched or run.

use std::fmt::Write as _;

use super::html::escape;
use super::scale::{Scale, short};

/// The widths of a chart by itself, and of one beside another.
const WIDTHS: (f64, f64) = (1_080.0, 520.0);
const HEIGHT: f64 = 230.0;
const LEFT: f64 = 52.0;
const RIGHT: f64 = 14.0;
const TOP: f64 = 10.0;
const BOTTOM: f64 = 26.0;

/// Lines over one axis.
pub(super) struct Chart {
    pub(super) title: &'static str,
    pub(super) about: &'static str,
    /// Behind the values.
    pub(super) unit: &'static str,
    /// What the values below say.
    pub(super) below: Below,
    pub(super) is_logarithmic: bool,
    /// Whether it has the page's width to itself.
    pub(super) is_wide: bool,
    pub(super) lines: Vec<Line>,
}

/// What is below.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Below {
    Seconds,
    Shares,
}

/// A line.
pub(super) struct Line {
    pub(super) name: String,
    /// From left to right.
    pub(super) points: Vec<(f64, f64)>,
}

impl Chart {
    /// The chart with its heading and legend; nothing if there is nothing to draw.
    pub(super) fn svg(&self) -> String {
        let lines: Vec<_> = self.lines.iter().filter(|line| line.points.len() > 1).collect();
        if lines.is_empty() {
            return String::new();
        }
        let all = || lines.iter().flat_map(|line| &line.points);
        let up = if self.is_logarithmic {
            Scale::logarithmic(all().map(|(_, value)| *value))
        } else {
            Scale::linear(all().map(|(_, value)| *value))
        };
        let furthest = all().map(|(at, _)| *at).fold(0.0, f64::max);
        let right = match self.below {
            Below::Seconds => Scale::Linear { highest: furthest.max(1.0) },
            Below::Shares => Scale::Nines { most: (-(1.0 - furthest).max(1e-6).log10()).max(1.0) },
        };
        let (width, class) = if self.is_wide { (WIDTHS.0, "card") } else { (WIDTHS.1, "'card half'") };
        let mut svg = format!("<section class={class}><h2>{}</h2><p class=about>{}</p>", self.title, self.about);
        self.legend(&lines, &mut svg);
        let _ = write!(svg, "<svg viewBox='0 0 {width} {HEIGHT}' role=img aria-label='{}'>", self.title);
        self.axes(up, right, width, &mut svg);
        for (index, line) in lines.iter().enumerate() {
            let places =
                line.points.iter().map(|(at, value)| format!("{:.1},{:.1}", x(right, width, *at), y(up, *value)));
            let _ = write!(svg, "<polyline class='line c{index}' points='{}'/>", places.collect::<Vec<_>>().join(" "));
        }
        self.tips(&lines, right, width, &mut svg);
        svg + "</svg></section>"
    }

    fn legend(&self, lines: &[&Line], svg: &mut String) {
        *svg += "<ul class=legend>";
        for (index, line) in lines.iter().enumerate() {
            let _ = write!(svg, "<li><i class=c{index}></i>{}</li>", escape(&line.name));
        }
        let _ = write!(svg, "<li class=unit>{}</li></ul>", self.unit);
    }

    fn axes(&self, up: Scale, right: Scale, width: f64, svg: &mut String) {
        for (value, name) in up.ticks() {
            let at = y(up, value);
            let _ = write!(svg, "<line class=grid x1={LEFT} x2={} y1={at:.1} y2={at:.1} />", width - RIGHT);
            let _ = write!(svg, "<text x={} y={:.1} text-anchor=end>{name}</text>", LEFT - 8.0, at + 4.0);
        }
        for (value, name) in right.ticks() {
            let at = x(right, width, value);
            let name = if self.below == Below::Seconds { format!("{name} s") } else { name };
            let _ = write!(svg, "<text x={at:.1} y={} text-anchor=middle>{name}</text>", HEIGHT - 6.0);
        }
    }

    /// What is said of the place that is pointed at.
    fn tips(&self, lines: &[&Line], right: Scale, width: f64, svg: &mut String) {
        let Some(longest) = lines.iter().max_by_key(|line| line.points.len()) else { return };
        let places: Vec<f64> = longest.points.iter().map(|(at, _)| x(right, width, *at)).collect();
        for (index, (at, _)) in longest.points.iter().enumerate() {
            let from = if index == 0 { LEFT } else { f64::midpoint(places[index - 1], places[index]) };
            let to = places.get(index + 1).map_or(width - RIGHT, |next| f64::midpoint(places[index], *next));
            let mut tip = match self.below {
                Below::Seconds => format!("{} s", short(*at)),
                Below::Shares => format!("{} %", short(at * 100.0)),
            };
            for line in lines {
                if let Some((_, value)) = line.points.iter().find(|(other, _)| (other - at).abs() < 1e-9) {
                    let _ = write!(tip, "\n{}: {} {}", escape(&line.name), short(*value), self.unit);
                }
            }
            let (wide, high, middle) = ((to - from).max(0.1), HEIGHT - TOP - BOTTOM, places[index]);
            let _ = write!(
                svg,
                "<g class=tip><rect x={from:.1} y={TOP} width={wide:.1} height={high} /><line x1={middle:.1} \
                 x2={middle:.1} y1={TOP} y2={} /><title>{tip}</title></g>",
                HEIGHT - BOTTOM
            );
        }
    }
}

fn x(scale: Scale, width: f64, value: f64) -> f64 {
    LEFT + scale.place(value) * (width - LEFT - RIGHT)
}

fn y(scale: Scale, value: f64) -> f64 {
    HEIGHT - BOTTOM - scale.place(value) * (HEIGHT - TOP - BOTTOM)
}
