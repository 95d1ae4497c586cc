//! The question that every sharing asks: may this recipient see this section of this person, for this purpose?
//!
//! Each row counts only with the service's own code: whoever holds the database cannot say yes in the person's place. A row
//! that was hidden is found by the verifier.

use super::model::{ConsentState, Section};
use super::store::{self, Spoken};
use crate::audit::unit::Unit;
use crate::guard::action::Purpose;
use crate::guard::gate::{self, Does};
use crate::guard::record::{AccountId, CaseId, OrganisationId, SubjectId};
use crate::guard::vouch::{SaidFacts, is_vouched};
use crate::platform::problem::Problem;
use chrono::{DateTime, Utc};

/// Whose section is to be shared, and with whom.
pub struct About {
    pub case: CaseId,
    pub person: SubjectId,
    pub recipient: OrganisationId,
    pub section: Section,
}

/// The person's word on it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Word {
    /// "Do not share with X": it wins.
    Refused,
    Nothing,
    /// Until then, if there is an end.
    Given(Option<DateTime<Utc>>),
}

/// What the person said, for one purpose. A consent counts that somebody else than the recipient recorded.
///
/// # Errors
/// A fault when a row was not stored by this service.
pub(crate) async fn word<V: Does, K: gate::About>(
    unit: &mut Unit<V, K>,
    about: &About,
    purpose: Purpose,
) -> Result<Word, Problem> {
    let (now, mut word) = (unit.now(), Word::Nothing);
    for said in store::spoken(unit, about).await? {
        if !is_vouched(Some(&said.vouch), &unit.voucher().consent(&facts(about, &said))) {
            return Err(Problem::fault("a consent was not stored by this service"));
        }
        if said.state == ConsentState::Refused.as_str() {
            return Ok(Word::Refused);
        }
        let counts = said.state == ConsentState::Given.as_str()
            && said.purpose == purpose.as_str()
            && said.expires_at.is_none_or(|end| end > now);
        if !counts {
            continue;
        }
        let recorded_by = unit.signer(AccountId(said.recorded_by)).await?;
        if recorded_by.is_some_and(|member| member.organisation != about.recipient) {
            word = longer(word, said.expires_at);
        }
    }
    Ok(word)
}

/// Of two consents the one that lasts longer counts.
fn longer(word: Word, until: Option<DateTime<Utc>>) -> Word {
    match (word, until) {
        (Word::Given(Some(one)), Some(other)) => Word::Given(Some(one.max(other))),
        (Word::Given(None), _) => word,
        (_, until) => Word::Given(until),
    }
}

fn facts<'a>(about: &About, said: &'a Spoken) -> SaidFacts<'a> {
    SaidFacts {
        consent: said.id,
        case: about.case.0,
        person: about.person.0,
        placement: said.placement,
        recipient: about.recipient.0,
        recorded_by: said.recorded_by,
        purpose: &said.purpose,
        section: about.section.as_str(),
        state: &said.state,
        standing: said.standing,
        expires_at: said.expires_at,
    }
}

/// Whoever shares something of a person, and whoever takes a consent back, wait for each other: they hold all placements of
/// the person, in one order.
///
/// # Errors
/// When the database does not answer.
pub(crate) async fn hold<V: Does, K: gate::About>(
    unit: &mut Unit<V, K>,
    case: CaseId,
    person: SubjectId,
) -> Result<(), Problem> {
    for placement in store::placements_of(unit, case, person).await? {
        unit.serialise(placement).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_consent_that_lasts_longest_counts() {
        let (one, other) = (DateTime::from_timestamp(1, 0), DateTime::from_timestamp(2, 0));
        assert_eq!(longer(Word::Nothing, one), Word::Given(one));
        assert_eq!(longer(Word::Given(other), one), Word::Given(other));
        assert_eq!(longer(Word::Given(one), other), Word::Given(other));
        assert_eq!(longer(Word::Given(None), one), Word::Given(None));
        assert_eq!(longer(Word::Given(one), None), Word::Given(None));
    }
}
