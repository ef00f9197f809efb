//! The order of a graph: a stable topological order, its ancestors and distances, or the cycle that forbids one.

/// A directed graph given by what each node needs.
#[derive(Clone, Debug)]
pub(super) struct Order {
    pub(super) needs: Vec<Vec<usize>>,
    /// The nodes, needs first; among those that could come next, the first of the text.
    pub(super) sequence: Vec<usize>,
}

impl Order {
    /// Orders the graph; `Err` is a cycle, each node needing the next one and the last one the first.
    pub(super) fn of(needs: Vec<Vec<usize>>) -> Result<Self, Vec<usize>> {
        let mut placed = vec![false; needs.len()];
        let mut sequence = Vec::with_capacity(needs.len());
        let is = |flags: &[bool], index: usize| flags.get(index) == Some(&true);
        loop {
            let next = needs.iter().enumerate().find(|(index, needs)| {
                !is(&placed, *index) && needs.iter().all(|need| *need >= placed.len() || is(&placed, *need))
            });
            let Some((next, _)) = next else { break };
            if let Some(slot) = placed.get_mut(next) {
                *slot = true;
            }
            sequence.push(next);
        }
        match placed.iter().position(|done| !done) {
            None => Ok(Self { needs, sequence }),
            Some(start) => Err(cycle(&needs, &placed, start)),
        }
    }

    /// Returns, for each ancestor of `node`, the length of the longest way to it; nearest first, then in the order of the text.
    pub(super) fn ancestors(&self, node: usize) -> Vec<(usize, u32)> {
        let mut distance: Vec<Option<u32>> = vec![None; self.needs.len()];
        if let Some(slot) = distance.get_mut(node) {
            *slot = Some(0);
        }
        let mut found = Vec::new();
        for current in self.sequence.iter().rev() {
            let Some(Some(length)) = distance.get(*current).copied() else { continue };
            if *current != node {
                found.push((*current, length));
            }
            for need in self.needs.get(*current).into_iter().flatten() {
                if let Some(slot) = distance.get_mut(*need) {
                    *slot = Some(slot.map_or(length + 1, |known| known.max(length + 1)));
                }
            }
        }
        found.sort_by_key(|(ancestor, length)| (*length, *ancestor));
        found
    }
}

/// Follows needs that are not placed until a node comes up again.
fn cycle(needs: &[Vec<usize>], placed: &[bool], start: usize) -> Vec<usize> {
    let mut path = vec![start];
    let mut current = start;
    loop {
        let unplaced = |need: &&usize| placed.get(**need) == Some(&false);
        let Some(next) = needs.get(current).and_then(|needs| needs.iter().find(unplaced)) else { return path };
        if let Some(seen) = path.iter().position(|node| node == next) {
            return path.split_off(seen);
        }
        path.push(*next);
        current = *next;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_is_topological_and_keeps_the_order_of_the_text() {
        let order = Order::of(vec![vec![2], vec![], vec![1], vec![1]]).unwrap();
        assert_eq!(order.sequence, [1, 2, 0, 3]);
        assert_eq!(order.ancestors(0), [(2, 1), (1, 2)]);
    }

    #[test]
    fn a_cycle_is_named() {
        assert_eq!(Order::of(vec![vec![], vec![3, 0], vec![1], vec![2]]).unwrap_err(), [1, 3, 2]);
        assert_eq!(Order::of(vec![vec![0]]).unwrap_err(), [0]);
    }
}
