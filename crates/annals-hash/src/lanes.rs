//! Sixteen messages side by side: every word of the state is a row of sixteen, one for each message, so that each step of the
//! algorithm is one instruction for all of them.

use multiversion::multiversion;

use crate::{BLOCK, Hash, START, bytes, finish};

const LANES: usize = 16;

/// One word of each message.
type Row = [u32; LANES];

/// The round constants (FIPS 180-4, 4.2.2).
#[rustfmt::skip]
const K: [u32; 64] = [
    0x428a_2f98, 0x7137_4491, 0xb5c0_fbcf, 0xe9b5_dba5, 0x3956_c25b, 0x59f1_11f1, 0x923f_82a4, 0xab1c_5ed5,
    0xd807_aa98, 0x1283_5b01, 0x2431_85be, 0x550c_7dc3, 0x72be_5d74, 0x80de_b1fe, 0x9bdc_06a7, 0xc19b_f174,
    0xe49b_69c1, 0xefbe_4786, 0x0fc1_9dc6, 0x240c_a1cc, 0x2de9_2c6f, 0x4a74_84aa, 0x5cb0_a9dc, 0x76f9_88da,
    0x983e_5152, 0xa831_c66d, 0xb003_27c8, 0xbf59_7fc7, 0xc6e0_0bf3, 0xd5a7_9147, 0x06ca_6351, 0x1429_2967,
    0x27b7_0a85, 0x2e1b_2138, 0x4d2c_6dfc, 0x5338_0d13, 0x650a_7354, 0x766a_0abb, 0x81c2_c92e, 0x9272_2c85,
    0xa2bf_e8a1, 0xa81a_664b, 0xc24b_8b70, 0xc76c_51a3, 0xd192_e819, 0xd699_0624, 0xf40e_3585, 0x106a_a070,
    0x19a4_c116, 0x1e37_6c08, 0x2748_774c, 0x34b0_bcb5, 0x391c_0cb3, 0x4ed8_aa4a, 0x5b9c_ca4f, 0x682e_6ff3,
    0x748f_82ee, 0x78a5_636f, 0x84c8_7814, 0x8cc7_0208, 0x90be_fffa, 0xa450_6ceb, 0xbef9_a3f7, 0xc671_78f2,
];

/// Whether this processor has the instructions that make it worth while.
pub(crate) fn available() -> bool {
    #[cfg(target_arch = "x86_64")]
    {
        std::arch::is_x86_feature_detected!("avx512f")
            && std::arch::is_x86_feature_detected!("avx512bw")
            && std::arch::is_x86_feature_detected!("avx512vl")
    }
    #[cfg(not(target_arch = "x86_64"))]
    {
        false
    }
}

/// What a lane is at: which message, and which of its blocks comes next.
#[derive(Clone, Copy)]
struct Lane {
    message: usize,
    next: usize,
    end: usize,
}

/// Hashes the messages whose blocks end at `ends`. A lane that is done takes the next message.
pub(crate) fn hash(blocks: &[[u8; BLOCK]], ends: &[usize], hashes: &mut [Hash]) {
    let mut waiting = ends.iter().enumerate().scan(0, |begin, (message, end)| {
        let next = std::mem::replace(begin, *end);
        Some(Lane {
            message,
            next,
            end: *end,
        })
    });
    let mut lanes: [Option<Lane>; LANES] = std::array::from_fn(|_| waiting.next());
    let mut busy = lanes.iter().flatten().count();
    let mut state = START.map(|word| [word; LANES]);
    let mut words = [[0; LANES]; 16];
    // With fewer messages than this the rest is faster one by one.
    while busy > 2 {
        // An idle lane goes over its last block again; nobody asks what comes of it.
        for (n, lane) in lanes.iter().enumerate() {
            if let Some(lane) = lane {
                load(&mut words, n, &blocks[lane.next]);
            }
        }
        compress(&mut state, &words);
        for (n, place) in lanes.iter_mut().enumerate() {
            let Some(lane) = place else { continue };
            lane.next += 1;
            if lane.next == lane.end {
                hashes[lane.message] = bytes(column(&state, n));
                *place = waiting.next();
                busy -= usize::from(place.is_none());
                for (row, word) in state.iter_mut().zip(START) {
                    row[n] = word;
                }
            }
        }
    }
    for (n, lane) in lanes.iter().enumerate() {
        if let Some(lane) = lane {
            hashes[lane.message] = finish(column(&state, n), &blocks[lane.next..lane.end]);
        }
    }
}

/// Spreads a block over one column, as it lies; [`compress`] turns the bytes round.
fn load(words: &mut [Row; 16], lane: usize, block: &[u8; BLOCK]) {
    for i in 0..16 {
        let word = [
            block[4 * i],
            block[4 * i + 1],
            block[4 * i + 2],
            block[4 * i + 3],
        ];
        words[i][lane] = u32::from_le_bytes(word);
    }
}

fn column(state: &[Row; 8], lane: usize) -> [u32; 8] {
    let mut column = [0; 8];
    for k in 0..8 {
        column[k] = state[k][lane];
    }
    column
}

