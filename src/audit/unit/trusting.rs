//! Whom a unit may seal to: members, organisations and shared keys with a proven chain. What is not believed is `None`.

use super::Unit;
use crate::guard::gate::{About, Does};
use crate::guard::record::{AccountId, OrganisationId, SharedKeyId};
use crate::guard::statement::{OrganisationKind, SharedPurpose};
use crate::guard::store;
use crate::guard::trust::{Custody, Founding, Member, SharedKey, TrustError};
use crate::platform::problem::Problem;
use std::sync::Arc;
use uuid::Uuid;

impl<V: Does, K: About> Unit<V, K> {
    /// Makes everybody who asks for the same thing wait until this unit has ended.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn serialise(&mut self, thing: Uuid) -> Result<(), Problem> {
        Ok(store::serialise(&mut self.transaction, thing).await?)
    }

    /// The shared key in force, if there is one that is believed.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn shared_key(
        &mut self,
        organisation: OrganisationId,
        purpose: SharedPurpose,
    ) -> Result<Option<SharedKey>, Problem> {
        let now = self.now();
        match self.places.trust.shared_key(&mut self.transaction, organisation, purpose, now).await {
            Ok(key) => Ok(Some(key)),
            Err(TrustError::Store(error)) => Err(error.into()),
            Err(_) => Ok(None),
        }
    }

    /// This person's wrap of a shared key.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn shared_wrap(&mut self, key: SharedKeyId) -> Result<Option<Vec<u8>>, Problem> {
        let account = self.account();
        Ok(store::shared_wrap(&mut self.transaction, key.0, account).await?)
    }

    /// A member in force; `None` for anybody without a proven membership.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn member(&mut self, account: AccountId) -> Result<Option<Arc<Member>>, Problem> {
        match self.places.trust.member(&mut self.transaction, account).await {
            Ok(member) => Ok(Some(member)),
            Err(TrustError::Store(error)) => Err(error.into()),
            Err(_) => Ok(None),
        }
    }

    /// Somebody who sealed or signed something, now or in the past; `None` for who was never admitted.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn signer(&mut self, account: AccountId) -> Result<Option<Arc<Member>>, Problem> {
        match self.places.trust.signer(&mut self.transaction, account).await {
            Ok(member) => Ok(Some(member)),
            Err(TrustError::Store(error)) => Err(error.into()),
            Err(_) => Ok(None),
        }
    }

    /// Whether anybody holds a shared key: what is sealed to one that nobody holds is lost.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn is_held(&mut self, key: SharedKeyId) -> Result<bool, Problem> {
        Ok(store::is_held(&mut self.transaction, key.0).await?)
    }

    /// An organisation that is founded and pinned; `None` while it is forming.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn founding(&mut self, organisation: OrganisationId) -> Result<Option<Arc<Founding>>, Problem> {
        match self.places.trust.founding(&mut self.transaction, organisation).await {
            Ok(founding) => Ok(Some(founding)),
            Err(TrustError::Store(error)) => Err(error.into()),
            Err(_) => Ok(None),
        }
    }

    /// An organisation's CUSTODY, to seal to: it stays the one in force until this unit has ended. `None` while the organisation
    /// is forming.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn custody(&mut self, organisation: OrganisationId) -> Result<Option<Arc<Custody>>, Problem> {
        store::hold_custody(&mut self.transaction, organisation).await?;
        match self.places.trust.custody(&mut self.transaction, organisation).await {
            Ok(custody) => Ok(Some(custody)),
            Err(TrustError::Store(error)) => Err(error.into()),
            Err(_) => Ok(None),
        }
    }

    /// [`Self::custody`], to put another key in its place: nobody seals to it meanwhile.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn custody_to_replace(&mut self, organisation: OrganisationId) -> Result<Option<Arc<Custody>>, Problem> {
        store::replace_custody(&mut self.transaction, organisation).await?;
        self.custody(organisation).await
    }

    /// Organisations of a kind, founded or not.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn organisations_of_kind(&mut self, kind: OrganisationKind) -> Result<Vec<OrganisationId>, Problem> {
        Ok(store::organisations_of_kind(&mut self.transaction, kind.as_str()).await?)
    }
}
