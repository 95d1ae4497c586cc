//! The routes of attachments: what hangs on a call, on a notice, on a section of a case or of a person on it.

use super::model::{AttachmentMade, AttachmentView, On};
use super::{add, read};
use crate::cases::section::{of_case, of_person};
use crate::guard::action::Purpose;
use crate::guard::record::{AttachmentId, CallId, CaseId, NoticeId, RecordKind, SubjectId};
use crate::platform::app::App;
use crate::platform::http::{Answer, Client, Id, IdempotencyKey, InPath, Listed, SignedIn, Stated};
use crate::platform::problem::{Problem, ProblemDocument};
use axum::Json;
use axum::extract::{Request, State};
use axum::response::Response;
use uuid::Uuid;

/// Attach a file to a draft: the body is the file, byte for byte.
///
/// The name travels in the header `Himaya-File-Name`, UTF-8, percent-encoded: addresses are logged in many places, headers
/// like this one are not. The type is the `Content-Type`; that of an image is what its bytes say, and its metadata is taken
/// out. Sent again with the same key, the same name and the same bytes it is stored once.
#[utoipa::path(
    post, path = "/api/v1/calls/{id}/attachments", operation_id = "add_call_attachment", tag = "calls",
    params(
        ("id" = CallId, Path),
        ("Himaya-File-Name" = String, Header, description = "UTF-8, percent-encoded"),
        ("Idempotency-Key" = String, Header),
    ),
    request_body(content = String, content_type = "application/octet-stream", description = "Any media type"),
    responses(
        (status = 201, description = "Stored, durably", body = AttachmentMade),
        (status = 404, description = "There is nothing for you to add to", body = ProblemDocument),
        (status = 408, description = "The body took too long, or came too slowly", body = ProblemDocument),
        (status = 409, description = "Its state does not allow it, or too many hang there", body = ProblemDocument),
        (status = 413, description = "Larger than the limit, which is named", body = ProblemDocument),
        (status = 422, description = "A header or the body is not right", body = ProblemDocument),
        (status = 503, description = "A store does not answer or has no room, or too many files are under way", body = ProblemDocument),
    )
)]
pub async fn add_to_call(
    State(app): State<App>,
    SignedIn(who): SignedIn,
    Id(id): Id,
    key: IdempotencyKey,
    request: Request,
) -> Result<Answer, Problem> {
    add::add(&app, &who, On::Call(CallId(id)), key, request).await
}

/// What hangs on a call, by name, type and hashes.
#[utoipa::path(
    get, path = "/api/v1/calls/{id}/attachments", operation_id = "list_call_attachments", tag = "calls",
    params(("id" = CallId, Path), ("Purpose" = inline(Purpose), Header)),
    responses(
        (status = 200, description = "All of them, in order", body = Listed<AttachmentView>),
        (status = 404, description = "There is no such thing for you", body = ProblemDocument),
    )
)]
pub async fn list_of_call(
    State(app): State<App>,
    SignedIn(who): SignedIn,
    Stated(purpose): Stated,
    Id(id): Id,
) -> Result<Json<Listed<AttachmentView>>, Problem> {
    read::list(&app, &who, purpose, On::Call(CallId(id))).await
}

/// One of them, byte for byte, as an opaque file: never shown in place.
#[utoipa::path(
    get, path = "/api/v1/calls/{id}/attachments/{attachment}", operation_id = "read_call_attachment", tag = "calls",
    params(("id" = CallId, Path), ("attachment" = AttachmentId, Path), ("Purpose" = inline(Purpose), Header)),
    responses(
        (status = 200, description = "The file", body = String, content_type = "application/octet-stream"),
        (status = 404, description = "There is no such attachment for you", body = ProblemDocument),
    )
)]
pub async fn read_of_call(
    State(app): State<App>,
    SignedIn(who): SignedIn,
    Stated(purpose): Stated,
    InPath((id, attachment)): InPath<(Uuid, Uuid)>,
    client: Client,
) -> Result<Response, Problem> {
    read::content(&app, &who, purpose, On::Call(CallId(id)), attachment, client).await
}

/// Attach a file to a notice that was handed over: the body is the file, byte for byte.
///
/// The name travels in the header `Himaya-File-Name`, UTF-8, percent-encoded: addresses are logged in many places, headers
/// like this one are not. The type is the `Content-Type`; that of an image is what its bytes say, and its metadata is taken
/// out. Sent again with the same key, the same name and the same bytes it is stored once.
///
/// As long as the squad has not decided. It cannot be read again by the one who sends it.
#[utoipa::path(
    post, path = "/api/v1/slips/{id}/attachments", operation_id = "add_notice_attachment", tag = "notices",
    params(
        ("id" = NoticeId, Path),
        ("Himaya-File-Name" = String, Header, description = "UTF-8, percent-encoded"),
        ("Idempotency-Key" = String, Header),
    ),
    request_body(content = String, content_type = "application/octet-stream", description = "Any media type"),
    responses(
        (status = 201, description = "Stored, durably", body = AttachmentMade),
        (status = 404, description = "There is nothing for you to add to", body = ProblemDocument),
        (status = 408, description = "The body took too long, or came too slowly", body = ProblemDocument),
        (status = 409, description = "Its state does not allow it, or too many hang there", body = ProblemDocument),
        (status = 413, description = "Larger than the limit, which is named", body = ProblemDocument),
        (status = 422, description = "A header or the body is not right", body = ProblemDocument),
        (status = 503, description = "A store does not answer or has no room, or too many files are under way", body = ProblemDocument),
    )
)]
pub async fn add_to_notice(
    State(app): State<App>,
    SignedIn(who): SignedIn,
    Id(id): Id,
    key: IdempotencyKey,
    request: Request,
) -> Result<Answer, Problem> {
    add::add(&app, &who, On::Notice(NoticeId(id)), key, request).await
}

