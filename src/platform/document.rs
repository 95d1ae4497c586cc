//! The API's document, as far as it is the same for every operation: sessions, problems, the headers that make repeating
//! safe. What differs stands at the handlers.

use utoipa::Modify;
use utoipa::openapi::path::{Operation, Parameter, ParameterIn};
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{Content, ContentBuilder, OpenApi as Document, PathItem, Ref, RefOr, Response, ResponseBuilder};

const PROBLEM: &str = "application/problem+json";

/// Both halves of a session are sent with each request, but for the three that come before there is one.
pub struct Sessions;

impl Modify for Sessions {
    fn modify(&self, document: &mut Document) {
        let components = document.components.get_or_insert_default();
        let token = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("JWT").build();
        components.add_security_scheme("access_token", SecurityScheme::Http(token));
        let secret = ApiKey::Header(ApiKeyValue::new("Himaya-Session"));
        components.add_security_scheme("session_secret", SecurityScheme::ApiKey(secret));
        let verifier = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("64 hexadecimal digits").build();
        components.add_security_scheme("ledger_verifier", SecurityScheme::Http(verifier));
    }
}

/// Says of every operation what holds for all: a refusal of any kind is a problem document of its own media type, and
/// headers have a shape.
#[must_use]
pub fn finished(mut document: Document) -> Document {
    // The router's way to say that a part of a path has slashes; a document knows none.
    let paths = std::mem::take(&mut document.paths.paths);
    document.paths.paths = paths.into_iter().map(|(path, item)| (path.replace("{*", "{"), item)).collect();
    for item in document.paths.paths.values_mut() {
        for operation in operations(item) {
            for (status, response) in &mut operation.responses.responses {
                if let RefOr::T(response) = response {
                    name_problems(response);
                    if response.description.is_empty() {
                        what_it_means(status).clone_into(&mut response.description);
                    }
                }
            }
            for status in ["4XX", "5XX"] {
                let what = what_it_means(status);
                let told = || RefOr::T(problem(what));
                operation.responses.responses.entry(status.to_owned()).or_insert_with(told);
            }
            for parameter in operation.parameters.iter_mut().flatten() {
                if let RefOr::T(parameter) = parameter {
                    shape(parameter);
                }
            }
        }
    }
    document
}

/// What is said of a status of which the handler says nothing of its own.
fn what_it_means(status: &str) -> &'static str {
    match status {
        "200" => "Done, or as it stands.",
        "201" => "Made.",
        "4XX" => "Refused; nothing was stored. `code` says why, and `detail` what to do.",
        "5XX" => "Failed; nothing is shown. `code` says what is away, and `detail` whether to try again.",
        _ => "See `code` and `detail`.",
    }
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    [&mut item.get, &mut item.post, &mut item.put, &mut item.patch, &mut item.delete]
        .into_iter()
        .filter_map(Option::as_mut)
}

fn problem(what: &str) -> Response {
    let schema = Ref::from_schema_name("ProblemDocument");
    let content = ContentBuilder::new().schema(Some(schema)).build();
    ResponseBuilder::new().description(what).content(PROBLEM, content).build()
}

fn name_problems(response: &mut Response) {
    let is_problem = |content: &RefOr<Content>| match content {
        RefOr::T(Content { schema: Some(RefOr::Ref(shape)), .. }) => shape.ref_location.ends_with("/ProblemDocument"),
        _ => false,
    };
    let json = "application/json";
    if response.content.get(json).is_some_and(is_problem)
        && let Some(content) = response.content.shift_remove(json)
    {
        response.content.insert(PROBLEM.to_owned(), content);
    }
}

/// The shapes that `http/repeat.rs` takes.
fn shape(parameter: &mut Parameter) {
    if parameter.parameter_in != ParameterIn::Header {
        return;
    }
    let text = ObjectBuilder::new().schema_type(Type::String);
    let schema = match parameter.name.as_str() {
        "Idempotency-Key" => text.min_length(Some(8)).max_length(Some(128)).pattern(Some("^[!-~]{8,128}$")),
        "If-Match" => text.pattern(Some("^\"(0|[1-9][0-9]{0,17})\"$")),
        _ => return,
    };
    parameter.schema = Some(schema.into());
}
