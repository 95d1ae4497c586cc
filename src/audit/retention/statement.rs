//! What was erased, and by which rule: each position of the tree. Its digest stands in the leaf of the entry that tells it.

use super::rules::Class;
use crate::audit::mark::Mark;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

/// What the entry says of it to the auditors.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Erased {
    pub class: Class,
    /// For how many months they were kept at least.
    pub months: u32,
    /// The first position of the tree whose detail is erased, and the last.
    pub first: i64,
    pub last: i64,
    /// How many between them.
    pub count: usize,
}

/// What is stored of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    pub class: Class,
    pub months: u32,
    /// In order, each once, and at least one.
    pub positions: Vec<i64>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Text {
    class: Class,
    months: u32,
    first: i64,
    /// How far each next one is from the one before, in seven bits a byte, the highest bit saying that more follow.
    steps: String,
}

impl Statement {
    /// As it is stored.
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut steps = Vec::with_capacity(self.positions.len());
        for (one, next) in self.positions.iter().zip(self.positions.iter().skip(1)) {
            let mut step = next.saturating_sub(*one).unsigned_abs();
            while step >= 0x80 {
                steps.push(u8::try_from(step & 0x7f).unwrap_or_default() | 0x80);
                step >>= 7;
            }
            steps.push(u8::try_from(step).unwrap_or_default());
        }
        let first = self.positions.first().copied().unwrap_or_default();
        let text = Text { class: self.class, months: self.months, first, steps: STANDARD.encode(steps) };
        serde_json::to_string(&text).unwrap_or_default()
    }

    /// Reads it; `None` unless it is one.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let Text { class, months, first, steps } = serde_json::from_str(text).ok()?;
        let (mut positions, mut last) = (vec![first], first);
        let (mut step, mut shift) = (0_i64, 0_u32);
        for byte in STANDARD.decode(steps).ok()? {
            if shift > 49 {
                return None;
            }
            step |= i64::from(byte & 0x7f) << shift;
            shift += 7;
            if byte & 0x80 == 0 {
                // None twice, and none out of order.
                last = last.checked_add(step).filter(|_| step > 0)?;
                positions.push(last);
                (step, shift) = (0, 0);
            }
        }
        (first >= 0 && shift == 0).then_some(Self { class, months, positions })
    }

    /// For the auditors.
    #[must_use]
    pub fn told(&self) -> Erased {
        let at = |position: Option<&i64>| position.copied().unwrap_or_default();
        let (first, last) = (at(self.positions.first()), at(self.positions.last()));
        Erased { class: self.class, months: self.months, first, last, count: self.positions.len() }
    }
}

/// What the leaf of the entry vouches for.
#[must_use]
pub fn mark(id: Uuid, text: &str) -> Mark {
    Mark::content(id, 1, Sha256::new().chain_update(b"himaya ledger retention v1").chain_update(text).finalize().into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn positions_and_back(first in 0_i64..1 << 40, steps in proptest::collection::vec(1_i64..1 << 20, 0..200)) {
            let positions: Vec<i64> = std::iter::once(first)
                .chain(steps.iter().scan(first, |last, step| { *last += step; Some(*last) })).collect();
            let statement = Statement { class: Class::Lists, months: 36, positions };
            prop_assert_eq!(Statement::parse(&statement.to_text()), Some(statement));
        }

        #[test]
        fn whatever_was_written_there_is_a_statement_or_none(first: i64, steps in proptest::collection::vec(any::<u8>(), 0..40)) {
            let text = Text { class: Class::Records, months: 1, first, steps: STANDARD.encode(&steps) };
            if let Some(read) = Statement::parse(&serde_json::to_string(&text).unwrap()) {
                prop_assert!(read.positions.is_sorted_by(|one, next| one < next) && read.positions[0] >= 0);
            }
        }
    }
}
