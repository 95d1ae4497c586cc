//! What an error is made of, for the log and the operator.

/// The error and what caused it, outermost first: the outermost alone often says only that there was one.
pub fn causes(error: &dyn std::error::Error) -> String {
    let mut said = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        said = format!("{said}: {error}");
        cause = error.source();
    }
    said
}
