//! One vocabulary: a word of the law is the same word in a type, in the policy, in the ledger and in a URL.
//!
//! [`words!`] makes an enum whose variants each carry their one spelling. The spelling is what is stored, signed and
//! served, so changing it changes formats; adding a variant does not.

// The word is taken as a token: a `literal` fragment reaches the derived schema wrapped, and is not seen there.
/// Declares an enum of domain words: `ALL`, `as_str`, `FromStr`, serde and OpenAPI by that one spelling.
macro_rules! words {
    ($(#[$meta:meta])* $vis:vis enum $name:ident { $($(#[$vmeta:meta])* $variant:ident = $word:tt,)+ }) => {
        $(#[$meta])*
        #[derive(
            Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
            utoipa::ToSchema,
        )]
        $vis enum $name {
            $($(#[$vmeta])* #[serde(rename = $word)] $variant,)+
        }

        impl $name {
            /// Every word, in the order in which the law and the design list them.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The one spelling of this word.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)+ }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::guard::words::UnknownWord;

            fn from_str(word: &str) -> Result<Self, Self::Err> {
                match word {
                    $($word => Ok(Self::$variant),)+
                    _ => Err($crate::guard::words::UnknownWord(stringify!($name))),
                }
            }
        }
    };
}

pub(crate) use words;

/// A word that is not in the named vocabulary. The word itself is not repeated: it may be content.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("not a word of {0}")]
pub struct UnknownWord(pub &'static str);
