//! What a unit seals: new records, new versions, new wraps. The marks of all of it go into the unit's entries.

use super::Unit;
use crate::audit::mark::Mark;
use crate::guard::gate::{About, Does};
use crate::guard::record::CaseId;
use crate::guard::store;
use crate::guard::vault::{self, Placement, Sealed, SealingKey, VaultError};
use crate::platform::problem::Problem;
use serde::Serialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

impl<V: Does, K: About> Unit<V, K> {
    /// Fetches sealed records, unopened, to seal them again.
    ///
    /// # Errors
    /// [`VaultError`] when one of them is not as it was written.
    pub async fn fetch<T>(&mut self, records: &[Uuid]) -> Result<Vec<Sealed<T>>, VaultError> {
        vault::fetch(&mut self.transaction, &self.places.erasure, &self.places.trust, records).await
    }

    /// Fetches what is sealed on a case of the opening that this unit carries out.
    ///
    /// # Errors
    /// [`VaultError`] when one of them is not as it was written.
    pub async fn fetch_in_custody(&mut self, case: CaseId) -> Result<Vec<Sealed<()>>, VaultError> {
        vault::fetch_in_custody(&mut self.transaction, &self.places.erasure, &self.places.trust, case).await
    }

    /// Makes keys to seal under; their erasure keys are durable before anything uses them, and erased again if this unit
    /// comes to nothing. An id that was erased is never a key's again, so it must be a new one.
    ///
    /// # Errors
    /// When the erasure store does not answer, or knows one of them.
    pub async fn new_keys(&mut self, ids: &[Uuid]) -> Result<Vec<SealingKey>, VaultError> {
        let keys = vault::new_keys(&self.places.erasure, ids).await?;
        // Not before: a key that another unit made would be erased with this one.
        self.made.add(ids);
        Ok(keys)
    }

    /// [`Self::new_keys`] for one.
    ///
    /// # Errors
    /// When the erasure store does not answer.
    pub async fn new_key(&mut self, id: Uuid) -> Result<SealingKey, VaultError> {
        self.new_keys(&[id]).await?.pop().ok_or(VaultError::NoKey)
    }

    /// Seals and stores one version of a record; the ledger will say so.
    ///
    /// # Errors
    /// [`VaultError`] as the database refuses.
    pub async fn put<T: Serialize>(
        &mut self,
        place: &Placement,
        key: &SealingKey,
        content: &T,
    ) -> Result<Mark, VaultError> {
        let who = self.who();
        let mark = vault::put(&mut self.transaction, self.places.trust.voucher(), &who, place, key, content).await?;
        self.marks.push(mark);
        Ok(mark)
    }

    /// Seals a record again under another key without turning it into content.
    ///
    /// # Errors
    /// [`VaultError`] when it does not open, or as the database refuses.
    pub async fn put_again<T>(
        &mut self,
        place: &Placement,
        key: &SealingKey,
        sealed: &Sealed<T>,
    ) -> Result<Mark, VaultError> {
        let who = self.who();
        let plain = vault::decrypt(&who.keys, sealed)?;
        let mark =
            vault::put_bytes(&mut self.transaction, self.places.trust.voucher(), &who, place, key, &plain).await?;
        self.marks.push(mark);
        Ok(mark)
    }

    /// Puts one wrap in the place of all wraps of a key to shared keys; those to persons and CUSTODY stay.
    ///
    /// # Errors
    /// As the database refuses.
    pub async fn replace_shared_wraps(&mut self, key: Uuid, wrap: store::WrapWrite) -> Result<(), Problem> {
        let old = store::intake_recipients(&mut self.transaction, key).await?;
        store::insert_wraps(&mut self.transaction, &[wrap]).await?;
        for shared in old {
            store::delete_wraps_to_shared(&mut self.transaction, key, shared).await?;
        }
        Ok(())
    }

    /// Puts new wraps in the place of all that a key had: those of older epochs, of INTAKE and of CUSTODY. The person
    /// must be among the new recipients, since row-level security lets only them go on.
    ///
    /// # Errors
    /// As the database refuses.
    pub async fn replace_all_wraps(&mut self, key: Uuid, wraps: &[store::WrapWrite]) -> Result<(), Problem> {
        let intakes = store::intake_recipients(&mut self.transaction, key).await?;
        store::delete_custody_wraps(&mut self.transaction, key).await?;
        store::insert_wraps(&mut self.transaction, wraps).await?;
        for intake in intakes {
            store::delete_wraps_to_shared(&mut self.transaction, key, intake).await?;
        }
        if let Some(epoch) = wraps.iter().map(|wrap| wrap.epoch).max() {
            store::delete_old_wraps(&mut self.transaction, key, epoch).await?;
        }
        Ok(())
    }

    /// Erases the erasure key of a record that this unit had deleted, once it is committed.
    pub fn erase_with_commit(&mut self, key: Uuid) {
        self.erase.push(key);
    }

    /// Stores wraps, all in one statement.
    ///
    /// # Errors
    /// As the database refuses.
    pub async fn insert_wraps(&mut self, wraps: &[store::WrapWrite]) -> Result<(), Problem> {
        Ok(store::insert_wraps(&mut self.transaction, wraps).await?)
    }

    /// Seals a new record from what an existing one holds: the content passes through the vault and nowhere else. `change`
    /// may refuse, by a rule about the content.
    ///
    /// # Errors
    /// As `change` refuses; when it does not open; as the database refuses.
    pub async fn put_from<T: DeserializeOwned, U: Serialize>(
        &mut self,
        place: &Placement,
        key: &SealingKey,
        sealed: &Sealed<T>,
        change: impl FnOnce(T) -> Result<U, Problem>,
    ) -> Result<Mark, Problem> {
        let plain = vault::decrypt(&self.who().keys, sealed)?;
        let content = serde_json::from_slice(&plain).map_err(|_| VaultError::Shape)?;
        Ok(self.put(place, key, &change(content)?).await?)
    }

    /// Deletes a sealed record with its wraps, and its erasure key once this unit is committed.
    ///
    /// # Errors
    /// As the database refuses.
    pub async fn forget(&mut self, record: Uuid, key: Uuid) -> Result<(), Problem> {
        store::delete_sealed(&mut self.transaction, record, key).await?;
        self.erase.push(key);
        Ok(())
    }
}
