//! The search language: what is understood, how it prints, what is refused, what matches.

mod language;
mod matching;
