//! What is taken, and how much of it at once.

use super::Places;
use crate::platform::config::{AttachmentsConfig, Patience};
use std::sync::Arc;
use tokio::sync::Semaphore;

/// What is taken, and how much of it at once: memory is bounded by it.
#[derive(Clone)]
pub struct Limits {
    /// In bytes.
    pub largest: u64,
    /// In bytes.
    pub largest_image: u64,
    /// A place for each file that is received.
    pub files: Arc<Semaphore>,
    /// A place for each image that is held whole.
    pub images: Arc<Semaphore>,
    /// Each account's own places among those that receive.
    pub uploads: Arc<Places>,
    /// A place for each file that is compared before it is given out.
    pub compared: Arc<Semaphore>,
    /// Each account's own places among those.
    pub downloads: Arc<Places>,
    /// In bytes: what files leave free of the disk.
    pub keep_free: u64,
    pub patience: Patience,
}

/// Images that are held whole at once, each once as it came and once without its metadata.
const IMAGES: usize = 4;
/// What one account does at once: fewer than there are places, so that nobody takes all of them.
const EACH: usize = 2;

impl Limits {
    pub(super) fn of(config: &AttachmentsConfig) -> Self {
        let own = EACH.min(config.at_once.saturating_sub(1)).max(1);
        let each = || Arc::new(Places::new(own, config.patience.wait));
        Self {
            largest: config.largest(),
            largest_image: config.largest_image(),
            files: Arc::new(Semaphore::new(config.at_once)),
            images: Arc::new(Semaphore::new(IMAGES)),
            uploads: each(),
            compared: Arc::new(Semaphore::new(config.at_once)),
            downloads: each(),
            keep_free: config.keep_free(),
            patience: config.patience.clone(),
        }
    }
}
