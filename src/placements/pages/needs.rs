//! What care needs, in words.

use crate::calls::pages::form::LANGUAGES;
use crate::placements::content::{Needs, PlacementView};
use crate::platform::page::Layout;

/// What is told of the needs.
#[cfg(test)]
pub(crate) const NEEDS: [&str; 12] = [
    "called",
    "safety",
    "age",
    "gender",
    "languages",
    "interpreter",
    "children",
    "health",
    "diet_and_faith",
    "wishes",
    "basis",
    "agreed",
];

/// A language, as people call it.
pub fn language(layout: &Layout, code: &str) -> String {
    if LANGUAGES.contains(&code) { layout.word("call-language", code) } else { code.to_owned() }
}

/// What is needed to care for the person, in the order in which it is asked for.
pub fn told(layout: &Layout, view: &PlacementView) -> Vec<(String, String)> {
    let Needs { called, age, gender, languages, needs_interpreter, children, health, diet_and_faith, safety, wishes } =
        &view.needs;
    let yes = needs_interpreter.then(|| layout.word("answer", "true"));
    let children = (*children > 0).then(|| children.to_string());
    let languages: Vec<String> = languages.iter().map(|code| language(layout, code)).collect();
    let lines = [
        ("called", Some(called.clone())),
        ("safety", safety.clone()),
        ("age", Some(layout.say_with("needs-years", "band", age.as_str()))),
        ("gender", gender.map(|gender| layout.word("gender", gender.as_str()))),
        ("languages", (!languages.is_empty()).then(|| languages.join(", "))),
        ("interpreter", yes),
        ("children", children),
        ("health", health.clone()),
        ("diet_and_faith", diet_and_faith.clone()),
        ("wishes", wishes.clone()),
        ("basis", Some(layout.word("placement-basis", view.basis.as_str()))),
        ("agreed", view.consent.as_ref().map(|given| given.explained.clone())),
    ];
    lines.into_iter().filter_map(|(name, value)| Some((layout.say(&format!("needs-{name}")), value?))).collect()
}
