//! From values to places on a chart, and the round values that its axis names.

/// An axis.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Scale {
    /// From nothing to the highest.
    Linear { highest: f64 },
    /// Each step ten times the one before it.
    Logarithmic { lowest: f64, highest: f64 },
    /// Shares of all, each nine as far from the one before it: 0, 90 %, 99 %, 99.9 % …
    Nines { most: f64 },
}

impl Scale {
    /// Up to a round value at or above these.
    pub(super) fn linear(values: impl Iterator<Item = f64>) -> Self {
        let highest = values.fold(0.0, f64::max);
        let step = round_step(highest);
        Self::Linear { highest: ((highest / step).ceil() * step).max(step) }
    }

    /// Between powers of ten around these.
    pub(super) fn logarithmic(values: impl Iterator<Item = f64>) -> Self {
        let (low, high) = values
            .filter(|value| *value > 0.0)
            .fold((f64::MAX, 0.0_f64), |(low, high), value| (low.min(value), high.max(value)));
        if high <= 0.0 {
            return Self::Logarithmic { lowest: 1.0, highest: 10.0 };
        }
        let lowest = 10_f64.powf(low.log10().floor());
        Self::Logarithmic { lowest, highest: 10_f64.powf(high.log10().ceil()).max(lowest * 10.0) }
    }

    /// Where a value is: 0 at the beginning, 1 at the end.
    pub(super) fn place(self, value: f64) -> f64 {
        let place = match self {
            Self::Linear { highest } => value / highest,
            Self::Logarithmic { lowest, highest } => (value.max(lowest) / lowest).log10() / (highest / lowest).log10(),
            Self::Nines { most } => -(1.0 - value).max(1e-12).log10() / most,
        };
        place.clamp(0.0, 1.0)
    }

    /// Values to name, with their names.
    pub(super) fn ticks(self) -> Vec<(f64, String)> {
        match self {
            Self::Linear { highest } => {
                let step = round_step(highest);
                let mut ticks = Vec::new();
                let mut value = 0.0;
                while value <= highest * 1.001 {
                    ticks.push((value, short(value)));
                    value += step;
                }
                ticks
            }
            Self::Logarithmic { lowest, highest } => {
                let mut ticks = Vec::new();
                let mut value = lowest;
                while value <= highest * 1.001 {
                    ticks.push((value, short(value)));
                    value *= 10.0;
                }
                ticks
            }
            Self::Nines { most } => {
                let all = [
                    (0.0_f64, "0"),
                    (0.5, "50 %"),
                    (0.9, "90 %"),
                    (0.99, "99 %"),
                    (0.999, "99.9 %"),
                    (0.9999, "99.99 %"),
                ];
                all.into_iter()
                    .filter(|(share, _)| -(1.0 - share).log10() <= most * 1.001)
                    .map(|(share, name)| (share, name.to_owned()))
                    .collect()
            }
        }
    }
}

/// A step of 1, 2 or 5 times a power of ten that makes about five of a range.
fn round_step(range: f64) -> f64 {
    let rough = (range / 5.0).max(1e-9);
    let power = 10_f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].into_iter().find(|step| step * power >= rough * 0.999).unwrap_or(10.0);
    if range <= 0.0 { 1.0 } else { step * power }
}

/// A number in few characters.
pub(super) fn short(value: f64) -> String {
    match value {
        _ if value >= 1e6 => format!("{}M", trimmed(value / 1e6)),
        _ if value >= 1e4 => format!("{}k", trimmed(value / 1e3)),
        _ => trimmed(value),
    }
}

fn trimmed(value: f64) -> String {
    let digits = if value >= 100.0 {
        0
    } else if value >= 1.0 {
        1
    } else {
        3
    };
    let text = format!("{value:.digits$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(scale: Scale) -> Vec<String> {
        scale.ticks().into_iter().map(|(_, name)| name).collect()
    }

    #[test]
    fn axes_name_round_values() {
        assert_eq!(names(Scale::linear([3.0, 487.0].into_iter())), ["0", "100", "200", "300", "400", "500"]);
        assert_eq!(names(Scale::linear([0.0].into_iter())).last().unwrap(), "1");
        assert_eq!(names(Scale::logarithmic([0.4, 230.0].into_iter())), ["0.1", "1", "10", "100", "1000"]);
        assert_eq!(names(Scale::logarithmic([].into_iter())), ["1", "10"]);
        assert_eq!(names(Scale::Nines { most: 3.0 }), ["0", "50 %", "90 %", "99 %", "99.9 %"]);
    }

    #[test]
    fn values_are_where_they_belong() {
        assert!((Scale::Linear { highest: 200.0 }.place(50.0) - 0.25).abs() < 1e-9);
        assert!((Scale::Logarithmic { lowest: 1.0, highest: 100.0 }.place(10.0) - 0.5).abs() < 1e-9);
        assert!((Scale::Nines { most: 2.0 }.place(0.9) - 0.5).abs() < 1e-9);
        assert!(Scale::Linear { highest: 1.0 }.place(7.0) <= 1.0);
    }
}
