//! Who opened a person's record, for that person: the auditors' office makes the list, by date, organisation, role and purpose, in her
//! language, as PDF. Making it is an entry, and nothing of it is stored.
//!
//! **What is hers.** Entries name records and not people. She is asked for by her case, or by a call or a notice that became no case.
//! `store` asks the database which ids hang on it, and `hers` adds what somebody signed or the ledger itself says: all that the case's
//! signed head lists, all that the case was shown with, and all that was made in one unit of work with something of hers, back to the
//! draft of the call. So a row that the owner of the database takes away does not take its readers off the list. A case can hold several people, and its list is one: what stands in it
//! is about all of them, so the office gives it to somebody who may know of the others.
//!
//! **What is a line.** `rules` counts everything that was done or refused to any of it, not only looking: a change, a decision who may
//! open it, an opening by custodians, an auditor's look into the ledger. What was done on one day, by one organisation, in one role,
//! for one purpose and of one kind is one line with a count. What was refused has lines of its own: who tried is what she would
//! most want to know.
//!
//! **What is not in it.** No pseudonym, account, case, record or hour. The day is by the country's clocks. Which part of the record it was is
//! not said either: a paper that is found tells no more than it must. An organisation has the name that the two who answer for it
//! signed, and never the one in its row.
//!
//! **What is missing is said**, in plain sentences: entries that were altered or destroyed, those that this auditor holds no key to,
//! parts of the record that are not where they were, a case that was erased, a ledger that is behind, a day that is not over. `held`
//! holds the ledger's rows to what the log signed for, so an entry that was taken away with its place is missed too; and a case
//! counts as erased only by what two persons signed.
//!
//! **How much at once.** A request looks through 10 000 entries at most, and gives out what it has counted as `so_far`, with the service's
//! code over it; sent back, it goes on from there. So nothing is kept between two requests, and a list of years takes as many as it
//! takes. There is no PDF before the end is reached: nobody gives her half a list.

mod held;
mod hers;
pub mod http;
pub mod model;
mod paper;
mod rules;
mod store;
mod words;

use crate::platform::app::App;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The routes of this capability.
#[must_use]
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(http::make))
}
