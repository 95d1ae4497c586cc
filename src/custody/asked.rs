//! What was asked for: the statement that whoever asks signs, and that both custodians confirm. The row beside it is for lists;
//! what is done follows the statement.

use super::model::{FOR_EMERGENCY, OpeningState, Why};
use super::store;
use crate::audit::unit::Unit;
use crate::cases::by_custody::LetIn;
use crate::guard::gate::{About, Does};
use crate::guard::record::{AccountId, CaseId, OpeningId, OrganisationId, RecordKind};
use crate::guard::statement::{self, OpeningStatement, hex};
use crate::guard::vouch::is_vouched;
use crate::platform::problem::Problem;
use crate::staff::model::{Countersignature, same_fingerprint};
use chrono::{DateTime, Utc};

/// An opening that is held until this unit ends.
pub(super) struct Held {
    pub id: OpeningId,
    pub organisation: OrganisationId,
    pub why: Why,
    pub person: Option<AccountId>,
    pub sections: Vec<RecordKind>,
    pub hours: i16,
    pub cases: Vec<CaseId>,
    pub invoked_by: AccountId,
    pub state: OpeningState,
    pub lapses_at: DateTime<Utc>,
    pub first: Option<AccountId>,
    pub second: Option<AccountId>,
    print: String,
}

impl Held {
    /// What the two custodians let the person do on each case.
    pub(super) fn lets_in(&self) -> LetIn {
        match self.why {
            Why::Emergency => LetIn::Emergency { sections: self.sections.clone(), hours: self.hours.into() },
            Why::NobodyLeft | Why::Renewal => LetIn::NobodyLeft,
        }
    }

    /// The same with the time that the first custodian leaves to the second.
    pub(super) fn until(self, lapses_at: DateTime<Utc>) -> Self {
        Self { lapses_at, ..self }
    }

    /// Whether a custodian confirms this opening and no other.
    ///
    /// # Errors
    /// 422 `fingerprint`.
    pub(super) fn confirmed(&self, read: &Countersignature) -> Result<(), Problem> {
        if same_fingerprint(&read.fingerprint, &self.print) {
            return Ok(());
        }
        Err(Problem::field("fingerprint", "is not that of the opening as it was asked for: read it again"))
    }
}

/// Holds the opening that this unit is about; nothing when it is not the person's to see.
///
/// # Errors
/// A fault when what lies there was not asked for through this service by who signed it.
pub(super) async fn hold<V: Does, K: About>(unit: &mut Unit<V, K>) -> Result<Option<Held>, Problem> {
    let id = OpeningId(unit.id());
    let Some(row) = store::hold(unit).await? else { return Ok(None) };
    let forged = || Problem::fault("an opening is not what was asked for");
    let claimed: OpeningStatement = statement::unverified(&row.note).map_err(|_| forged())?;
    let vouch = unit.voucher().opening(id, claimed.invoked_by, &row.note);
    let signer = unit.signer(claimed.invoked_by).await?.ok_or_else(forged)?;
    let stated: OpeningStatement =
        statement::verified(&row.note, &[(signer.account, signer.keys.sign)]).map_err(|_| forged())?;
    let why: Why = stated.why.parse().map_err(|_| forged())?;
    let cases: Vec<CaseId> = store::cases(unit, id).await?.into_iter().map(|(case, _)| case).collect();
    let fits = is_vouched(Some(row.vouch.as_slice()), &vouch)
        && stated.opening == id
        && stated.invoked_by == signer.account
        && stated.cases == cases
        && is_whole(why, &stated);
    if !fits {
        return Err(forged());
    }
    let print = hex(&statement::fingerprint(&row.note).map_err(|_| forged())?);
    Ok(Some(Held {
        id,
        organisation: stated.organisation,
        why,
        person: stated.person,
        sections: stated.sections,
        hours: stated.hours,
        cases,
        invoked_by: stated.invoked_by,
        state: row.state,
        lapses_at: row.lapses_at,
        first: row.first,
        second: row.second,
        print,
    }))
}

/// One case and some sections for who asks, in an emergency; cases for a colleague, where nobody is left; nothing, to renew.
fn is_whole(why: Why, stated: &OpeningStatement) -> bool {
    let one_time = (1..=4).contains(&stated.hours);
    match why {
        Why::Emergency => {
            let asked = !stated.sections.is_empty() && stated.sections.iter().all(|kind| FOR_EMERGENCY.contains(kind));
            stated.cases.len() == 1 && stated.person == Some(stated.invoked_by) && asked && one_time
        }
        Why::NobodyLeft => {
            !stated.cases.is_empty() && stated.person.is_some() && stated.sections.is_empty() && stated.hours == 0
        }
        Why::Renewal => {
            stated.cases.is_empty() && stated.person.is_none() && stated.sections.is_empty() && stated.hours == 0
        }
    }
}
