//! What an attachment is: what is sealed of it, and what is shown.

use crate::cases::document::Place;
use crate::guard::record::{AccountId, AttachmentId, CallId, NoticeId, ObjectId};
use crate::guard::vault::{ObjectKey, objects};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

/// How many may hang on one thing.
pub const MOST: i64 = 100;
/// The longest name, in characters.
pub const LONGEST_NAME: usize = 200;
/// The version of `File`.
pub const SCHEMA_VERSION: u16 = 1;

/// What an attachment hangs on. Sealed with it: a database that hangs it elsewhere is found out.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum On {
    Call(CallId),
    Notice(NoticeId),
    Section(Place),
}

impl On {
    /// What stands for it at the gate: for a section its person or its case.
    pub(crate) fn id(&self) -> Uuid {
        match self {
            Self::Call(id) => id.0,
            Self::Notice(id) => id.0,
            Self::Section(place) => place.person.map_or(place.case.0, |person| person.0),
        }
    }
}

/// An attachment as it is sealed.
#[derive(Serialize, Deserialize)]
pub(crate) struct File {
    pub schema_version: u16,
    pub on: On,
    pub name: String,
    pub media_type: String,
    /// What is stored, and given out.
    pub stored: Sum,
    /// What was received, where that is not what is stored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub received: Option<Sum>,
    pub object: ObjectId,
    #[serde(with = "objects::sealed_key")]
    pub key: ObjectKey,
    pub author: AccountId,
    pub added_at: DateTime<Utc>,
}

/// Length and hash of some bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Sum {
    pub bytes: u64,
    /// Hexadecimal.
    pub sha256: String,
}

/// An attachment, opened for the person who asked. Its bytes are at its own address.
#[derive(Serialize, Deserialize, ToSchema)]
pub struct AttachmentView {
    pub id: AttachmentId,
    pub name: String,
    /// Of an image as its bytes say, of everything else as its sender said.
    pub media_type: String,
    /// What is given out.
    #[serde(flatten)]
    pub stored: Sum,
    /// What was received, where metadata was taken out of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub received: Option<Sum>,
    pub added_at: DateTime<Utc>,
    /// Who added it; for an attachment of a case only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub author: Option<AccountId>,
}

impl AttachmentView {
    pub(super) fn of(id: AttachmentId, file: File) -> Self {
        // Which operator took a call is not told to the squad.
        let author = matches!(file.on, On::Section(_)).then_some(file.author);
        Self {
            id,
            name: file.name,
            media_type: file.media_type,
            stored: file.stored,
            received: file.received,
            added_at: file.added_at,
            author,
        }
    }
}

/// An attachment that was stored. Nothing of what it is: this answer is remembered, and not sealed.
#[derive(Serialize, Deserialize, ToSchema)]
pub struct AttachmentMade {
    pub id: AttachmentId,
}
