//! An opened record is disclosed once, by name.
use himaya::guard::vault::Opened;

fn clone(opened: &Opened<String>) -> Opened<String> {
    opened.clone()
}

fn print(opened: &Opened<String>) -> String {
    format!("{opened:?}")
}

fn send(opened: &Opened<String>) -> serde_json::Result<String> {
    serde_json::to_string(opened)
}

fn main() {}
