//! The signed head of a case: version and digest of everything sealed on it, as its last writer left it. An older version
//! put back, a record added or one taken away does not agree with it.
//!
//! Who writes locks the case and compares the head with everything there ([`lock_and_check`]), writes, and signs the next
//! head in the same unit ([`sign_new_head`]). Who reads compares what is opened with the head ([`vouched`]).

use super::bars;
use super::model::CaseRow;
use super::renewal;
use super::store::{self, HeadRow, Line};
use super::team;
use crate::audit::unit::Unit;
use crate::guard::gate::{About, Does};
use crate::guard::look::Look;
use crate::guard::record::{CaseId, GrantId};
use crate::guard::statement::{self, BarLine, CaseHead, HeadLine, TeamLine, hex};
use crate::guard::trust::{Member, Trust};
use crate::guard::vault::Sealed;
use crate::guard::vouch::is_vouched;
use crate::platform::problem::Problem;
use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use std::sync::Arc;
use uuid::Uuid;

const DISAGREES: &str = "a case does not agree with its signed head";

/// How often a reader looks again when writers keep coming in between the head and the records.
pub(super) const ATTEMPTS: u8 = 8;

/// A locked case whose head agrees with everything sealed on it.
pub(super) struct Checked {
    pub case: CaseRow,
    pub head: Arc<CaseHead>,
    pub lines: Vec<Line>,
}

/// Locks a case for writing, and compares its head with everything sealed on it.
///
/// # Errors
/// Absent when access has ended meanwhile; a fault when head and records do not agree.
pub(super) async fn lock<V: Does, K: About>(unit: &mut Unit<V, K>, case: CaseId) -> Result<Checked, Problem> {
    let row = store::lock(unit, case).await?.ok_or_else(Problem::absent)?;
    let head = to_replace(unit, case).await?;
    let lines = store::lines(unit, case).await?;
    let notes = store::count_notes(unit, case).await?;
    // Every permission's signature, and the relation that it states, at each write.
    team::members(unit, &row).await?;
    let team = store::grants(unit, case).await?;
    // Fewer than the head lists is well: a supervisor ended somebody's access, and signs no head.
    let listed = team.iter().filter(|grant| grant.in_force).all(|grant| head.team.contains(&grant.line()));
    // A bar that was taken away would let somebody in; a new one is listed by whoever writes next.
    let bars = bars::of_case(unit, &row).await?;
    let kept = head.bars.iter().all(|line| bars.iter().any(|bar| bar.line == *line));
    if !listed || !kept || head.notes != notes || !head.sealed.iter().eq(lines.iter().map(|line| &line.head)) {
        return Err(Problem::fault(DISAGREES));
    }
    Ok(Checked { case: row, head, lines })
}

/// [`lock`], and the new epoch if one is pending: what every unit does before it writes to a case.
///
/// # Errors
/// As [`lock`].
pub(crate) async fn lock_and_check<V: Does, K: About>(unit: &mut Unit<V, K>, case: CaseId) -> Result<CaseRow, Problem> {
    let checked = lock(unit, case).await?;
    renewal::complete(unit, checked).await
}

/// Signs the head that follows, after everything of this unit is written to the case.
///
/// # Errors
/// A fault when something is on the case that neither the old head nor this person's own writing accounts for.
pub(crate) async fn sign_new_head<V: Does, K: About>(unit: &mut Unit<V, K>, case: CaseId) -> Result<(), Problem> {
    let old = to_replace(unit, case).await?;
    sign_after(unit, case, &old, &[]).await
}

/// [`sign_new_head`] by who compared the old head already: a new epoch makes it older than the case.
///
/// # Errors
/// As [`sign_new_head`].
pub(super) async fn sign_after<V: Does, K: About>(
    unit: &mut Unit<V, K>,
    case: CaseId,
    old: &CaseHead,
    leaving: &[GrantId],
) -> Result<(), Problem> {
    sign(unit, case, Some(old), leaving).await
}

/// Signs the first head of a case that this unit makes.
///
/// # Errors
/// As [`sign_new_head`].
pub(super) async fn sign_first<V: Does, K: About>(unit: &mut Unit<V, K>, case: CaseId) -> Result<(), Problem> {
    sign(unit, case, None, &[]).await
}

async fn sign<V: Does, K: About>(
    unit: &mut Unit<V, K>,
    case: CaseId,
    old: Option<&CaseHead>,
    leaving: &[GrantId],
) -> Result<(), Problem> {
    let row = store::lock(unit, case).await?.ok_or_else(Problem::absent)?;
    let lines = store::lines(unit, case).await?;
    let notes = store::count_notes(unit, case).await?;
    let who = unit.who();
    let known = old.map_or_else(Vec::new, |head| head.sealed.iter().collect());
    let own = lines.iter().all(|line| line.author == who.account || known.contains(&&line.head));
    let none_gone = known.iter().all(|old| lines.iter().any(|line| line.head.record == old.record));
    let in_force = store::grants(unit, case).await?.into_iter().filter(|grant| grant.in_force);
    let team: Vec<TeamLine> =
        in_force.filter(|grant| !leaving.contains(&grant.grant)).map(|grant| grant.line()).collect();
    // A permission is new only if this very unit gave it: an old one put back meanwhile is not.
    let given =
        team.iter().all(|grant| old.is_none_or(|head| head.team.contains(grant)) || unit.has_touched(grant.grant.0));
    if !own || !given || !none_gone || old.is_some_and(|head| head.notes > notes) {
        return Err(Problem::fault(DISAGREES));
    }
    let bars: Vec<BarLine> = bars::of_case(unit, &row).await?.into_iter().map(|bar| bar.line).collect();
    if !old.is_none_or(|head| head.bars.iter().all(|line| bars.contains(line))) {
        return Err(Problem::fault(DISAGREES));
    }
    let head = CaseHead {
        case,
        number: old.map_or(1, |head| head.number + 1),
        epoch: row.epoch,
        team,
        bars,
        notes,
        sealed: lines.into_iter().map(|line| line.head).collect(),
    };
    let note = statement::sign(&head, who.account, &who.keys)
        // The one thing that stops a head from being written is that a signed note has a largest size.
        .map_err(|_| Problem::illegal("case_full", "This case holds as much as one case can. Nothing was stored."))?;
    store::put_head(unit, case, head.number, &note).await
}

