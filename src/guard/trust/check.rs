//! Reads what two people signed, and believes it only with both signatures.

use super::{CUSTODIANS, Founding, MOST_CUSTODIANS, Member, Recipient, RecipientId, Succession, TrustError};
use crate::guard::keys::KemPublic;
use crate::guard::statement::{self, FoundingStatement, MembershipStatement, StatementError};
use std::collections::HashMap;
use std::sync::Arc;

/// Reads a founding statement and checks both signatures and its shape.
///
/// # Errors
/// [`StatementError`] unless exactly two responsible persons signed, at least three custodians are named, and every role
/// is one of the kind's. Whether one that follows another was agreed to by those before is [`Founding::check_follows`].
pub fn check_founding(note: &str) -> Result<Founding, StatementError> {
    let claimed: FoundingStatement = statement::unverified(note)?;
    let mut signers = Vec::new();
    let mut members = HashMap::new();
    for stated in &claimed.members {
        let keys = stated.keys.keys()?;
        if stated.responsible {
            signers.push((stated.account, keys.sign));
        }
        let member = Member {
            account: stated.account,
            organisation: claimed.organisation,
            organisation_kind: claimed.kind,
            role: stated.role,
            keys,
            responsible: stated.responsible,
            custodian: stated.custodian,
        };
        if !claimed.kind.roles().contains(&stated.role) || members.insert(stated.account, Arc::new(member)).is_some() {
            return Err(StatementError::Malformed);
        }
    }
    let custodians = match &claimed.succession {
        None => claimed.members.iter().filter(|m| m.custodian).count(),
        Some(succession) => succession.custodians.len(),
    };
    if signers.len() != 2 || custodians < CUSTODIANS || (claimed.succession.is_some() && custodians > MOST_CUSTODIANS) {
        return Err(StatementError::Malformed);
    }
    let statement: FoundingStatement = statement::verified(note, &signers)?;
    let succession = statement.succession.map(|stated| Succession::read(note, stated)).transpose()?;
    let custody = KemPublic(statement::unhex(&statement.custody_public)?);
    Ok(Founding {
        organisation: statement.organisation,
        kind: statement.kind,
        name: statement.name,
        digest: super::digest_of(note),
        fingerprint: statement::fingerprint(note)?,
        succession,
        custody: Recipient { id: RecipientId::SharedKey(statement.custody_key), kem: custody },
        members,
    })
}

/// Reads a membership statement and checks that both responsible persons of this founding signed it.
///
/// # Errors
/// [`TrustError`] unless both signed, and the role is one of the organisation's kind.
pub fn check_membership(note: &str, founding: &Founding) -> Result<Member, TrustError> {
    let statement: MembershipStatement = statement::verified(note, &founding.two())?;
    let founder = founding.members.get(&statement.account);
    if statement.organisation != founding.organisation || !founding.kind.roles().contains(&statement.role) {
        return Err(TrustError::NotAMember);
    }
    Ok(Member {
        account: statement.account,
        organisation: statement.organisation,
        organisation_kind: founding.kind,
        role: statement.role,
        keys: statement.keys.keys()?,
        responsible: founder.is_some_and(|m| m.responsible),
        custodian: founder.is_some_and(|m| m.custodian),
    })
}
