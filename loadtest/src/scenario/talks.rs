//! Who talks with whom: each with one partner, or everybody with many, so that there are far more conversations than
//! people.

use crate::Fault;
use crate::chance::Dice;

/// The conversations of people of whom two neighbours in the list are a pair.
#[derive(Debug, Clone)]
pub(super) struct Talks {
    pairs: u64,
    count: u64,
    /// From one conversation of somebody to their next, in pairs: so that the two are on different nodes if those of a
    /// pair are.
    step: u64,
    /// How many were visited, if each is in its turn.
    turn: Option<u64>,
}

impl Talks {
    /// So many conversations among so many pairs, over so many nodes; one for each pair if it is none.
    pub(super) fn among(pairs: u64, count: u64, nodes: usize, in_turn: bool) -> Result<Self, Fault> {
        let step = u64::try_from(nodes)?.max(1);
        let most = pairs * (pairs / step).max(1);
        match count {
            _ if pairs == 0 => Err("there is no pair for this part of the run: more --pairs, or fewer parts".into()),
            0 => Ok(Self { pairs, count: pairs, step, turn: in_turn.then_some(0) }),
            count if count > most => {
                Err(format!("{pairs} pairs have at most {most} conversations: more --pairs").into())
            }
            count => Ok(Self { pairs, count, step, turn: in_turn.then_some(0) }),
        }
    }

    /// All of them, each as the places of the two in the list.
    pub(super) fn all(&self) -> impl Iterator<Item = (usize, usize)> + use<> {
        let talks = self.clone();
        (0..talks.count).map(move |index| talks.at(index))
    }

    /// Who writes next, and to whom.
    pub(super) fn next(&mut self, dice: &mut Dice) -> (usize, usize) {
        let index = match &mut self.turn {
            Some(turn) => std::mem::replace(turn, (*turn + 1) % self.count),
            None => dice.below(self.count),
        };
        let (one, other) = self.at(index);
        if dice.below(2) == 0 { (one, other) } else { (other, one) }
    }

    fn at(&self, index: u64) -> (usize, usize) {
        let (pair, round) = (index % self.pairs, index / self.pairs);
        let partner = (pair + round * self.step) % self.pairs;
        let place = |place| usize::try_from(place).unwrap_or(0);
        (place(2 * pair), place(2 * partner + 1))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn without_a_number_it_is_one_for_each_pair() {
        let talks = Talks::among(3, 0, 2, false).unwrap();
        assert_eq!(talks.all().collect::<Vec<_>>(), [(0, 1), (2, 3), (4, 5)]);
        assert!(Talks::among(0, 0, 2, false).is_err());
    }

    #[test]
    fn there_may_be_many_more_and_all_are_different_and_across() {
        let talks = Talks::among(10, 50, 2, false).unwrap();
        let all: BTreeSet<_> = talks.all().collect();
        assert_eq!(all.len(), 50);
        // The first of pair p is on node p, the second on the next one.
        assert!(all.iter().all(|(one, other)| (one / 2) % 2 != (other / 2 + 1) % 2), "{all:?}");
        assert!(Talks::among(10, 51, 2, false).is_err());
        assert_eq!(Talks::among(10, 100, 1, false).unwrap().all().collect::<BTreeSet<_>>().len(), 100);
    }

    #[test]
    fn each_in_its_turn_visits_all() {
        let (mut talks, mut dice) = (Talks::among(4, 8, 2, true).unwrap(), Dice::new(1, 1));
        let sorted = |(one, other): (usize, usize)| if one % 2 == 0 { (one, other) } else { (other, one) };
        let visited: Vec<_> = (0..8).map(|_| sorted(talks.next(&mut dice))).collect();
        assert_eq!(visited, talks.all().collect::<Vec<_>>());
        assert_eq!(sorted(talks.next(&mut dice)), (0, 1), "and begins anew");
    }
}
