//! Clear rows beside the ledger: none is missing from its register, each stands as its last entry says, and none was put
//! back.

use super::finding::Finding;
use super::store::{self, StoredRow};
use super::walk::{Doubt, Walk};
use crate::audit::mark::{Named, RowKind};
use futures_util::TryStreamExt as _;
use sqlx::PgConnection;
use std::collections::HashMap;
use uuid::Uuid;

impl Walk<'_> {
    /// Compares every clear row with the entries that speak of it, and every register with the rows that are there.
    pub(super) async fn rows(&mut self, connection: &mut PgConnection) -> Result<(), sqlx::Error> {
        let registers = store::registers(connection).await?;
        // The next number of each register, as far as its rows have come by.
        let mut next: HashMap<Uuid, i64> = registers.iter().map(|(account, _)| (*account, 1)).collect();
        let registers: HashMap<Uuid, Uuid> = registers.into_iter().collect();
        {
            let mut rows = store::rows(connection);
            while let Some(row) = rows.try_next().await? {
                self.report.rows += 1;
                self.report.unregistered +=
                    u64::from(row.register_no.is_none() && row.kind != RowKind::CaseHead.as_str());
                let place = row.account.zip(row.register_no);
                let number = place.and_then(|(account, no)| Some((account, *registers.get(&account)?, no)));
                if let Some((account, register, no)) = number {
                    let expected = next.entry(account).or_insert(1);
                    let missing = *expected..no;
                    *expected = no.saturating_add(1);
                    // A row that was planted under a number far ahead is found for itself.
                    if self.came_in(register, no) {
                        self.gone(account, register, missing);
                    }
                }
                self.row(&row, number.map(|(_, register, no)| (register, no)));
            }
        }
        for (account, number) in next {
            let Some(register) = registers.get(&account) else { continue };
            // The rows at the end of a register leave no gap behind: what was entered under the numbers that follow?
            let end = (number..i64::MAX).find(|number| !self.came_in(*register, *number)).unwrap_or(number);
            self.gone(account, *register, number..end);
        }
        self.settle();
        Ok(())
    }

    fn came_in(&self, register: Uuid, number: i64) -> bool {
        self.entered(Named::Registered { register, number }).is_some() || self.was_struck(register, number)
    }

    fn was_struck(&self, register: Uuid, number: i64) -> bool {
        self.entered(Named::Struck { register, number }).is_some()
    }

    /// Numbers without a row, before one that was entered. Each was given to a row: it was struck off, or is gone, or the
    /// row's coming was never entered. One that was struck off as it stood is that row only if the ledger knows that it stood so:
    /// otherwise another was planted under its number.
    fn gone(&mut self, account: Uuid, register: Uuid, numbers: impl Iterator<Item = i64>) {
        for number in numbers {
            if self.was_struck(register, number) {
                continue;
            }
            let named = Named::StruckAsItStood { register, number };
            let (digests, finding) = (self.digests(named), Finding::RowGone { account, number });
            if digests.is_empty() {
                self.report.find(finding);
            } else if !self.came_as(register, number, &digests) {
                self.doubts.push(Doubt { named, digests, finding, found_if_entered: false });
            }
        }
    }

    /// Whether the row of a number came in with one of these digests.
    fn came_as(&self, register: Uuid, number: i64, digests: &[[u8; 32]]) -> bool {
        self.entered(Named::Registered { register, number }).is_some_and(|came| digests.contains(&came.digest))
    }

    fn row(&mut self, stored: &StoredRow, place: Option<(Uuid, i64)>) {
        let row = stored.id;
        let Ok(kind) = stored.kind.parse::<RowKind>() else {
            self.report.find(Finding::UnknownRow { row });
            return;
        };
        let came = place.map(|(register, number)| Named::Registered { register, number });
        let stands = |standing| Named::Standing { kind, row, standing };
        // One that stands in no register was there before the ledger, until it is changed.
        let now = if stored.standing > 1 || kind == RowKind::CaseHead { Some(stands(stored.standing)) } else { came };
        let mut found = Vec::new();
        for named in came.into_iter().chain(now.filter(|now| came != Some(*now))) {
            match self.entered(named) {
                None => found.push(Finding::RowNotEntered { kind, row }),
                Some(written) if written.times > 1 => found.push(Finding::RowEnteredTwice { kind, row }),
                Some(written) if Some(named) == now && written.digest[..] != stored.digest => {
                    found.push(Finding::RowChanged { kind, row });
                }
                Some(_) => {}
            }
        }
        let later = self.entered(stands(stored.standing.saturating_add(1))).is_some();
        if later || place.is_some_and(|(register, number)| self.was_struck(register, number)) {
            found.push(Finding::RowPutBack { kind, row });
        } else if let Some((register, number)) = place {
            let named = Named::StruckAsItStood { register, number };
            let digests = self.digests(named);
            if self.came_as(register, number, &digests) {
                found.push(Finding::RowPutBack { kind, row });
            } else if !digests.is_empty() {
                let finding = Finding::RowPutBack { kind, row };
                self.doubts.push(Doubt { named, digests, finding, found_if_entered: true });
            }
        }
        if kind.is_sealed() && !stored.sealed {
            found.push(Finding::ContentGone { kind, row });
        }
        for finding in found {
            self.report.find(finding);
        }
    }
}