// One step for all lanes. Plain loops over plain arrays, because the compiler turns just these into single instructions.

#[inline(always)]
fn each(a: Row, step: impl Fn(u32) -> u32) -> Row {
    let mut out = [0; LANES];
    for n in 0..LANES {
        out[n] = step(a[n]);
    }
    out
}

#[inline(always)]
fn each3(a: Row, b: Row, c: Row, step: impl Fn(u32, u32, u32) -> u32) -> Row {
    let mut out = [0; LANES];
    for n in 0..LANES {
        out[n] = step(a[n], b[n], c[n]);
    }
    out
}

#[inline(always)]
fn add(a: Row, b: Row) -> Row {
    let mut out = [0; LANES];
    for n in 0..LANES {
        out[n] = a[n].wrapping_add(b[n]);
    }
    out
}

/// One block of every lane (FIPS 180-4, 6.2.2).
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512vl"))]
fn compress(state: &mut [Row; 8], words: &[Row; 16]) {
    let mut w = *words;
    let [mut a, mut b, mut c, mut d, mut e, mut f, mut g, mut h] = *state;
    // Written out, the sixteen steps have fixed names for fixed registers.
    macro_rules! step {
        ($a:ident $b:ident $c:ident $d:ident $e:ident $f:ident $g:ident $h:ident $i:literal $round:ident) => {
            if $round == 0 {
                // Here and not in a loop over all rows, which the compiler would turn into a slow one over columns.
                w[$i] = each(w[$i], u32::swap_bytes);
            } else {
                let s0 = each(w[($i + 1) % 16], |x| {
                    x.rotate_right(7) ^ x.rotate_right(18) ^ (x >> 3)
                });
                let s1 = each(w[($i + 14) % 16], |x| {
                    x.rotate_right(17) ^ x.rotate_right(19) ^ (x >> 10)
                });
                w[$i] = add(add(w[$i], s0), add(w[($i + 9) % 16], s1));
            }
            let s1 = each($e, |x| {
                x.rotate_right(6) ^ x.rotate_right(11) ^ x.rotate_right(25)
            });
            let choice = each3($e, $f, $g, |e, f, g| g ^ (e & (f ^ g)));
            let constant = [K[$round * 16 + $i]; LANES];
            let first = add(add($h, s1), add(choice, add(constant, w[$i])));
            let s0 = each($a, |x| {
                x.rotate_right(2) ^ x.rotate_right(13) ^ x.rotate_right(22)
            });
            let majority = each3($a, $b, $c, |a, b, c| (a & b) | (c & (a | b)));
            $d = add($d, first);
            $h = add(first, add(s0, majority));
        };
    }
    for round in 0..4 {
        step!(a b c d e f g h 0 round);
        step!(h a b c d e f g 1 round);
        step!(g h a b c d e f 2 round);
        step!(f g h a b c d e 3 round);
        step!(e f g h a b c d 4 round);
        step!(d e f g h a b c 5 round);
        step!(c d e f g h a b 6 round);
        step!(b c d e f g h a 7 round);
        step!(a b c d e f g h 8 round);
        step!(h a b c d e f g 9 round);
        step!(g h a b c d e f 10 round);
        step!(f g h a b c d e 11 round);
        step!(e f g h a b c d 12 round);
        step!(d e f g h a b c 13 round);
        step!(c d e f g h a b 14 round);
        step!(b c d e f g h a 15 round);
    }
    let before = *state;
    *state = [
        add(before[0], a),
        add(before[1], b),
        add(before[2], c),
        add(before[3], d),
        add(before[4], e),
        add(before[5], f),
        add(before[6], g),
        add(before[7], h),
    ];
}

#[cfg(test)]
mod tests {
    use multiversion::multiversion;

    use super::*;

    #[multiversion(targets("x86_64+avx512f+avx512bw+avx512vl"))]
    fn chosen() -> bool {
        multiversion::target::selected_target!().supports_feature_str("avx512f")
    }

    /// If it chose the plain version in spite of the instructions, the lanes would be slower than no lanes.
    #[test]
    fn the_wide_version_is_chosen_where_it_can_be() {
        assert_eq!(chosen(), available());
    }

    /// Where the processor lacks the instructions the doors never come here, so the lanes are tested from inside.
    #[test]
    fn lanes_agree_with_one_by_one() {
        let mut seed = 1u64;
        let mut random = |below: u64| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            usize::try_from((seed >> 33) % below).expect("small")
        };
        for messages in 0..60 {
            let mut ends = Vec::new();
            for _ in 0..messages {
                ends.push(ends.last().unwrap_or(&0) + 1 + random(6));
            }
            let count = ends.last().copied().unwrap_or(0);
            let blocks: Vec<[u8; BLOCK]> = (0..count)
                .map(|_| std::array::from_fn(|_| u8::try_from(random(256)).expect("a byte")))
                .collect();
            let mut hashes = vec![[0; 32]; messages];
            hash(&blocks, &ends, &mut hashes);
            let mut begin = 0;
            for (end, hash) in ends.iter().zip(hashes) {
                assert_eq!(hash, finish(START, &blocks[begin..*end]));
                begin = *end;
            }
        }
    }
}
