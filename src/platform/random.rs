//! The one source of randomness: the operating system's. Everything else is forbidden by `clippy.toml`, so that a
//! weaker generator cannot slip in beside it.

use uuid::Uuid;

/// The operating system gave no randomness. Nothing that needs a key or an id may go on.
///
/// # Panics
/// A process that cannot draw randomness must not run on with guessable keys: it stops here.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "this is the one place that draws randomness")]
#[expect(clippy::panic, reason = "going on without randomness would make guessable keys")]
pub fn bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0_u8; N];
    match getrandom::fill(&mut bytes) {
        Ok(()) => bytes,
        Err(error) => panic!("the operating system gives no randomness: {error}"),
    }
}

/// A random (version 4) UUID.
#[must_use]
pub fn uuid() -> Uuid {
    uuid::Builder::from_random_bytes(bytes()).into_uuid()
}
