//! How things stand with the policy, in words for the operator.

use super::{Council, CouncilError};
use crate::guard::statement::{FoundingStatement, hex, unverified};
use crate::guard::store::founding_note;
use crate::guard::trust::Agreements;

impl Council {
    /// How things stand, in words for the operator: which policy was agreed to, by whom, and what to do about another.
    ///
    /// # Errors
    /// [`CouncilError`].
    pub async fn told(&self) -> Result<String, CouncilError> {
        let own = hex(&self.policy.hash());
        let Some(all) = self.agreements().await? else {
            return Ok(format!(
                "nobody can agree to the policy {own} yet: found the coordinator's office and pin it, or name another \
                 organisation in policy_keepers; its two responsible persons answer for the policy"
            ));
        };
        let two = self.names(&all).await?.join(" and ");
        let Some(latest) = all.in_force() else {
            return Ok(format!(
                "nobody has agreed to the policy {own} yet: {two} review policies/access-matrix.txt, one proposes it (POST \
                 /api/v1/policies) and the other countersigns"
            ));
        };
        let agreed = hex(&latest.digest);
        let told = format!("agreement {}, by {two}, is to policy {agreed}", latest.number);
        if all.counts(&self.policy.hash(), self.clock.now()) {
            let until = (latest.digest != self.policy.hash()).then(|| format!(" until {}", latest.before_until));
            return Ok(format!("{told}; this one, {own}, decides{}", until.unwrap_or_default()));
        }
        Ok(format!(
            "{told}, and this one is {own}, to which they have not agreed, so it is closed: start the version that has the files of \
             {agreed}; or let one of the two propose {own} (POST /api/v1/policies, here if nowhere else) and the other countersign. \
             Nobody else can"
        ))
    }

    /// What the two are called: their founding says so, and both have signed it.
    async fn names(&self, all: &Agreements) -> Result<Vec<String>, CouncilError> {
        let mut connection = self.pool.acquire().await?;
        let note = founding_note(&mut connection, all.organisation()).await?.unwrap_or_default();
        let stated = unverified::<FoundingStatement>(&note).map(|founding| founding.members).unwrap_or_default();
        let name = |account| {
            let found = stated.iter().find(|member| member.account == account);
            found.map_or_else(|| account.to_string(), |member| member.handle.clone())
        };
        Ok(all.responsible().into_iter().map(name).collect())
    }
}
