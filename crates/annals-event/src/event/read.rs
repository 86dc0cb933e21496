//! The straight way from JSON text to an event: one pass, nothing built in between.
//!
//! Accepts exactly what [`super::walk`] accepts; a property test holds them together. Its errors are thrown away.

use std::fmt;

use serde::de::{
    Deserialize, DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor,
};

use super::{Actor, Context, Event, Failure, OnBehalfOf, Target};
use crate::json::{Object, ObjectSeed};
use crate::limits;
use crate::time::Timestamp;

pub(super) fn event(text: &[u8]) -> Option<Event> {
    // Once for the whole text is cheaper than for every string in it.
    let text = std::str::from_utf8(text).ok()?;
    let mut input = serde_json::Deserializer::from_str(text);
    let event = Event::read(&mut input).ok()?;
    input.end().ok()?;
    Some(event)
}

/// What can be read from the wire.
trait Read: Sized {
    fn read<'de, D: Deserializer<'de>>(input: D) -> Result<Self, D::Error>;
}

struct Seed<T>(std::marker::PhantomData<T>);

impl<'de, T: Read> DeserializeSeed<'de> for Seed<T> {
    type Value = T;

    fn deserialize<D: Deserializer<'de>>(self, input: D) -> Result<T, D::Error> {
        T::read(input)
    }
}

fn seed<T>() -> Seed<T> {
    Seed(std::marker::PhantomData)
}

/// Reads a member's name as one of `names`.
struct Member(&'static [&'static str]);

impl<'de> DeserializeSeed<'de> for Member {
    type Value = usize;

    fn deserialize<D: Deserializer<'de>>(self, input: D) -> Result<usize, D::Error> {
        input.deserialize_identifier(self)
    }
}

impl Visitor<'_> for Member {
    type Value = usize;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a member")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<usize, E> {
        let at = self.0.iter().position(|known| *known == name);
        at.ok_or_else(|| E::custom("unknown member"))
    }
}

/// Reads an object into a struct: members by name, each at most once, `required` ones exactly once.
macro_rules! read_object {
    ($type:ident { $($need:ident = $need_key:literal),* ; $($may:ident = $may_key:literal),* }) => {
        impl Read for $type {
            fn read<'de, D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
                struct Members;
                impl<'de> Visitor<'de> for Members {
                    type Value = $type;

                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        f.write_str("an object")
                    }

                    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<$type, A::Error> {
                        const NAMES: &[&str] = &[$($need_key,)* $($may_key,)*];
                        $(let mut $need = None;)*
                        $(let mut $may = None;)*
                        while let Some(member) = map.next_key_seed(Member(NAMES))? {
                            let mut n = 0..;
                            $(if n.next() == Some(member) {
                                if $need.replace(map.next_value_seed(seed())?).is_some() {
                                    return Err(A::Error::custom("twice"));
                                }
                                continue;
                            })*
                            $(if n.next() == Some(member) {
                                if $may.replace(map.next_value_seed(seed())?).is_some() {
                                    return Err(A::Error::custom("twice"));
                                }
                                continue;
                            })*
                            let _ = n;
                            map.next_value::<IgnoredAny>()?;
                        }
                        Ok($type {
                            $($need: $need.ok_or_else(|| A::Error::custom("missing"))?,)*
                            $($may,)*
                        })
                    }
                }
                input.deserialize_map(Members)
            }
        }
    };
}

read_object!(Event {
    action = "action", occurred_at = "occurred_at", actor = "actor", targets = "targets", context = "context";
    id = "id", metadata = "metadata", version = "version", failure = "failure", previous = "previous", next = "next"
});
read_object!(Actor {
    id = "id", kind = "type";
    name = "name", email = "email", role = "role", metadata = "metadata", on_behalf_of = "on_behalf_of"
});
read_object!(OnBehalfOf { id = "id", kind = "type"; name = "name", email = "email" });
read_object!(Target { id = "id", kind = "type"; name = "name", email = "email", metadata = "metadata" });
read_object!(Context {
    ;
    location = "location", user_agent = "user_agent", source = "source", session_id = "session_id",
    request_id = "request_id", correlation_id = "correlation_id", trace = "trace"
});
read_object!(Failure { ; reason = "reason", stage = "stage", detail = "detail" });

impl Read for String {
    fn read<'de, D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        let text = String::deserialize(input)?;
        if text.as_bytes().contains(&0) {
            Err(D::Error::custom("NUL"))
        } else {
            Ok(text)
        }
    }
}

impl Read for Object {
    fn read<'de, D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        ObjectSeed {
            depth: limits::VALUE_DEPTH,
        }
        .deserialize(input)
    }
}

impl Read for u32 {
    fn read<'de, D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        u32::deserialize(input)
    }
}

impl Read for Timestamp {
    fn read<'de, D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        struct Text;
        impl Visitor<'_> for Text {
            type Value = Timestamp;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a time")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Timestamp, E> {
                Timestamp::parse(text).map_err(E::custom)
            }
        }
        input.deserialize_str(Text)
    }
}

impl Read for Vec<Target> {
    fn read<'de, D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        struct Targets;
        impl<'de> Visitor<'de> for Targets {
            type Value = Vec<Target>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an array")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Vec<Target>, A::Error> {
                let mut targets = Vec::new();
                while let Some(target) = seq.next_element_seed(seed())? {
                    if targets.len() == limits::TARGETS {
                        return Err(A::Error::custom("too many"));
                    }
                    targets.push(target);
                }
                Ok(targets)
            }
        }
        input.deserialize_seq(Targets)
    }
}
