//! How the rules are tuned.

use super::model::Measure;
use crate::guard::action::Role;
use chrono::{DateTime, FixedOffset, NaiveDate, Timelike as _, Utc};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// `[snooping]`: when a person's day is told to the auditors.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct SnoopingConfig {
    /// Minutes east of Greenwich of the country's clocks.
    pub utc_offset_minutes: i32,
    /// The hours of a role, from and until, by these clocks: `squad_officer = [7, 21]`. A role without any works day and night.
    pub hours: BTreeMap<Role, [u32; 2]>,
    /// For each measure how much is told; what stands in none is as it is by default.
    pub rules: BTreeMap<Measure, RuleConfig>,
}

/// More than `least`, and more than `factor` times what all but one in fifty of the role's days have, is told; of
/// emergencies, than what all but one in four of the role's people have.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct RuleConfig {
    pub least: u32,
    pub factor: f64,
}

impl Default for SnoopingConfig {
    fn default() -> Self {
        let by_day = [
            Role::HelplineSupervisor,
            Role::SquadOfficer,
            Role::SquadSupervisor,
            Role::ShelterManager,
            Role::LiaisonOfficer,
            Role::Coordinator,
            Role::Statistician,
            Role::Auditor,
            Role::Administrator,
        ];
        Self {
            utc_offset_minutes: 240,
            hours: by_day.into_iter().map(|role| (role, [7, 21])).collect(),
            rules: BTreeMap::new(),
        }
    }
}

impl SnoopingConfig {
    /// The rule for a measure.
    #[must_use]
    pub fn rule(&self, measure: Measure) -> RuleConfig {
        let least = match measure {
            Measure::Records => 40,
            Measure::Repeats => 18,
            Measure::OffHours => 12,
            Measure::Refused => 8,
            Measure::AfterChange => 5,
            Measure::Fruitless | Measure::Emergencies => 2,
        };
        let factor = if measure == Measure::Records { 1.35 } else { 1.5 };
        self.rules.get(&measure).copied().unwrap_or(RuleConfig { least, factor })
    }

    /// The day by the country's clocks.
    #[must_use]
    pub fn day(&self, at: DateTime<Utc>) -> NaiveDate {
        self.local(at).date_naive()
    }

    /// Whether this is outside of the role's hours.
    #[must_use]
    pub fn is_off(&self, role: Role, at: DateTime<Utc>) -> bool {
        let hour = self.local(at).hour();
        self.hours.get(&role).is_some_and(|[from, until]| hour < *from || hour >= *until)
    }

    /// How far the clocks of the country go before UTC.
    #[must_use]
    pub fn offset(&self) -> FixedOffset {
        let offset = FixedOffset::east_opt(self.utc_offset_minutes.saturating_mul(60));
        offset.unwrap_or_else(|| chrono::Offset::fix(&Utc))
    }

    fn local(&self, at: DateTime<Utc>) -> DateTime<FixedOffset> {
        at.with_timezone(&self.offset())
    }

    /// What is out of bounds: the field, and why.
    #[must_use]
    pub fn faults(&self) -> Vec<(String, String)> {
        let mut faults = Vec::new();
        if FixedOffset::east_opt(self.utc_offset_minutes.saturating_mul(60)).is_none() {
            faults.push(("utc_offset_minutes".to_owned(), "is no offset of a clock".to_owned()));
        }
        for (role, [from, until]) in &self.hours {
            if from >= until || *until > 24 {
                faults.push((format!("hours.{role}"), "is `[from, until]`, both from 0 to 24".to_owned()));
            }
        }
        for (measure, rule) in &self.rules {
            // A rule that tells of nothing, or of everything, is none.
            if rule.least > 10_000 || !(1.0..=10.0).contains(&rule.factor) {
                faults.push((
                    format!("rules.{measure}"),
                    "has `least` up to 10000 and a `factor` from 1 to 10".to_owned(),
                ));
            }
        }
        faults
    }
}
