//! Chance that can be repeated: the same seed draws the same run, on every machine and in every version.

/// A generator of random numbers (SplitMix64).
#[derive(Debug, Clone)]
pub(crate) struct Dice(u64);

impl Dice {
    /// Those of a seed, for one purpose: what one purpose draws does not move what another draws.
    pub(crate) fn new(seed: u64, purpose: u64) -> Self {
        let mut dice = Self(seed);
        dice.0 = dice.bits() ^ purpose.wrapping_mul(0xD6E8_FEB8_6659_FD93);
        dice
    }

    /// Sixty-four random bits.
    pub(crate) fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        bits ^ (bits >> 31)
    }

    /// One of the numbers below `bound`; 0 if there is none.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        u64::try_from((u128::from(self.bits()) * u128::from(bound)) >> 64).unwrap_or(0)
    }

    /// A number above 0, up to 1.
    pub(crate) fn share(&mut self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "53 bits are what a float holds")]
        let share = ((self.bits() >> 11) + 1) as f64 / (1_u64 << 53) as f64;
        share
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_draws_the_same_again_and_another_purpose_something_else() {
        let draw = |seed, purpose| {
            let mut dice = Dice::new(seed, purpose);
            [dice.bits(), dice.bits(), dice.bits()]
        };
        assert_eq!(draw(7, 1), draw(7, 1));
        assert_ne!(draw(7, 1), draw(7, 2));
        assert_ne!(draw(7, 1), draw(8, 1));
    }

    #[test]
    fn numbers_are_within_their_bounds() {
        let mut dice = Dice::new(1, 1);
        let mut seen = [0; 10];
        for _ in 0..10_000 {
            seen[usize::try_from(dice.below(10)).unwrap()] += 1;
            let share = dice.share();
            assert!(share > 0.0 && share <= 1.0);
        }
        assert!(seen.iter().all(|times| (800..1_200).contains(times)), "{seen:?}");
        assert_eq!(dice.below(0), 0);
    }
}