/// What hangs on a notice, by name, type and hashes.
#[utoipa::path(
    get, path = "/api/v1/notices/{id}/attachments", operation_id = "list_notice_attachments", tag = "notices",
    params(("id" = NoticeId, Path), ("Purpose" = inline(Purpose), Header)),
    responses(
        (status = 200, description = "All of them, in order", body = Listed<AttachmentView>),
        (status = 404, description = "There is no such thing for you", body = ProblemDocument),
    )
)]
pub async fn list_of_notice(
    State(app): State<App>,
    SignedIn(who): SignedIn,
    Stated(purpose): Stated,
    Id(id): Id,
) -> Result<Json<Listed<AttachmentView>>, Problem> {
    read::list(&app, &who, purpose, On::Notice(NoticeId(id))).await
}

/// One of them, byte for byte, as an opaque file: never shown in place.
#[utoipa::path(
    get, path = "/api/v1/notices/{id}/attachments/{attachment}", operation_id = "read_notice_attachment", tag = "notices",
    params(("id" = NoticeId, Path), ("attachment" = AttachmentId, Path), ("Purpose" = inline(Purpose), Header)),
    responses(
        (status = 200, description = "The file", body = String, content_type = "application/octet-stream"),
        (status = 404, description = "There is no such attachment for you", body = ProblemDocument),
    )
)]
pub async fn read_of_notice(
    State(app): State<App>,
    SignedIn(who): SignedIn,
    Stated(purpose): Stated,
    InPath((id, attachment)): InPath<(Uuid, Uuid)>,
    client: Client,
) -> Result<Response, Problem> {
    read::content(&app, &who, purpose, On::Notice(NoticeId(id)), attachment, client).await
}

/// Attach a file to a section of the case as a whole: the body is the file, byte for byte.
///
/// The name travels in the header `Himaya-File-Name`, UTF-8, percent-encoded: addresses are logged in many places, headers
/// like this one are not. The type is the `Content-Type`; that of an image is what its bytes say, and its metadata is taken
/// out. Sent again with the same key, the same name and the same bytes it is stored once.
#[utoipa::path(
    post, path = "/api/v1/cases/{id}/sections/{kind}/attachments", operation_id = "add_case_attachment", tag = "cases",
    params(
        ("id" = CaseId, Path), ("kind" = RecordKind, Path),
        ("Himaya-File-Name" = String, Header, description = "UTF-8, percent-encoded"),
        ("Idempotency-Key" = String, Header),
    ),
    request_body(content = String, content_type = "application/octet-stream", description = "Any media type"),
    responses(
        (status = 201, description = "Stored, durably", body = AttachmentMade),
        (status = 404, description = "There is nothing for you to add to", body = ProblemDocument),
        (status = 408, description = "The body took too long, or came too slowly", body = ProblemDocument),
        (status = 409, description = "Its state does not allow it, or too many hang there", body = ProblemDocument),
        (status = 413, description = "Larger than the limit, which is named", body = ProblemDocument),
        (status = 422, description = "A header or the body is not right", body = ProblemDocument),
        (status = 503, description = "A store does not answer or has no room, or too many files are under way", body = ProblemDocument),
    )
)]
pub async fn add_to_case(
    State(app): State<App>,
    SignedIn(who): SignedIn,
    InPath((case, kind)): InPath<(Uuid, String)>,
    key: IdempotencyKey,
    request: Request,
) -> Result<Answer, Problem> {
    add::add(&app, &who, On::Section(of_case(case, &kind)), key, request).await
}

/// What hangs on a section of the case as a whole, by name, type and hashes.
#[utoipa::path(
    get, path = "/api/v1/cases/{id}/sections/{kind}/attachments", operation_id = "list_case_attachments", tag = "cases",
    params(("id" = CaseId, Path), ("kind" = RecordKind, Path), ("Purpose" = inline(Purpose), Header)),
    responses(
        (status = 200, description = "All of them, in order", body = Listed<AttachmentView>),
        (status = 404, description = "There is no such thing for you", body = ProblemDocument),
    )
)]
pub async fn list_of_case(
    State(app): State<App>,
    SignedIn(who): SignedIn,
    Stated(purpose): Stated,
    InPath((case, kind)): InPath<(Uuid, String)>,
) -> Result<Json<Listed<AttachmentView>>, Problem> {
    read::list(&app, &who, purpose, On::Section(of_case(case, &kind))).await
}

