//! A receipt exists only after its entry is durable.
use himaya::audit::receipt::Receipt;
use himaya::guard::record::AccountId;

fn main() {
    let _ = Receipt::new(AccountId::random(), vec![]);
}
