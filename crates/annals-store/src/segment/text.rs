//! Saying quickly where a text is not: for each page, which runs of three bytes its texts have.
//!
//! A word has several, so that a page which has them all by chance is rare. Ids are made of the same few
//! digits and letters in every order, so runs of these alone are in every page: they are left out.

use annals_event::{Catalogue, Filter, Row, fold_key};

/// Bits for each run of a page.
const BITS: usize = 3;

/// The runs of three bytes in the texts of a page, with their case folded.
pub(crate) struct TextRuns {
    /// A bit for each run that there can be.
    seen: Vec<u64>,
    runs: Vec<u32>,
}

impl TextRuns {
    pub(crate) fn new() -> TextRuns {
        TextRuns {
            seen: vec![0; (1 << 24) / 64],
            runs: Vec::new(),
        }
    }

    pub(crate) fn add(&mut self, row: &Row) {
        row.texts(Catalogue::builtin(), &mut |text| self.add_text(text));
    }

    /// Adds one text. Of a section it may also be the value of a member, because no piece that is searched for reaches beyond one.
    pub(crate) fn add_text(&mut self, text: &str) {
        each_run(text, |run| {
            let (word, bit) = (&mut self.seen[run as usize / 64], 1 << (run % 64));
            if *word & bit == 0 {
                *word |= bit;
                self.runs.push(run);
            }
        });
    }

    /// The filter over what was added since the last one; empty if that was nothing.
    pub(crate) fn take(&mut self) -> Vec<u8> {
        let mut filter = vec![0; (self.runs.len() * BITS).div_ceil(8)];
        for run in self.runs.drain(..) {
            self.seen[run as usize / 64] = 0;
            let bit = place(run, filter.len());
            filter[bit / 8] |= 1 << (bit % 8);
        }
        filter
    }
}

/// What a search asks of these filters: of each list, one alternative has to be there whole.
#[derive(Clone, Debug, Default)]
pub(crate) struct TextProbe {
    lists: Vec<Vec<Wanted>>,
}

/// Pieces of text and their runs.
#[derive(Clone, Debug)]
struct Wanted {
    pieces: Vec<String>,
    runs: Vec<u32>,
}

impl TextProbe {
    pub(crate) fn new(filter: &Filter) -> TextProbe {
        let wanted = |mut pieces: Vec<String>| {
            let mut runs = Vec::new();
            // What has no run may be anywhere.
            pieces.retain(|piece| {
                let before = runs.len();
                each_run(piece, |run| runs.push(run));
                runs.len() > before
            });
            Wanted { pieces, runs }
        };
        let lists = filter.fragments(Catalogue::builtin()).into_iter();
        let lists = lists.map(|list| list.into_iter().map(wanted).collect::<Vec<_>>());
        TextProbe {
            lists: lists
                .filter(|list| list.iter().all(|wanted| !wanted.runs.is_empty()))
                .collect(),
        }
    }

    /// Whether a row may match that `holds` what it says of a piece.
    pub(crate) fn may_match<'a>(&'a self, mut holds: impl FnMut(&'a str) -> bool) -> bool {
        let mut any = |list: &'a Vec<Wanted>| {
            let mut list = list.iter();
            list.any(|wanted| wanted.pieces.iter().all(|piece| holds(piece)))
        };
        self.lists.iter().all(&mut any)
    }

    /// Whether nothing is asked.
    pub(crate) fn is_empty(&self) -> bool {
        self.lists.is_empty()
    }

    /// Whether a page with this filter may hold what is wanted.
    pub(crate) fn may_be_in(&self, filter: &[u8]) -> bool {
        let holds = |run: &u32| {
            let bit = place(*run, filter.len());
            filter
                .get(bit / 8)
                .is_some_and(|byte| byte & 1 << (bit % 8) != 0)
        };
        let mut lists = self.lists.iter();
        lists.all(|list| list.iter().any(|wanted| wanted.runs.iter().all(holds)))
    }
}

/// The bit of a run in a filter of so many bytes.
fn place(run: u32, bytes: usize) -> usize {
    let spread = u64::from(run.wrapping_mul(0x9e37_79b1));
    crate::journal::to_usize((spread * 8 * bytes as u64) >> 32)
}

/// Shows the runs of three bytes of a text, with its case folded; what ids are made of is left out.
fn each_run(text: &str, mut show: impl FnMut(u32)) {
    // Of ASCII, which most texts are, folding is this simple.
    match text.is_ascii() {
        true => each_run_of(
            text.bytes().map(|byte| byte.to_ascii_lowercase()),
            &mut show,
        ),
        false => each_run_of(fold_key(text).bytes(), &mut show),
    }
}

fn each_run_of(bytes: impl Iterator<Item = u8>, show: &mut impl FnMut(u32)) {
    // How many bytes there are of the run that ends here, and since how many they are only of ids.
    let (mut run, mut length, mut of_ids) = (0u32, 0u32, 0u32);
    for byte in bytes {
        run = (run << 8 | u32::from(byte)) & 0xff_ffff;
        length += 1;
        of_ids = match OF_IDS[usize::from(byte)] {
            true => of_ids + 1,
            false => 0,
        };
        if length >= 3 && of_ids < 3 {
            show(run);
        }
    }
}

/// The bytes that ids are made of.
const OF_IDS: [bool; 256] = {
    let mut table = [false; 256];
    let mut letters: &[u8] = b"0123456789abcdef-";
    while let [letter, rest @ ..] = letters {
        table[*letter as usize] = true;
        letters = rest;
    }
    table
};
