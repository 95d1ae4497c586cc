//! How a section is sealed: its content, the schema it was written in, and where it belongs.

use super::sections::{ContactAndSafety, Identity, Investigation, Legal, Narrative};
use super::states::ProsecutionStage;
use crate::guard::record::{CaseId, RecordKind, SubjectId};
use crate::guard::vault::VaultError;
use serde::{Deserialize, Serialize};
use utoipa::openapi::schema::{AnyOfBuilder, Schema};
use utoipa::openapi::{Ref, RefOr};
use utoipa::{PartialSchema, ToSchema};

/// The version of the shapes in [`super::sections`].
pub const SCHEMA_VERSION: u16 = 1;

/// Section kinds of a case as a whole.
pub const OF_CASE: [RecordKind; 3] = [RecordKind::Narrative, RecordKind::Legal, RecordKind::Investigation];
/// Section kinds of one person. Carers make `care` and hold its key; it is listed for everybody all the same.
pub const OF_PERSON: [RecordKind; 3] = [RecordKind::Identity, RecordKind::ContactAndSafety, RecordKind::Care];

/// The content of one section; the kind in its address says which shape it has.
#[derive(Serialize)]
#[serde(untagged)]
pub enum Content {
    Identity(Box<Identity>),
    ContactAndSafety(Box<ContactAndSafety>),
    Narrative(Box<Narrative>),
    Legal(Box<Legal>),
    Investigation(Box<Investigation>),
}

/// Any of the shapes, not one of them: content that states nothing fits all of them.
impl PartialSchema for Content {
    fn schema() -> RefOr<Schema> {
        let shapes =
            [Identity::name(), ContactAndSafety::name(), Narrative::name(), Legal::name(), Investigation::name()];
        let any = AnyOfBuilder::new().description(Some("The content of one section, in the shape of its kind."));
        shapes.into_iter().fold(any, |any, shape| any.item(Ref::from_schema_name(shape))).into()
    }
}

impl ToSchema for Content {
    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        fn of<T: ToSchema>(schemas: &mut Vec<(String, RefOr<Schema>)>) {
            schemas.push((T::name().into_owned(), T::schema()));
            T::schemas(schemas);
        }
        of::<Identity>(schemas);
        of::<ContactAndSafety>(schemas);
        of::<Narrative>(schemas);
        of::<Legal>(schemas);
        of::<Investigation>(schemas);
    }
}

impl Content {
    /// A section as a new case has it; `None` for a kind that is no section, or that officers do not make.
    #[must_use]
    pub fn empty(kind: RecordKind) -> Option<Self> {
        Some(match kind {
            RecordKind::Identity => Self::Identity(Box::default()),
            RecordKind::ContactAndSafety => Self::ContactAndSafety(Box::default()),
            RecordKind::Narrative => Self::Narrative(Box::default()),
            RecordKind::Legal => Self::Legal(Box::default()),
            RecordKind::Investigation => Self::Investigation(Box::default()),
            _ => return None,
        })
    }

    #[must_use]
    pub const fn kind(&self) -> RecordKind {
        match self {
            Self::Identity(_) => RecordKind::Identity,
            Self::ContactAndSafety(_) => RecordKind::ContactAndSafety,
            Self::Narrative(_) => RecordKind::Narrative,
            Self::Legal(_) => RecordKind::Legal,
            Self::Investigation(_) => RecordKind::Investigation,
        }
    }

    /// The stage that an investigation states; other sections have none.
    #[must_use]
    pub fn stage(&self) -> Option<ProsecutionStage> {
        match self {
            Self::Investigation(investigation) => investigation.prosecution_stage,
            _ => None,
        }
    }

    /// Reads an opened section, of this schema or an older one.
    pub(super) fn read(document: Document, place: &Place) -> Result<Self, VaultError> {
        fn boxed<T: serde::de::DeserializeOwned>(content: serde_json::Value) -> Result<Box<T>, VaultError> {
            serde_json::from_value(content).map(Box::new).map_err(|_| VaultError::Shape)
        }
        // There is no older schema yet. A newer one was written by a newer service: it is not cut down to this one.
        if document.schema_version != SCHEMA_VERSION {
            return Err(VaultError::Shape);
        }
        if document.place != *place {
            return Err(VaultError::Tampered);
        }
        let content = document.content;
        Ok(match place.kind {
            RecordKind::Identity => Self::Identity(boxed(content)?),
            RecordKind::ContactAndSafety => Self::ContactAndSafety(boxed(content)?),
            RecordKind::Narrative => Self::Narrative(boxed(content)?),
            RecordKind::Legal => Self::Legal(boxed(content)?),
            RecordKind::Investigation => Self::Investigation(boxed(content)?),
            _ => return Err(VaultError::Shape),
        })
    }
}

/// Where a section belongs. Sealed with its content: a database that hangs one person's section on another is found out.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Place {
    pub case: CaseId,
    pub person: Option<SubjectId>,
    pub kind: RecordKind,
}

/// A section as it is sealed.
#[derive(Deserialize)]
pub(crate) struct Document {
    schema_version: u16,
    place: Place,
    content: serde_json::Value,
}

/// [`Document`], on its way in.
#[derive(Serialize)]
pub(crate) struct NewDocument<'a> {
    schema_version: u16,
    place: &'a Place,
    content: &'a Content,
}

impl<'a> NewDocument<'a> {
    pub(super) const fn new(place: &'a Place, content: &'a Content) -> Self {
        Self { schema_version: SCHEMA_VERSION, place, content }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(kind: RecordKind) -> Place {
        Place { case: CaseId::random(), person: None, kind }
    }

    fn sealed(place: &Place, content: &Content) -> Document {
        serde_json::from_slice(&serde_json::to_vec(&NewDocument::new(place, content)).unwrap()).unwrap()
    }

    #[test]
    fn every_kind_that_officers_make_has_an_empty_section() {
        for kind in OF_CASE.into_iter().chain(OF_PERSON) {
            let empty = Content::empty(kind);
            assert_eq!(empty.as_ref().map(Content::kind), (kind != RecordKind::Care).then_some(kind));
            if let Some(empty) = empty {
                let place = place(kind);
                assert!(Content::read(sealed(&place, &empty), &place).is_ok());
            }
        }
        assert!(Content::empty(RecordKind::Case).is_none());
    }

    #[test]
    fn a_section_hung_elsewhere_does_not_open() {
        let here = place(RecordKind::Identity);
        let content = Content::empty(here.kind).unwrap();
        let elsewhere = Place { person: Some(SubjectId::random()), ..here };
        assert!(matches!(Content::read(sealed(&here, &content), &elsewhere), Err(VaultError::Tampered)));
        let as_another_kind = Place { kind: RecordKind::Legal, ..here };
        assert!(matches!(Content::read(sealed(&here, &content), &as_another_kind), Err(VaultError::Tampered)));
    }

    #[test]
    fn a_newer_schema_is_not_cut_down() {
        let place = place(RecordKind::Legal);
        let mut document = sealed(&place, &Content::empty(place.kind).unwrap());
        document.schema_version = SCHEMA_VERSION + 1;
        assert!(matches!(Content::read(document, &place), Err(VaultError::Shape)));
    }
}