/// Fetches sealed records of a case together with the head that vouches for exactly these versions. Nothing when access
/// has ended meanwhile.
///
/// # Errors
/// A fault when the head does not vouch for what lies there.
pub(crate) async fn vouched<T, V: Does, K: About>(
    look: &mut Look<V, K>,
    case: CaseId,
    records: &[Uuid],
) -> Result<Option<(Arc<CaseHead>, Vec<Sealed<T>>)>, Problem> {
    let mut head = to_read(look, case).await?;
    for _ in 0..ATTEMPTS {
        let Some(before) = head else { return Ok(None) };
        let sealed = look.fetch(records).await?;
        if vouches(&before, records, &sealed, look.now()) {
            return Ok(Some((before, sealed)));
        }
        head = moved_on(look, case, &before).await?;
    }
    Err(busy())
}

/// Whether the head lists each of these records in exactly the version and bytes that were fetched, and the permission on
/// which the reader's key to it rests, with an end that is to come. A wrap is bound to its permission, and the head says
/// until when that counts: whoever moves the end in the database moves nothing.
pub(super) fn vouches<T>(head: &CaseHead, records: &[Uuid], sealed: &[Sealed<T>], now: DateTime<Utc>) -> bool {
    let counts = |line: &TeamLine| line.until.is_none_or(|until| until > now);
    let permitted = |grant: GrantId| head.team.iter().any(|line| line.grant == grant && counts(line));
    records.len() == sealed.len()
        && sealed.iter().all(|record| {
            let digest = hex(&record.digest());
            listed(head, &HeadLine { record: record.record(), version: record.version(), digest })
                && record.grant().is_none_or(permitted)
        })
}

fn listed(head: &CaseHead, line: &HeadLine) -> bool {
    head.sealed
        .binary_search_by_key(&line.record, |known| known.record)
        .is_ok_and(|place| head.sealed.get(place).is_some_and(|known| known == line))
}

/// The head after a disagreement. If nobody has written in between, the disagreement is real.
///
/// # Errors
/// A fault when the head is the same as before.
pub(super) async fn moved_on<V: Does, K: About>(
    look: &mut Look<V, K>,
    case: CaseId,
    before: &CaseHead,
) -> Result<Option<Arc<CaseHead>>, Problem> {
    match to_read(look, case).await? {
        Some(now) if now.number == before.number => Err(Problem::fault(DISAGREES)),
        now => Ok(now),
    }
}

pub(super) fn busy() -> Problem {
    Problem::away("case_busy", "This case is being written to. Try again.")
}

/// The head that a reader compares with; nothing when access has ended.
///
/// # Errors
/// A fault when the head is not believed.
pub(super) async fn to_read<V: Does, K: About>(
    look: &mut Look<V, K>,
    case: CaseId,
) -> Result<Option<Arc<CaseHead>>, Problem> {
    match store::head_to_read(look, case).await? {
        Some(row) => {
            let (connection, trust) = look.with_trust();
            believed(connection, trust, &row).await.map(Some)
        }
        None if store::reader_is_on_case(look, case).await? => Err(Problem::fault(DISAGREES)),
        None => Ok(None),
    }
}

async fn to_replace<V: Does, K: About>(unit: &mut Unit<V, K>, case: CaseId) -> Result<Arc<CaseHead>, Problem> {
    match store::head_to_replace(unit, case).await? {
        Some(row) => {
            let (connection, trust) = unit.with_trust();
            believed(connection, trust, &row).await
        }
        None if store::writer_is_on_case(unit, case).await? => Err(Problem::fault(DISAGREES)),
        None => Err(Problem::absent()),
    }
}

/// A head is believed when somebody of the case's organisation signed it for this case, number and epoch, and this
/// service stored it for them.
async fn believed(connection: &mut PgConnection, trust: &Trust, row: &HeadRow) -> Result<Arc<CaseHead>, Problem> {
    let signer = team::trusted(trust.signer(connection, row.signer).await)?;
    believed_of(trust, row, &signer)
}

/// [`believed`] with the signer's chain checked already.
pub(super) fn believed_of(trust: &Trust, row: &HeadRow, signer: &Member) -> Result<Arc<CaseHead>, Problem> {
    if !is_vouched(row.vouch.as_deref(), &trust.voucher().head(row.case, row.number, row.signer, &row.note)) {
        return Err(Problem::fault("a case's head was not stored by this service"));
    }
    let head = trust.head(&row.note, signer).map_err(|_| Problem::fault(DISAGREES))?;
    let fits = signer.account == row.signer
        && signer.organisation == row.organisation
        && head.case == row.case
        && head.number == row.number
        && head.epoch == row.epoch
        && head.sealed.is_sorted_by_key(|line| line.record);
    if fits { Ok(head) } else { Err(Problem::fault(DISAGREES)) }
}
