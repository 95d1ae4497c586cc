//! An opened record is disclosed once, by name.
use himaya::guard::vault::Opened;
use himaya::platform::http::Answer;
use himaya::platform::problem::Problem;

fn clone(opened: &Opened<String>) -> Opened<String> {
    opened.clone()
}

fn print(opened: &Opened<String>) -> String {
    format!("{opened:?}")
}

fn send(opened: &Opened<String>) -> Result<Answer, Problem> {
    Answer::ok(opened)
}

fn main() {}
