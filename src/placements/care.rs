//! Care: what the carers of a placement write down, medical and psychological, and the assistance that they give. They make
//! it and hold its key; officers hold it only with the person's consent. It goes on when the stay is over.

use super::sealing;
use super::store::{self, Row};
use crate::audit::unit::Unit;
use crate::consents::{self, Word};
use crate::guard::action::Purpose;
use crate::guard::gate::{About, Does, Target, kinds, verbs};
use crate::guard::look::Look;
use crate::guard::record::{PlacementId, RecordKind};
use crate::guard::store::WrapWrite;
use crate::guard::vault::{self, Placement, Sealed, SealingKey};
use crate::guard::words::words;
use crate::platform::app::App;
use crate::platform::http::{Answer, Body, Id, IfMatch, SignedIn, Stated};
use crate::platform::problem::{Problem, ProblemDocument};
use axum::Json;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use chrono::{DateTime, Utc};
use garde::Validate;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

words! {
    /// What assistance is (plan, section 3b).
    pub enum Service {
        Medical = "medical",
        Psychological = "psychological",
        Legal = "legal",
        Interpreting = "interpreting",
        Education = "education",
        Work = "work",
        Material = "material",
        FamilyContact = "family_contact",
    }
}

words! {
    /// Where one item of assistance stands. Declining one never ends another (R26).
    pub enum Assisted {
        Offered = "offered",
        Declined = "declined",
        Accepted = "accepted",
        Scheduled = "scheduled",
        Delivered = "delivered",
        Reviewed = "reviewed",
    }
}

/// One item of assistance.
#[derive(Deserialize, Serialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Assistance {
    #[garde(skip)]
    pub service: Service,
    #[garde(skip)]
    pub state: Assisted,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[garde(length(chars, max = 4000))]
    #[schema(max_length = 4000)]
    pub notes: Option<String>,
}

/// What carers write down. The whole of it is sent.
#[derive(Deserialize, Serialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Care {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[garde(length(chars, max = 20_000))]
    #[schema(max_length = 20000)]
    pub medical: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[garde(length(chars, max = 20_000))]
    #[schema(max_length = 20000)]
    pub psychological: Option<String>,
    /// The individual plan, in the person's own words where possible.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[garde(length(chars, max = 20_000))]
    #[schema(max_length = 20000)]
    pub plan: Option<String>,
    #[serde(default)]
    #[garde(length(max = 200), dive)]
    #[schema(max_items = 200)]
    pub assistance: Vec<Assistance>,
}

/// As it is sealed.
#[derive(Deserialize, Serialize)]
struct CareContent {
    schema_version: u16,
    placement: PlacementId,
    care: Care,
}

const SCHEMA_VERSION: u16 = 1;

/// Stored.
#[derive(Deserialize, Serialize, ToSchema)]
pub struct CareStored {
    pub version: i64,
    /// Whether the squad's officers on the case hold it now, by the person's consent.
    pub shared: bool,
}

/// Read the care of a placement.
#[utoipa::path(operation_id = "read_care", get, path = "/api/v1/placements/{id}/care", tag = "placements",
    params(("id" = PlacementId, Path), ("Purpose" = inline(Purpose), Header)),
    responses((status = 200, description = "`ETag` is its version.", body = Care), (status = "4XX", body = ProblemDocument)))]
pub async fn read(
    State(app): State<App>,
    SignedIn(who): SignedIn,
    Id(id): Id,
    Stated(purpose): Stated,
) -> Result<Response, Problem> {
    let target = Target::OnPlacement(RecordKind::Care, id);
    let leave = app.gate.authorize::<verbs::Read, kinds::Care>(&who, target, purpose).await?;
    let mut look = Look::begin(&app.places, leave).await?;
    let care = store::looked_at(&mut look).await?.and_then(|row| row.care);
    let Some(care) = care else { return Err(look.conclude_absent().await) };
    let Some(sealed) = look.fetch::<CareContent>(&[care]).await?.pop() else {
        return Err(look.conclude_absent().await);
    };
    let version = sealed.version();
    let receipt = look.conclude(vec![id, care], vec![(care, version)]).await?;
    let opened = vault::open(receipt, &who, vec![sealed])?.pop().ok_or_else(Problem::absent)?.disclose();
    if opened.placement.0 != id || opened.schema_version != SCHEMA_VERSION {
        return Err(vault::VaultError::Tampered.into());
    }
    Ok(([(header::ETAG, format!("\"{version}\""))], Json(opened.care)).into_response())
}

/// Write the care of a placement: the first time with `If-Match: "0"`.
#[utoipa::path(operation_id = "write_care", put, path = "/api/v1/placements/{id}/care", tag = "placements",
    request_body = Care, params(("id" = PlacementId, Path), ("If-Match" = String, Header)),
    responses((status = 200, body = CareStored), (status = "4XX", body = ProblemDocument)))]
pub async fn write(
    State(app): State<App>,
    SignedIn(who): SignedIn,
    Id(id): Id,
    if_match: IfMatch,
    body: Body<Care>,
) -> Result<Answer, Problem> {
    let target = Target::OnPlacement(RecordKind::Care, id);
    let leave = app.gate.authorize::<verbs::Write, kinds::Care>(&who, target, None).await?;
    let care = body.check()?;
    let mut unit = Unit::begin(&app.places, leave).await?;
    let row = super::held_with_all(&mut unit).await?;
    let before = match row.care {
        Some(care) => match unit.fetch::<CareContent>(&[care]).await?.pop() {
            Some(sealed) => Some(sealed),
            None => return Err(unit.refuse(id, Problem::absent()).await),
        },
        None => None,
    };
    if_match.check(before.as_ref().map_or(0, Sealed::version))?;
    // Who named the carers is none by that.
    if !sealing::content(&mut unit, &row).await?.workers.contains(&who.account) {
        return Err(unit.refuse(id, Problem::absent()).await);
    }
    let shared = match row.care {
        Some(_) => store::is_shared(&mut unit, &row).await?,
        None => false,
    };
    let content = CareContent { schema_version: SCHEMA_VERSION, placement: row.shown.id, care };
    let stored = seal(&mut unit, &row, before, shared, |_| content).await?;
    let _committed = unit.commit().await?;
    Ok(Answer::ok(&stored)?.version(stored.version))
}

