//! Ranges: as they are written, and the bounds that they mean.

use std::fmt;

/// One value of a field that is ordered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Span<T> {
    At(T),
    Range(Option<T>, Option<T>),
    Compare(Comparison, T),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Comparison {
    Less,
    AtMost,
    More,
    AtLeast,
}

impl Comparison {
    pub(crate) fn symbol(self) -> &'static str {
        match self {
            Comparison::Less => "<",
            Comparison::AtMost => "<=",
            Comparison::More => ">",
            Comparison::AtLeast => ">=",
        }
    }
}

impl<T> Span<T> {
    /// Reads `>=x`, `x..y`, `x..`, `..y` or `x`; `None` where a part is missing or is no `T`.
    pub(crate) fn parse(text: &str, one: impl Fn(&str) -> Option<T>) -> Option<Span<T>> {
        use Comparison::{AtLeast, AtMost, Less, More};
        for comparison in [AtMost, AtLeast, Less, More] {
            if let Some(rest) = text.strip_prefix(comparison.symbol()) {
                return Some(Span::Compare(comparison, one(rest)?));
            }
        }
        let Some((from, to)) = text.split_once("..") else {
            return Some(Span::At(one(text)?));
        };
        let end = |text: &str| {
            if text.is_empty() {
                Some(None)
            } else {
                one(text).map(Some)
            }
        };
        match (end(from)?, end(to)?) {
            (None, None) => None,
            (from, to) => Some(Span::Range(from, to)),
        }
    }

    pub(crate) fn map(&self, one: impl Fn(&T) -> T) -> Span<T> {
        match self {
            Span::At(at) => Span::At(one(at)),
            Span::Range(from, to) => Span::Range(from.as_ref().map(&one), to.as_ref().map(&one)),
            Span::Compare(comparison, at) => Span::Compare(*comparison, one(at)),
        }
    }

    /// The first and the last of it, both included, where `first` and `last` give those of one value.
    pub(crate) fn bounds<V: Step>(
        &self,
        first: impl Fn(&T) -> V,
        last: impl Fn(&T) -> V,
    ) -> Bounds<V> {
        match self {
            Span::At(at) => Bounds {
                first: first(at),
                last: last(at),
            },
            Span::Range(from, to) => Bounds {
                first: from.as_ref().map_or(V::LEAST, &first),
                last: to.as_ref().map_or(V::MOST, &last),
            },
            Span::Compare(Comparison::AtLeast, at) => Bounds {
                first: first(at),
                last: V::MOST,
            },
            Span::Compare(Comparison::AtMost, at) => Bounds {
                first: V::LEAST,
                last: last(at),
            },
            Span::Compare(Comparison::More, at) => match last(at).next() {
                Some(first) => Bounds {
                    first,
                    last: V::MOST,
                },
                None => Bounds::nothing(),
            },
            Span::Compare(Comparison::Less, at) => match first(at).previous() {
                Some(last) => Bounds {
                    first: V::LEAST,
                    last,
                },
                None => Bounds::nothing(),
            },
        }
    }
}

impl<T: fmt::Display> fmt::Display for Span<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Span::At(at) => write!(f, "{at}"),
            Span::Compare(comparison, at) => write!(f, "{}{at}", comparison.symbol()),
            Span::Range(from, to) => {
                if let Some(from) = from {
                    write!(f, "{from}")?;
                }
                f.write_str("..")?;
                if let Some(to) = to {
                    write!(f, "{to}")?;
                }
                Ok(())
            }
        }
    }
}

/// An ordered value with neighbours.
pub(crate) trait Step: Copy + Ord {
    const LEAST: Self;
    const MOST: Self;
    fn next(self) -> Option<Self>;
    fn previous(self) -> Option<Self>;
}

impl Step for i64 {
    const LEAST: i64 = i64::MIN;
    const MOST: i64 = i64::MAX;
    fn next(self) -> Option<i64> {
        self.checked_add(1)
    }
    fn previous(self) -> Option<i64> {
        self.checked_sub(1)
    }
}

impl Step for u64 {
    const LEAST: u64 = 0;
    const MOST: u64 = u64::MAX;
    fn next(self) -> Option<u64> {
        self.checked_add(1)
    }
    fn previous(self) -> Option<u64> {
        self.checked_sub(1)
    }
}

/// The first and the last value, both included; nothing if the first is greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Bounds<V> {
    pub(crate) first: V,
    pub(crate) last: V,
}

impl<V: Step> Bounds<V> {
    pub(crate) fn everything() -> Self {
        Bounds {
            first: V::LEAST,
            last: V::MOST,
        }
    }

    pub(crate) fn nothing() -> Self {
        Bounds {
            first: V::MOST,
            last: V::LEAST,
        }
    }

    pub(crate) fn is_empty(self) -> bool {
        self.first > self.last
    }

    pub(crate) fn contains(self, value: V) -> bool {
        self.first <= value && value <= self.last
    }

    pub(crate) fn and(self, other: Self) -> Self {
        Bounds {
            first: self.first.max(other.first),
            last: self.last.min(other.last),
        }
    }

    /// The least that holds both.
    pub(crate) fn hull(self, other: Self) -> Self {
        match (self.is_empty(), other.is_empty()) {
            (true, _) => other,
            (_, true) => self,
            _ => Bounds {
                first: self.first.min(other.first),
                last: self.last.max(other.last),
            },
        }
    }
}