/// One of them, byte for byte, as an opaque file: never shown in place.
#[utoipa::path(
    get, path = "/api/v1/cases/{id}/sections/{kind}/attachments/{attachment}", operation_id = "read_case_attachment", tag = "cases",
    params(("id" = CaseId, Path), ("kind" = RecordKind, Path), ("attachment" = AttachmentId, Path), ("Purpose" = inline(Purpose), Header)),
    responses(
        (status = 200, description = "The file", body = String, content_type = "application/octet-stream"),
        (status = 404, description = "There is no such attachment for you", body = ProblemDocument),
    )
)]
pub async fn read_of_case(
    State(app): State<App>,
    SignedIn(who): SignedIn,
    Stated(purpose): Stated,
    InPath((case, kind, attachment)): InPath<(Uuid, String, Uuid)>,
    client: Client,
) -> Result<Response, Problem> {
    read::content(&app, &who, purpose, On::Section(of_case(case, &kind)), attachment, client).await
}

/// Attach a file to a section of a person: the body is the file, byte for byte.
///
/// The name travels in the header `Himaya-File-Name`, UTF-8, percent-encoded: addresses are logged in many places, headers
/// like this one are not. The type is the `Content-Type`; that of an image is what its bytes say, and its metadata is taken
/// out. Sent again with the same key, the same name and the same bytes it is stored once.
#[utoipa::path(
    post, path = "/api/v1/cases/{id}/persons/{person}/sections/{kind}/attachments", operation_id = "add_person_attachment", tag = "cases",
    params(
        ("id" = CaseId, Path), ("person" = SubjectId, Path), ("kind" = RecordKind, Path),
        ("Himaya-File-Name" = String, Header, description = "UTF-8, percent-encoded"),
        ("Idempotency-Key" = String, Header),
    ),
    request_body(content = String, content_type = "application/octet-stream", description = "Any media type"),
    responses(
        (status = 201, description = "Stored, durably", body = AttachmentMade),
        (status = 404, description = "There is nothing for you to add to", body = ProblemDocument),
        (status = 408, description = "The body took too long, or came too slowly", body = ProblemDocument),
        (status = 409, description = "Its state does not allow it, or too many hang there", body = ProblemDocument),
        (status = 413, description = "Larger than the limit, which is named", body = ProblemDocument),
        (status = 422, description = "A header or the body is not right", body = ProblemDocument),
        (status = 503, description = "A store does not answer or has no room, or too many files are under way", body = ProblemDocument),
    )
)]
pub async fn add_to_person(
    State(app): State<App>,
    SignedIn(who): SignedIn,
    InPath((case, person, kind)): InPath<(Uuid, Uuid, String)>,
    key: IdempotencyKey,
    request: Request,
) -> Result<Answer, Problem> {
    add::add(&app, &who, On::Section(of_person(case, person, &kind)), key, request).await
}

/// What hangs on a section of a person, by name, type and hashes.
#[utoipa::path(
    get, path = "/api/v1/cases/{id}/persons/{person}/sections/{kind}/attachments", operation_id = "list_person_attachments", tag = "cases",
    params(("id" = CaseId, Path), ("person" = SubjectId, Path), ("kind" = RecordKind, Path), ("Purpose" = inline(Purpose), Header)),
    responses(
        (status = 200, description = "All of them, in order", body = Listed<AttachmentView>),
        (status = 404, description = "There is no such thing for you", body = ProblemDocument),
    )
)]
pub async fn list_of_person(
    State(app): State<App>,
    SignedIn(who): SignedIn,
    Stated(purpose): Stated,
    InPath((case, person, kind)): InPath<(Uuid, Uuid, String)>,
) -> Result<Json<Listed<AttachmentView>>, Problem> {
    read::list(&app, &who, purpose, On::Section(of_person(case, person, &kind))).await
}

/// One of them, byte for byte, as an opaque file: never shown in place.
#[utoipa::path(
    get, path = "/api/v1/cases/{id}/persons/{person}/sections/{kind}/attachments/{attachment}", operation_id = "read_person_attachment", tag = "cases",
    params(("id" = CaseId, Path), ("person" = SubjectId, Path), ("kind" = RecordKind, Path), ("attachment" = AttachmentId, Path), ("Purpose" = inline(Purpose), Header)),
    responses(
        (status = 200, description = "The file", body = String, content_type = "application/octet-stream"),
        (status = 404, description = "There is no such attachment for you", body = ProblemDocument),
    )
)]
pub async fn read_of_person(
    State(app): State<App>,
    SignedIn(who): SignedIn,
    Stated(purpose): Stated,
    InPath((case, person, kind, attachment)): InPath<(Uuid, Uuid, String, Uuid)>,
    client: Client,
) -> Result<Response, Problem> {
    read::content(&app, &who, purpose, On::Section(of_person(case, person, &kind)), attachment, client).await
}