/// Share the care with the squad's officers on the case. Refused without the person's consent in force: purpose
/// `case_work`, recipient the squad, section `care`.
#[utoipa::path(operation_id = "share_care", post, path = "/api/v1/placements/{id}/care/share", tag = "placements",
    params(("id" = PlacementId, Path)),
    responses((status = 200, body = CareStored), (status = "4XX", body = ProblemDocument)))]
pub async fn share(State(app): State<App>, SignedIn(who): SignedIn, Id(id): Id) -> Result<Answer, Problem> {
    let target = Target::OnPlacement(RecordKind::Care, id);
    let leave = app.gate.authorize::<verbs::Share, kinds::Care>(&who, target, None).await?;
    let mut unit = Unit::begin(&app.places, leave).await?;
    let row = super::held_with_all(&mut unit).await?;
    let Some(care) = row.care else { return Err(unit.refuse(id, Problem::absent()).await) };
    let Some(sealed) = unit.fetch::<CareContent>(&[care]).await?.pop() else {
        return Err(unit.refuse(id, Problem::absent()).await);
    };
    if !matches!(squads_word(&mut unit, &row).await?, Word::Given(_)) {
        return Err(Problem::illegal(
            "no_consent",
            "There is no consent in force that the squad sees this person's care. Nothing was shared.",
        ));
    }
    let stored = seal(&mut unit, &row, Some(sealed), true, |content| content).await?;
    let _committed = unit.commit().await?;
    Ok(Answer::ok(&stored)?.version(stored.version))
}

/// What the person says about the squad and their care.
async fn squads_word<V: Does, K: About>(unit: &mut Unit<V, K>, row: &Row) -> Result<Word, Problem> {
    let about =
        consents::About { case: row.case, person: row.person, recipient: row.squad, section: consents::Section::Care };
    consents::word(unit, &about, Purpose::CaseWork).await
}

/// Seals the care anew, with a fresh key: to the workers whom the placement names now, and where it is shared to the
/// officers who hold the placement, as long as the person consents.
async fn seal<V: Does, K: About>(
    unit: &mut Unit<V, K>,
    row: &Row,
    before: Option<Sealed<CareContent>>,
    share: bool,
    change: impl FnOnce(CareContent) -> CareContent,
) -> Result<CareStored, Problem> {
    let placement = sealing::content(unit, row).await?;
    let mut people = sealing::members_of(unit, row.shelter, &placement.workers).await?;
    people.push(sealing::custody(unit, row.shelter).await?);
    let mut officers = Vec::new();
    let mut until = None;
    if share && let Word::Given(end) = squads_word(unit, row).await? {
        officers = sealing::officers(unit, row, &placement.officers, None).await?;
        until = end;
    }
    let shared = !officers.is_empty();
    let Some(sealed) = before else {
        let record = crate::platform::random::uuid();
        let key = unit.new_key(record).await?;
        let place = Placement { record, kind: RecordKind::Care, case: None, key_id: record, epoch: 1, version: 1 };
        let empty = Care { medical: None, psychological: None, plan: None, assistance: vec![] };
        let first = CareContent { schema_version: SCHEMA_VERSION, placement: row.shown.id, care: empty };
        unit.put(&place, &key, &change(first)).await?;
        let mut wraps = sealing::wraps(&key, &people, 1)?;
        wraps.extend(shared_wraps(unit, row, &key, &officers, until, 1).await?);
        unit.insert_wraps(&wraps).await?;
        store::set_care(unit, row.shown.id, record).await?;
        return Ok(CareStored { version: 1, shared });
    };
    let record = sealed.record();
    let key = SealingKey::of(&unit.who().keys, &sealed)?.renewed();
    let (epoch, version) = (sealed.epoch() + 1, sealed.version() + 1);
    let place = Placement { record, kind: RecordKind::Care, case: None, key_id: record, epoch, version };
    let of = row.shown.id;
    unit.put_from(&place, &key, &sealed, |content: CareContent| {
        if content.placement == of { Ok(change(content)) } else { Err(vault::VaultError::Tampered.into()) }
    })
    .await?;
    let mut wraps = sealing::wraps(&key, &people, epoch)?;
    wraps.extend(shared_wraps(unit, row, &key, &officers, until, epoch).await?);
    unit.replace_all_wraps(record, &wraps).await?;
    Ok(CareStored { version, shared })
}

/// Wraps of the care's key to officers: what is shared for a time ends with it, for the keys as well.
async fn shared_wraps<V: Does, K: About>(
    unit: &mut Unit<V, K>,
    row: &Row,
    key: &SealingKey,
    officers: &[store::Officer],
    until: Option<DateTime<Utc>>,
    epoch: i32,
) -> Result<Vec<WrapWrite>, Problem> {
    let mut wraps = sealing::officer_wraps(unit, row.squad, key, officers, epoch).await?;
    for wrap in &mut wraps {
        wrap.active_until = [wrap.active_until, until].into_iter().flatten().min();
    }
    Ok(wraps)
}
