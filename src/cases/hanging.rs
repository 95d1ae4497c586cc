//! What other capabilities hang on a section: it is sealed under the section's own key, so that exactly the people of the
//! section open it, and a new epoch takes it along.

use super::document::Place;
use super::{head, store};
use crate::audit::unit::Unit;
use crate::guard::gate::{About, Does};
use crate::guard::look::Look;
use crate::guard::record::SectionId;
use crate::guard::vault::SealingKey;
use crate::platform::problem::Problem;

/// A section of a locked case, with the key that what hangs on it is sealed under.
pub(crate) struct Under {
    pub section: SectionId,
    pub key: SealingKey,
    pub epoch: i32,
}

/// Locks the case, as every write to it does, and opens the section's key. Nothing when there is no such section.
///
/// # Errors
/// As [`head::lock_and_check`]; a fault when the section is not sealed to somebody on its case.
pub(crate) async fn under<V: Does, K: About>(unit: &mut Unit<V, K>, place: &Place) -> Result<Option<Under>, Problem> {
    let case = head::lock_and_check(unit, place.case).await?;
    let Some(section) = store::section_to_write(unit, place).await? else { return Ok(None) };
    let sealed = unit.fetch::<()>(&[section.0]).await?.pop();
    let sealed = sealed.ok_or_else(|| Problem::fault("a section is not sealed to somebody on its case"))?;
    let key = SealingKey::of(&unit.who().keys, &sealed)?;
    Ok(Some(Under { section, key, epoch: case.epoch }))
}

/// The section that a look is about, by its place.
///
/// # Errors
/// When the database does not answer.
pub(crate) async fn section<V: Does, K: About>(
    look: &mut Look<V, K>,
    place: &Place,
) -> Result<Option<SectionId>, Problem> {
    Ok(store::section_to_read(look, place).await?)
}
