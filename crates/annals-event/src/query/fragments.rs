//! What an index of texts needs to know of a filter and of a row: which pieces of text a row must have somewhere, and
//! what texts it has.

use super::check::{Check, IpNeedle};
use super::filter::Filter;
use super::fold::Needle;
use crate::{Catalogue, Row};

impl Filter {
    /// Lists of alternatives: a row that matches has, for each list, one alternative of which each piece occurs in one of
    /// its [texts](Row::texts). Pieces have their case folded. What the filter asks for in other ways is not among them.
    pub fn fragments(&self, catalogue: &Catalogue) -> Vec<Vec<Vec<String>>> {
        let lists = self
            .required()
            .filter_map(|check| fragments(check, catalogue));
        // One that asks for nothing says nothing.
        lists
            .filter(|alternatives| alternatives.iter().all(|pieces| !pieces.is_empty()))
            .collect()
    }
}

impl Row {
    /// Shows the texts that a filter compares names, ids, and other values with: in the clear as they are, sections
    /// as their canonical JSON, and the name of the event.
    pub fn texts(&self, catalogue: &Catalogue, see: &mut dyn FnMut(&str)) {
        let skeleton = self.skeleton();
        see(&skeleton.action);
        see(&catalogue.display_name(&skeleton.action));
        see(&skeleton.id);
        let actor = &skeleton.actor;
        see(&actor.kind);
        let targets = skeleton.targets.iter();
        let clear = [&actor.id, &actor.role, &skeleton.failure];
        for text in clear
            .into_iter()
            .chain(targets.clone().map(|target| &target.id))
        {
            text.as_deref().into_iter().for_each(&mut *see);
        }
        targets.for_each(|target| see(&target.kind));
        for k in 0..self.draft.sections.len() {
            self.section_text(k).into_iter().for_each(&mut *see);
        }
    }
}

fn fragments(check: &Check, catalogue: &Catalogue) -> Option<Vec<Vec<String>>> {
    let all = |needles: &[Needle]| Some(needles.iter().map(Needle::plain_pieces).collect());
    match check {
        Check::Text(needle) => {
            // What events are called may change between the version that made an index and this one.
            let named = |name: &str| needle.occurs_in(name);
            match catalogue.all().any(|entry| named(entry.display_name)) {
                true => None,
                false => Some(vec![needle.plain_pieces()]),
            }
        }
        Check::Id(needles)
        | Check::Reason(needles)
        | Check::Actor(_, needles)
        | Check::Target(_, needles)
        | Check::Context(_, needles)
        | Check::Detail(_, _, needles) => all(needles),
        Check::Ip(needles) => {
            let written = |needle: &IpNeedle| match needle {
                IpNeedle::Like(needle) => Some(needle.plain_pieces()),
                IpNeedle::Network(_) => None,
            };
            needles.iter().map(written).collect()
        }
        Check::Occurred(_)
        | Check::Recorded(_)
        | Check::Position(_)
        | Check::Outcome(_)
        | Check::Category(_)
        | Check::Action(_)
        | Check::Actions(_)
        | Check::Key(_) => None,
    }
}
