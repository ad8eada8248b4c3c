//! Things by number, where numbers count up and mostly leave none out: each is found at its offset from the first one.

use std::collections::VecDeque;

/// Things by number, the lowest first.
#[derive(Debug)]
pub(super) struct Numbered<T>(VecDeque<(u64, T)>);

impl<T> Default for Numbered<T> {
    fn default() -> Self {
        Self(VecDeque::new())
    }
}

impl<T> Numbered<T> {
    /// Puts it there, in place of whatever had this number.
    pub(super) fn insert(&mut self, number: u64, thing: T) {
        match self.place(number) {
            Ok(place) => self.0[place].1 = thing,
            Err(place) => self.0.insert(place, (number, thing)),
        }
    }

    pub(super) fn get_mut(&mut self, number: u64) -> Option<&mut T> {
        let place = self.place(number).ok()?;
        self.0.get_mut(place).map(|(_, thing)| thing)
    }

    /// The one with the lowest number, and that number.
    pub(super) fn first(&self) -> Option<&(u64, T)> {
        self.0.front()
    }

    pub(super) fn forget_first(&mut self) {
        self.0.pop_front();
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &(u64, T)> {
        self.0.iter()
    }

    /// Where it is, or would be.
    fn place(&self, number: u64) -> Result<usize, usize> {
        let (Some((first, _)), Some((last, _))) = (self.0.front(), self.0.back()) else { return Err(0) };
        if number > *last {
            return Err(self.0.len());
        }
        let offset = number.checked_sub(*first).and_then(|offset| usize::try_from(offset).ok());
        match offset.filter(|place| self.0.get(*place).is_some_and(|(found, _)| *found == number)) {
            Some(place) => Ok(place),
            None => self.0.binary_search_by_key(&number, |(number, _)| *number),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_found_whatever_was_left_out_and_in_whatever_order_they_came() {
        let mut numbered = Numbered::default();
        for number in [7, 8, 10, 3, u64::MAX, 9] {
            numbered.insert(number, number.to_string());
        }
        numbered.insert(8, "eight".to_owned());
        let all: Vec<_> = numbered.iter().map(|(number, _)| *number).collect();
        assert_eq!(all, [3, 7, 8, 9, 10, u64::MAX]);
        for number in [0, 4, 6, 11, u64::MAX - 1] {
            assert_eq!(numbered.get_mut(number), None);
        }
        assert_eq!(numbered.get_mut(8).unwrap(), "eight");
        for expected in all {
            assert_eq!(numbered.first().map(|(number, _)| *number), Some(expected));
            assert!(numbered.get_mut(expected).is_some());
            numbered.forget_first();
        }
        assert!(numbered.first().is_none() && numbered.get_mut(7).is_none());
    }
}
