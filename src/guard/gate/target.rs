//! What somebody wants to do something to, and how they stand to it.

use crate::guard::action::Relation;
use crate::guard::outage;
use crate::guard::record::{CaseId, OrganisationId, RecordKind};
use crate::guard::session::Who;
use crate::guard::store;
use sqlx::PgConnection;
use uuid::Uuid;

/// What somebody wants to do something to.
#[derive(Clone, Copy)]
pub enum Target {
    /// Work that names no record yet: creating, listing.
    Kind(RecordKind),
    /// A call, a notice, the slip of one, a house, a consent; a task, an alert, a shift, an absence, an opening, a resolution.
    Record(RecordKind, Uuid),
    /// A placement, or what hangs on it: where the person arrives, the care, the consents.
    OnPlacement(RecordKind, Uuid),
    /// Something that hangs on a call, and the call.
    OnCall(RecordKind, Uuid, Uuid),
    /// Something that hangs on a notice, and the notice.
    OnNotice(RecordKind, Uuid, Uuid),
    /// A case, or something on it: a section, a note, a person, an attachment.
    OnCase(RecordKind, CaseId, Uuid),
    /// Something of an organisation: its founding, its members, its CUSTODY, the policy that it answers for, its outages.
    OfOrganisation(RecordKind, Uuid, Uuid),
    /// The person's own account or session.
    Own(RecordKind, Uuid),
}

impl Target {
    pub(super) const fn kind(self) -> RecordKind {
        match self {
            Self::Kind(kind)
            | Self::Record(kind, _)
            | Self::OnPlacement(kind, _)
            | Self::OnCall(kind, ..)
            | Self::OnNotice(kind, ..)
            | Self::OnCase(kind, ..)
            | Self::OfOrganisation(kind, ..)
            | Self::Own(kind, _) => kind,
        }
    }

    pub(super) const fn named(self) -> Option<Uuid> {
        match self {
            Self::Kind(_) => None,
            Self::Record(_, id)
            | Self::OnPlacement(_, id)
            | Self::OnCall(_, _, id)
            | Self::OnNotice(_, _, id)
            | Self::OnCase(_, _, id)
            | Self::OfOrganisation(_, _, id)
            | Self::Own(_, id) => Some(id),
        }
    }

    pub(super) const fn case(self) -> Option<CaseId> {
        match self {
            Self::OnCase(_, case, _) => Some(case),
            _ => None,
        }
    }
}

/// How a person stands to a target, as the database says it under their own session.
///
/// # Errors
/// When the database does not answer.
pub(super) async fn relations_in(
    connection: &mut PgConnection,
    who: &Who,
    target: Target,
) -> Result<Vec<Relation>, sqlx::Error> {
    match target {
        Target::Record(RecordKind::Call, id) | Target::OnCall(_, id, _) => {
            store::relations_to_call(connection, who.account, id).await
        }
        Target::Record(RecordKind::Accommodation | RecordKind::Address, id) => {
            store::relations_to_house(connection, id).await
        }
        Target::OnPlacement(RecordKind::Care, id) => store::relations_to_care(connection, who.account, id).await,
        Target::OnPlacement(_, id) => store::relations_to_placement(connection, who.account, id).await,
        Target::Record(RecordKind::Consent, id) => store::relations_to_consent(connection, who.account, id).await,
        Target::Record(RecordKind::Session, id) => store::relations_to_session(connection, id).await,
        Target::Record(RecordKind::Task, id) => store::relations_to_task(connection, who.account, id).await,
        Target::Record(RecordKind::Alert, id) => store::relations_to_alert(connection, who.account, id).await,
        Target::Record(RecordKind::Direction, id) => store::relations_to_waiting_notice(connection, id).await,
        Target::Record(RecordKind::Shift, id) => store::relations_to_shift(connection, id).await,
        Target::Record(RecordKind::Opening, id) => store::relations_to_opening(connection, who.account, id).await,
        Target::OfOrganisation(RecordKind::Custody, organisation, _) => {
            let responsible = who.member.as_ref().is_some_and(|m| m.responsible && m.organisation.0 == organisation);
            let mut found = store::relations_to_custody(connection, organisation).await?;
            found.extend(responsible.then_some(Relation::ResponsibleOf));
            Ok(found)
        }
        Target::OfOrganisation(RecordKind::Succession, organisation, id) => {
            let responsible = who.member.as_ref().is_some_and(|m| m.responsible && m.organisation.0 == organisation);
            let mut found: Vec<_> = responsible.then_some(Relation::ResponsibleOf).into_iter().collect();
            found.extend(store::relations_to_custody(connection, organisation).await?);
            // The list is asked for by the organisation.
            let named = (id != organisation).then_some(id);
            found.extend(store::relations_to_succession(connection, who.account, organisation, named).await?);
            Ok(found)
        }
        Target::OfOrganisation(RecordKind::Policy, organisation, _) => {
            let responsible = who.member.as_ref().is_some_and(|m| m.responsible && m.organisation.0 == organisation);
            Ok(responsible.then_some(Relation::ResponsibleOf).into_iter().collect())
        }
        Target::Record(RecordKind::Resolution, id) => store::relations_to_resolution(connection, who.account, id).await,
        Target::OfOrganisation(RecordKind::Outage, organisation, _) => {
            let member = who.member.as_ref();
            Ok(member.map(|member| outage::relation(member, OrganisationId(organisation))).into_iter().collect())
        }
        Target::Record(RecordKind::Absence, id) => store::relations_to_absence(connection, who.account, id).await,
        Target::Record(_, id) | Target::OnNotice(_, id, _) => {
            store::relations_to_notice(connection, who.account, id).await
        }
        Target::OnCase(_, case, _) => store::relations_to_case(connection, case.0).await,
        Target::OfOrganisation(_, organisation, _) => {
            let member = who.member.as_ref().is_some_and(|m| m.responsible && m.organisation.0 == organisation);
            let founder = organisation == who.organisation.0
                && store::is_founder(connection, who.account, who.organisation).await?;
            Ok((member || founder).then_some(Relation::ResponsibleOf).into_iter().collect())
        }
        Target::Kind(_) | Target::Own(..) => Ok(vec![]),
    }
}
