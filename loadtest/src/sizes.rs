//! How long texts are: one size, a range, or several with their weights.

use std::str::FromStr;

use crate::chance::Dice;

/// The longest text that a server takes.
const BYTES_MAX: u64 = 16 * 1024;

/// A distribution of sizes, in bytes. `100` is one, `20-500` a range, `40*20,200*70,4000*10` three with their weights.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sizes(Vec<Share>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Share {
    from: u64,
    to: u64,
    weight: u64,
}

const FORM: &str = "--size takes bytes: 100, or 20-500, or sizes with weights: 40*20,200*70,4000*10 (16384 at most)";

impl FromStr for Sizes {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let number = |text: &str| text.trim().parse::<u64>().map_err(|_| FORM);
        let share = |text: &str| {
            let (range, weight) = text.split_once('*').unwrap_or((text, "1"));
            let (from, to) = range.split_once('-').unwrap_or((range, range));
            let share = Share { from: number(from)?, to: number(to)?, weight: number(weight)? };
            let is_sound = share.from <= share.to && share.to <= BYTES_MAX && share.weight > 0;
            if is_sound { Ok(share) } else { Err(FORM) }
        };
        text.split(',').map(share).collect::<Result<_, _>>().map(Self)
    }
}

impl Sizes {
    /// One of them.
    pub(crate) fn draw(&self, dice: &mut Dice) -> usize {
        let total = self.0.iter().map(|share| share.weight).sum();
        let mut left = dice.below(total);
        for Share { from, to, weight } in &self.0 {
            if left < *weight {
                return usize::try_from(from + dice.below(to - from + 1)).unwrap_or(0);
            }
            left -= weight;
        }
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_drawn_by_their_weights() {
        let sizes: Sizes = "10*3,100-200*1".parse().unwrap();
        let mut dice = Dice::new(1, 1);
        let drawn: Vec<_> = (0..4_000).map(|_| sizes.draw(&mut dice)).collect();
        let short = drawn.iter().filter(|size| **size == 10).count();
        assert!((2_850..3_150).contains(&short), "{short}");
        assert!(drawn.iter().all(|size| *size == 10 || (100..=200).contains(size)));
    }

    #[test]
    fn what_is_no_distribution_is_refused() {
        for wrong in ["", "x", "5-", "9-3", "1*0", "1,,2", "16385", "-5"] {
            assert_eq!(wrong.parse::<Sizes>(), Err(FORM), "{wrong}");
        }
    }
}
