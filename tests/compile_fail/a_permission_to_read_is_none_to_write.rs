//! A verb is a type.
use himaya::audit::unit::Unit;
use himaya::guard::gate::{Authorized, kinds, verbs};
use himaya::guard::look::Places;

async fn write(places: &Places, leave: Authorized<verbs::Read, kinds::Case>) {
    let _: Result<Unit<verbs::Write, kinds::Case>, _> = Unit::begin(places, leave).await;
}

fn main() {}
