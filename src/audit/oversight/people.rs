//! Who stands under which pseudonym, within one organisation: for its own supervisor, and for the length of one request.

use super::model::Colleague;
use crate::audit::entry::Pseudonyms;
use crate::guard::record::AccountId;
use std::collections::HashMap;
use uuid::Uuid;

/// The accounts of one organisation, by every pseudonym that they ever stood under.
pub(super) struct People {
    all: Vec<Colleague>,
    by_pseudonym: HashMap<String, usize>,
}

impl People {
    pub(super) fn new(all: Vec<Colleague>, pseudonyms: &Pseudonyms) -> Self {
        let ever =
            |(at, person): (usize, &Colleague)| pseudonyms.ever_of(person.account).into_iter().map(move |p| (p, at));
        let by_pseudonym = all.iter().enumerate().flat_map(ever).collect();
        Self { all, by_pseudonym }
    }

    pub(super) fn by_pseudonym(&self, pseudonym: &str) -> Option<&Colleague> {
        self.all.get(*self.by_pseudonym.get(pseudonym)?)
    }

    /// By handle, or by account.
    pub(super) fn find(&self, named: &str) -> Option<AccountId> {
        let id = named.parse::<Uuid>().ok();
        let person = self.all.iter().find(|person| person.handle == named || Some(person.account.0) == id)?;
        Some(person.account)
    }

    pub(super) fn is_one(&self, id: Uuid) -> bool {
        self.all.iter().any(|person| person.account.0 == id)
    }
}
