//! The clear rows that a unit writes: each gets marks of how it stands when the unit is committed.

use super::Unit;
use super::store::{self, WrittenRow};
use crate::audit::mark::{Mark, Named, RowKind};

use crate::guard::gate::{About, Does};
use crate::guard::vouch::is_vouched;
use crate::platform::problem::Problem;
use std::collections::BTreeMap;
use uuid::Uuid;

/// A row was written again in the same unit: what it was in between was never there for anybody.
const PASSING: [u8; 32] = [0; 32];

/// A row that a unit takes away, whoever brought it in, as it stood.
pub struct Taken {
    pub kind: RowKind,
    pub row: Uuid,
    /// Its register, and its number there, where it stands in one.
    pub place: Option<(Uuid, i64)>,
    pub standing: i64,
    pub digest: [u8; 32],
}

impl<V: Does, K: About> Unit<V, K> {
    /// Says that this unit writes this clear row once, and raises its standing; called by the capability's SQL that does.
    /// What is written and not said here is found by the verifier.
    pub fn wrote(&mut self, kind: RowKind, row: Uuid) {
        *self.rows.entry((kind, row)).or_default() += 1;
    }

    /// Says that this unit takes away the row that stands under a number of the person's own register.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn struck(&mut self, kind: RowKind, row: Uuid, number: Option<i64>) -> Result<(), Problem> {
        self.rows.remove(&(kind, row));
        // A row from before there were registers stands in none.
        let Some(number) = number else { return Ok(()) };
        let register = store::own_register(&mut self.transaction).await?;
        let register = register.ok_or_else(|| Problem::fault("a person has no register"))?;
        self.marks.push(Mark::row(row, Named::Struck { register, number }, PASSING));
        Ok(())
    }

    /// Says that this unit takes away these rows, whoever brought them in: those of a case that two persons erase.
    pub fn struck_from_registers(&mut self, rows: impl IntoIterator<Item = Taken>) {
        for Taken { kind, row, place, standing, digest } in rows {
            let times = self.rows.remove(&(kind, row)).unwrap_or_default();
            let Some((register, number)) = place else { continue };
            // What this very unit wrote of it: no other entry says how it stood at the end.
            for standing_then in standing.saturating_sub(times) + 1..=standing {
                let named = name(kind, row, Some((register, number)), standing_then);
                self.marks.push(Mark::row(row, named, if standing_then == standing { digest } else { PASSING }));
            }
            self.marks.push(Mark::row(row, Named::StruckAsItStood { register, number }, digest));
        }
    }

    /// Marks every row as it stands now, at the end of the unit.
    pub(super) async fn mark_rows(&mut self) -> Result<(), Problem> {
        let wanted = std::mem::take(&mut self.rows);
        if wanted.is_empty() {
            return Ok(());
        }
        let ids: Vec<Uuid> = wanted.keys().map(|(_, id)| *id).collect();
        let written = store::written_rows(&mut self.transaction, &ids).await?;
        if written.len() != wanted.len() {
            return Err(Problem::fault("a row is not there that a unit wrote, or one that it did not say"));
        }
        self.check_register(&wanted, &written).await?;
        for row in written {
            let kind: RowKind = row.kind.parse().map_err(|_| Problem::fault("a row has no known kind"))?;
            let times =
                wanted.get(&(kind, row.id)).ok_or_else(|| Problem::fault("a unit did not say what it wrote"))?;
            for standing in row.standing.saturating_sub(*times) + 1..=row.standing {
                let digest = if standing == row.standing { row.digest } else { PASSING };
                self.marks.push(Mark::row(
                    row.id,
                    name(kind, row.id, row.register.zip(row.register_no), standing),
                    digest,
                ));
            }
        }
        Ok(())
    }
}

impl<V: Does, K: About> Unit<V, K> {
    /// New rows stand in this person's register, under the numbers that come next: none is left out, and none comes in
    /// beside it. The register's length is vouched for, so nobody else makes it jump.
    async fn check_register(
        &mut self,
        wanted: &BTreeMap<(RowKind, Uuid), i64>,
        written: &[WrittenRow],
    ) -> Result<(), Problem> {
        const WRONG: &str = "a row did not come in under the next number of its person's register";
        let is_new = |row: &&WrittenRow| {
            let times = row.kind.parse().ok().and_then(|kind: RowKind| wanted.get(&(kind, row.id)));
            row.kind != RowKind::CaseHead.as_str() && times.is_none_or(|times| row.standing <= *times)
        };
        let new: Vec<&WrittenRow> = written.iter().filter(is_new).collect();
        if new.is_empty() {
            return Ok(());
        }
        let own = store::own_register(&mut self.transaction).await?;
        let mut numbers = Vec::with_capacity(new.len());
        for row in new {
            let number = row.register_no.filter(|_| own.is_some() && row.register == own);
            numbers.push(number.ok_or_else(|| Problem::fault(WRONG))?);
        }
        numbers.sort_unstable();
        let dense = numbers.windows(2).all(|pair| matches!(pair, [one, next] if *next == one + 1));
        let (Some(first), Some(last)) = (numbers.first(), numbers.last()) else { return Ok(()) };
        let state = store::register_state(&mut self.transaction).await?.ok_or_else(|| Problem::fault(WRONG))?;
        let (account, before) = (self.account(), first - 1);
        let vouched = match state.tag.as_deref() {
            None => before == 0,
            tag => is_vouched(tag, &self.voucher().register(account, before)),
        };
        if !dense || state.length != *last || !vouched {
            return Err(Problem::fault(WRONG));
        }
        let tag = self.voucher().register(account, *last);
        Ok(store::tag_register(&mut self.transaction, &*tag).await?)
    }
}

/// A row comes in under its number; from then on its standings count. One that stands in no register has only those.
fn name(kind: RowKind, row: Uuid, place: Option<(Uuid, i64)>, standing: i64) -> Named {
    match (place, standing) {
        (Some((register, number)), 1) => Named::Registered { register, number },
        _ => Named::Standing { kind, row, standing },
    }
}
