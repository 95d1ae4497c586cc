//! Nothing is changed but in a unit, and a unit begins with a permission.
use himaya::audit::unit::Unit;
use himaya::guard::gate::{Authorized, kinds, verbs};
use himaya::guard::look::Places;

async fn without_a_permission(places: &Places) {
    let _ = Unit::<verbs::Write, kinds::Case>::begin(places, ()).await;
}

fn by_hand(authorized: Authorized<verbs::Write, kinds::Case>) -> Unit<verbs::Write, kinds::Case> {
    Unit { authorized, marks: Vec::new() }
}

fn main() {}
