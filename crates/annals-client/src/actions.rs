//! One type for each action of the catalogue.
//!
//! They are generated from the table that the server is compiled with: what an action does not know is not a method of its type, and
//! a failure takes its reason from the closed list of that action. Every one turns into a [`NewEvent`], to which members of your own
//! may be added.

use annals_event::{Actor, Context, Json, Timestamp};

use crate::event::{Integer, NewEvent, Ref};

/// What all of them have.
macro_rules! common {
    ($name:ident) => {
        impl $name {
            /// When it happened; without this, when it is recorded.
            pub fn at(self, time: Timestamp) -> Self {
                Self(self.0.at(time))
            }
            /// An id of your own in place of a `UUIDv7`; unique in the workspace.
            pub fn id(self, id: impl Into<String>) -> Self {
                Self(self.0.id(id))
            }
            /// From where and how, in place of what the request says.
            pub fn context(self, context: impl Into<Context>) -> Self {
                Self(self.0.context(context))
            }
            /// Where in the product: `web`, `api`, `widget`.
            pub fn source(self, source: impl Into<String>) -> Self {
                Self(self.0.source(source))
            }
            /// The id of the session, which must not be its cookie.
            pub fn session_id(self, session: impl Into<String>) -> Self {
                Self(self.0.session_id(session))
            }
            /// An id that all events of one act share.
            pub fn correlation_id(self, id: impl Into<String>) -> Self {
                Self(self.0.correlation_id(id))
            }
        }

        impl From<$name> for NewEvent {
            fn from(event: $name) -> NewEvent {
                event.0
            }
        }
    };
}

fn texts(texts: impl IntoIterator<Item = impl Into<String>>) -> Json {
    Json::Array(
        texts
            .into_iter()
            .map(|text| Json::String(text.into()))
            .collect(),
    )
}

include!(concat!(env!("OUT_DIR"), "/actions.rs"));
