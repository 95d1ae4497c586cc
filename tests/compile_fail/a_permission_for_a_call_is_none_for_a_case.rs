//! A kind is a type.
use himaya::guard::gate::{Authorized, kinds, verbs};
use himaya::guard::look::{Look, Places};

async fn look(places: &Places, leave: Authorized<verbs::Read, kinds::Call>) {
    let _: Result<Look<verbs::Read, kinds::Case>, _> = Look::begin(places, leave).await;
}

fn main() {}
