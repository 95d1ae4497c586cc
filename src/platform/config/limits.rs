//! How many tries there may be at the door.

use super::Refusal;
use serde::{Deserialize, Serialize};

/// `[limits]`: tries within one window, counted for all replicas together.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct LimitsConfig {
    /// How long a window is: it begins with the first try that counts.
    pub window_minutes: u32,
    /// Wrong tries for one name, from devices on which that person never signed in.
    pub account: u32,
    /// Wrong tries from one device on which the person has signed in before.
    pub device: u32,
    /// Wrong tries from one address, an IPv6 network of 64 bits being one.
    pub address: u32,
    /// Wrong codes of an authenticator within a day, for one person: a code is short.
    pub codes_a_day: u32,
}

impl Default for LimitsConfig {
    fn default() -> Self {
        Self { window_minutes: 15, account: 10, device: 10, address: 50, codes_a_day: 30 }
    }
}

impl LimitsConfig {
    /// What is out of bounds. Zero would let nobody in; a limit above the most given here limits nothing.
    pub(super) fn faults(&self) -> Vec<Refusal> {
        [
            ("window_minutes", self.window_minutes, 1, 24 * 60),
            ("account", self.account, 3, 100),
            ("device", self.device, 3, 100),
            ("address", self.address, 3, 10_000),
            ("codes_a_day", self.codes_a_day, 3, 100),
        ]
        .into_iter()
        .filter(|(_, value, least, most)| !(least..=most).contains(&value))
        .map(|(field, value, least, most)| Refusal {
            field: format!("limits.{field}"),
            why: format!("is {value}: set {least} to {most}"),
        })
        .collect()
    }
}
