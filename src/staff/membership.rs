//! Admitting a member: one responsible person proposes a role for keys that the person read out, the other countersigns.
//! Nothing is readable by it until a case is assigned.

use super::founding::statement_fault;
use super::model::{
    Countersignature, Made, MemberView, MembershipMade, NewMembership, key_fingerprint, same_fingerprint,
};
use super::store;
use crate::audit::unit::Unit;
use crate::guard::gate::{Target, kinds, verbs};
use crate::guard::look::Look;
use crate::guard::record::{AccountId, MembershipId, OrganisationId, RecordKind};
use crate::guard::statement::{self, MembershipStatement, StatementError, hex};
use crate::guard::trust::check_membership;
use crate::platform::app::App;
use crate::platform::http::{Answer, Body, Id, IdempotencyKey, InPath, Listed, Page, Paged, SignedIn};
use crate::platform::problem::{Problem, ProblemDocument};
use axum::Json;
use axum::extract::State;
use uuid::Uuid;

/// List the people of the organisation, with what waits for a signature.
#[utoipa::path(operation_id = "membership_list", get, path = "/api/v1/organisations/{id}/members", tag = "staff", params(Page, ("id" = Uuid, Path)),
    responses((status = 200, body = Listed<MemberView>), (status = "4XX", body = ProblemDocument)))]
pub async fn list(
    State(app): State<App>,
    SignedIn(who): SignedIn,
    Id(id): Id,
    paged: Result<Paged, Problem>,
) -> Result<Json<Listed<MemberView>>, Problem> {
    let target = Target::OfOrganisation(RecordKind::Membership, id, id);
    let leave = app.gate.authorize::<verbs::List, kinds::Membership>(&who, target, None).await?;
    let mut look = Look::begin(&app.places, leave).await?;
    let paged = paged?;
    let rows = store::members(&mut look, paged.after_id()?, paged.most()).await?;
    let page = paged.page(rows, |row| row.account).try_map(|row| -> Result<MemberView, Problem> {
        let fingerprint = row.note.as_deref().map(statement::fingerprint).transpose().map_err(statement_fault)?;
        Ok(MemberView {
            account: AccountId(row.account),
            key_fingerprint: row.keys().as_ref().map(key_fingerprint),
            handle: row.handle,
            membership: row.membership.map(MembershipId),
            statement: row.note,
            fingerprint: fingerprint.map(|digest| hex(&digest)),
            admitted: row.complete.unwrap_or(false),
            disabled: row.disabled,
        })
    })?;
    look.conclude(page.items.iter().map(|item| item.account.0).collect(), vec![]).await?.spend();
    Ok(Json(page))
}

/// Propose a member, as one of the two responsible persons.
#[utoipa::path(operation_id = "membership_propose", post, path = "/api/v1/organisations/{id}/members", tag = "staff", request_body = NewMembership,
    params(("id" = Uuid, Path), ("Idempotency-Key" = String, Header)),
    responses((status = 201, body = MembershipMade), (status = "4XX", body = ProblemDocument)))]
pub async fn propose(
    State(app): State<App>,
    SignedIn(who): SignedIn,
    Id(id): Id,
    key: IdempotencyKey,
    body: Body<NewMembership>,
) -> Result<Answer, Problem> {
    let target = Target::OfOrganisation(RecordKind::Membership, id, id);
    let leave = app.gate.authorize::<verbs::Propose, kinds::Membership>(&who, target, None).await?;
    let once = key.for_body(&who, &body.raw())?;
    let new = body.check()?;
    let mut unit = Unit::begin(&app.places, leave).await?;
    if let Some(answer) = once.replay(&mut unit).await? {
        return Ok(answer);
    }
    let organisation = OrganisationId(id);
    // What is proposed to the two before is taken back when others follow: nothing slips in between.
    unit.serialise(id).await?;
    let Some(founding) = unit.founding(organisation).await? else {
        return Err(unit.refuse(id, Problem::absent()).await);
    };
    if !founding.kind.roles().contains(&new.role) {
        return Err(Problem::field("role", "does not belong to this kind of organisation"));
    }
    let keys = store::keys_of(&mut unit, new.account, organisation)
        .await?
        .ok_or_else(|| Problem::field("account", "is no account of this organisation that has made keys"))?;
    if !same_fingerprint(&new.key_fingerprint, &key_fingerprint(&keys)) {
        return Err(Problem::field(
            "key_fingerprint",
            "is not that of the stored keys. Ask the person again; if it still differs, tell the auditor",
        ));
    }
    let statement = MembershipStatement {
        membership: MembershipId::random(),
        organisation,
        account: new.account,
        role: new.role,
        keys: keys.into(),
        made_at: unit.now(),
    };
    let note = statement::sign(&statement, who.account, &who.keys).map_err(statement_fault)?;
    let fresh = store::insert_membership(&mut unit, statement.membership, new.account, organisation, &note).await?;
    if !fresh {
        return Err(Problem::illegal("member_already", "This person has a membership, or one waits for a signature."));
    }
    unit.touch(statement.membership.0);
    let fingerprint = hex(&statement::fingerprint(&note).map_err(statement_fault)?);
    let answer = Answer::created(&MembershipMade { id: statement.membership, fingerprint })?;
    once.remember(&mut unit, &answer).await?;
    let _committed = unit.commit().await?;
    Ok(answer)
}

/// Countersign a membership, as the other responsible person.
#[utoipa::path(operation_id = "membership_countersign", post, path = "/api/v1/organisations/{id}/members/{membership}/countersign", tag = "staff",
    request_body = Countersignature, params(("id" = Uuid, Path), ("membership" = Uuid, Path)),
    responses((status = 200, body = Made), (status = "4XX", body = ProblemDocument)))]
pub async fn countersign(
    State(app): State<App>,
    SignedIn(who): SignedIn,
    InPath((id, membership)): InPath<(Uuid, Uuid)>,
    body: Body<Countersignature>,
) -> Result<Answer, Problem> {
    let target = Target::OfOrganisation(RecordKind::Membership, id, membership);
    let leave = app.gate.authorize::<verbs::Countersign, kinds::Membership>(&who, target, None).await?;
    let read = body.check()?;
    let mut unit = Unit::begin(&app.places, leave).await?;
    // A founding that follows names everybody who is a member: nobody becomes one beside it.
    unit.serialise(id).await?;
    let Some(note) = store::membership_to_sign(&mut unit).await? else {
        return Err(unit.refuse(membership, Problem::absent()).await);
    };
    if !same_fingerprint(&read.fingerprint, &hex(&statement::fingerprint(&note).map_err(statement_fault)?)) {
        return Err(Problem::field("fingerprint", "is not that of the statement as it stands: read it again"));
    }
    let signed = statement::countersign(&note, who.account, &who.keys).map_err(statement_fault)?;
    let claimed: MembershipStatement = statement::unverified(&signed).map_err(statement_fault)?;
    if claimed.organisation.0 != id || claimed.membership.0 != membership {
        return Err(Problem::fault("a membership statement does not belong to its row"));
    }
    // Exactly what every reader will check: both responsible persons' signatures, and the role.
    let Some(founding) = unit.founding(claimed.organisation).await? else {
        return Err(unit.refuse(membership, Problem::absent()).await);
    };
    check_membership(&signed, &founding).map_err(|_| statement_fault(StatementError::NotSigned))?;
    store::complete_membership(&mut unit, &signed).await?;
    let _committed = unit.commit().await?;
    Answer::ok(&Made { id: membership })
}
