//! A permission is spent by what it permits.
use himaya::guard::gate::{Authorized, kinds, verbs};
use himaya::guard::look::{Look, Places};

async fn twice(places: &Places, leave: Authorized<verbs::Read, kinds::Case>) {
    let _ = Look::begin(places, leave).await;
    let _ = Look::begin(places, leave).await;
}

fn main() {}
