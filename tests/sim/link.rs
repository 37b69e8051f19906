//! Links between machines: delay, jitter, loss, duplication, one-way cuts; datagrams and streams.

use std::collections::{BTreeMap, VecDeque};

use causeway_engine::base::ids::StreamId;
use causeway_engine::base::random::Random;

/// Milliseconds that a stream waits before it sends again what was lost (RFC 6298 lower bound).
pub(crate) const RETRANSMISSION_MS: u64 = 200;

/// Milliseconds without any progress after which a stream is given up.
pub(crate) const STREAM_PATIENCE_MS: u64 = 20_000;

/// One direction between two machines.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Link {
    /// Milliseconds that every packet needs.
    pub(crate) delay_ms: u64,
    /// Milliseconds that chance adds at most.
    pub(crate) jitter_ms: u64,
    /// Lost packets in a thousand.
    pub(crate) loss: u64,
    /// Doubled packets in a thousand.
    pub(crate) double: u64,
    /// Whether nothing passes.
    pub(crate) cut: bool,
}

impl Link {
    /// A good local network.
    pub(crate) const GOOD: Self = Self {
        delay_ms: 1,
        jitter_ms: 1,
        loss: 0,
        double: 0,
        cut: false,
    };

    /// Milliseconds after which copies of a packet sent now arrive: none, one, or two.
    pub(crate) fn passages(&self, random: &mut Random) -> Vec<u64> {
        if self.cut || random.below(1_000) < self.loss {
            return Vec::new();
        }
        let copies = 1 + usize::from(random.below(1_000) < self.double);
        (0..copies).map(|_| self.passage(random)).collect()
    }

    /// Milliseconds that a packet needs which is not lost.
    pub(crate) fn passage(&self, random: &mut Random) -> u64 {
        self.delay_ms + random.below(self.jitter_ms + 1)
    }

    /// Milliseconds that a stream's bytes need: what is lost is sent again.
    pub(crate) fn stream_passage(&self, random: &mut Random) -> u64 {
        let mut passage = self.passage(random);
        while random.below(1_000) < self.loss.min(900) {
            passage += RETRANSMISSION_MS;
        }
        passage
    }
}

/// One end of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct End {
    /// The machine.
    pub(crate) peer: usize,
    /// Which life of it.
    pub(crate) life: u32,
    /// What its engine calls the stream.
    pub(crate) stream: StreamId,
}

/// A stream between two machines, as TCP would carry it.
#[derive(Debug)]
pub(crate) struct Stream {
    /// Dialler first.
    pub(crate) ends: [End; 2],
    /// Bytes on their way from each end, with their earliest arrival.
    pub(crate) under_way: [VecDeque<(u64, Vec<u8>)>; 2],
    /// Since when each direction makes no progress.
    pub(crate) stalled: [Option<u64>; 2],
    /// Which end has closed: its bytes still arrive, then the other end learns of it.
    pub(crate) closing: [bool; 2],
}

/// All streams, and which end belongs to which.
#[derive(Debug, Default)]
pub(crate) struct Streams {
    last: u64,
    streams: BTreeMap<u64, Stream>,
    by_end: BTreeMap<End, u64>,
}

impl Streams {
    /// Adds a stream and gives its key.
    pub(crate) fn open(&mut self, ends: [End; 2]) -> u64 {
        self.last += 1;
        let stream = Stream {
            ends,
            under_way: [VecDeque::new(), VecDeque::new()],
            stalled: [None; 2],
            closing: [false; 2],
        };
        self.streams.insert(self.last, stream);
        ends.into_iter().for_each(|end| {
            self.by_end.insert(end, self.last);
        });
        self.last
    }

    /// The key of the stream that has this end, and which side it is.
    pub(crate) fn find(&self, end: End) -> Option<(u64, usize)> {
        let key = *self.by_end.get(&end)?;
        Some((key, usize::from(self.streams[&key].ends[1] == end)))
    }

    /// A stream by its key.
    pub(crate) fn get(&mut self, key: u64) -> Option<&mut Stream> {
        self.streams.get_mut(&key)
    }

    /// Forgets a stream.
    pub(crate) fn remove(&mut self, key: u64) -> Option<Stream> {
        let stream = self.streams.remove(&key)?;
        stream.ends.iter().for_each(|end| {
            self.by_end.remove(end);
        });
        Some(stream)
    }

    /// Keys of all streams of a machine.
    pub(crate) fn of(&self, peer: usize) -> Vec<u64> {
        let touches = |stream: &Stream| stream.ends.iter().any(|end| end.peer == peer);
        self.streams
            .iter()
            .filter(|(_, stream)| touches(stream))
            .map(|(key, _)| *key)
            .collect()
    }
}
