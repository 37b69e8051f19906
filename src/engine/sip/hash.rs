//! A keyed hash for tables whose keys come from strangers (SipHash-1-3, Aumasson and Bernstein).
//!
//! 128 bits, so that two keys never meet by chance and the keys themselves need not be kept. It
//! protects tables against chosen collisions; what guards access is a real MAC, see `token`.

/// The secret of one [`Hasher`] family.
#[derive(Clone, Copy, Debug)]
pub(super) struct HashKey(u64, u64);

impl HashKey {
    /// A key from 16 secret bytes.
    pub(super) fn new(bytes: [u8; 16]) -> Self {
        let whole = u128::from_le_bytes(bytes);
        Self(whole as u64, (whole >> 64) as u64)
    }

    /// A hasher that has seen nothing.
    pub(super) fn hasher(self) -> Hasher {
        Hasher {
            state: [
                self.0 ^ 0x736f_6d65_7073_6575,
                self.1 ^ 0x646f_7261_6e64_6f6d ^ 0xee,
                self.0 ^ 0x6c79_6765_6e65_7261,
                self.1 ^ 0x7465_6462_7974_6573,
            ],
            tail: 0,
            filled: 0,
            length: 0,
        }
    }
}

/// A hash under way.
#[derive(Clone, Debug)]
pub(super) struct Hasher {
    state: [u64; 4],
    tail: u64,
    filled: u32,
    length: u8,
}

impl Hasher {
    /// Takes in one part; parts are told apart by their length.
    pub(super) fn part(mut self, bytes: &[u8]) -> Self {
        self.write(bytes);
        self.write(&(bytes.len() as u32).to_le_bytes());
        self
    }

    /// Takes in one part without regard to the case of ASCII letters.
    pub(super) fn part_lowercase(mut self, bytes: &[u8]) -> Self {
        let mut buffer = [0; 64];
        for chunk in bytes.chunks(buffer.len()) {
            let lower = &mut buffer[..chunk.len()];
            lower.copy_from_slice(chunk);
            lower.make_ascii_lowercase();
            self.write(lower);
        }
        self.write(&(bytes.len() as u32).to_le_bytes());
        self
    }

    /// The hash of all parts.
    pub(super) fn finish(mut self) -> u128 {
        self.compress(self.tail | u64::from(self.length) << 56);
        self.state[2] ^= 0xee;
        (0..3).for_each(|_| self.round());
        let low = self.state.iter().fold(0, |sum, word| sum ^ word);
        self.state[1] ^= 0xdd;
        (0..3).for_each(|_| self.round());
        let high = self.state.iter().fold(0, |sum, word| sum ^ word);
        u128::from(high) << 64 | u128::from(low)
    }

    fn write(&mut self, bytes: &[u8]) {
        self.length = self.length.wrapping_add(bytes.len() as u8);
        let mut rest = bytes;
        if self.filled > 0 {
            let (head, after) = rest.split_at(rest.len().min((8 - self.filled) as usize));
            head.iter().for_each(|byte| self.push(*byte));
            rest = after;
        }
        let mut words = rest.chunks_exact(8);
        for word in &mut words {
            let word = word.try_into().map_or(0, u64::from_le_bytes);
            self.compress(word);
        }
        words.remainder().iter().for_each(|byte| self.push(*byte));
    }

    fn push(&mut self, byte: u8) {
        self.tail |= u64::from(byte) << (8 * self.filled);
        self.filled += 1;
        if self.filled == 8 {
            let word = core::mem::take(&mut self.tail);
            self.filled = 0;
            self.compress(word);
        }
    }

    fn compress(&mut self, word: u64) {
        self.state[3] ^= word;
        self.round();
        self.state[0] ^= word;
    }

    fn round(&mut self) {
        let [a, b, c, d] = &mut self.state;
        *a = a.wrapping_add(*b);
        *b = b.rotate_left(13) ^ *a;
        *a = a.rotate_left(32);
        *c = c.wrapping_add(*d);
        *d = d.rotate_left(16) ^ *c;
        *a = a.wrapping_add(*d);
        *d = d.rotate_left(21) ^ *a;
        *c = c.wrapping_add(*b);
        *b = b.rotate_left(17) ^ *c;
        *c = c.rotate_left(32);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_told_apart_and_order_counts() {
        let key = HashKey::new([7; 16]);
        let hash = |parts: &[&[u8]]| {
            parts
                .iter()
                .fold(key.hasher(), |hasher, part| hasher.part(part))
                .finish()
        };
        assert_eq!(hash(&[b"one", b"two"]), hash(&[b"one", b"two"]));
        assert_ne!(hash(&[b"one", b"two"]), hash(&[b"onet", b"wo"]));
        assert_ne!(hash(&[b"one", b"two"]), hash(&[b"two", b"one"]));
        assert_ne!(hash(&[b""]), hash(&[b"", b""]));
        let other = HashKey::new([8; 16]);
        assert_ne!(
            key.hasher().part(b"x").finish(),
            other.hasher().part(b"x").finish()
        );
    }

    #[test]
    fn case_is_folded_where_asked() {
        let key = HashKey::new([7; 16]);
        let long = [b'A'; 130];
        assert_eq!(
            key.hasher().part_lowercase(&long).finish(),
            key.hasher().part(&[b'a'; 130]).finish()
        );
    }
}
