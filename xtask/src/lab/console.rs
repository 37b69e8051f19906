//! The serial console of a guest: what it says, kept whole, and waiting for a text in it.

use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::tools::{Context as _, Done, fault};

/// How much of the end of a transcript a fault shows, in characters.
const SHOWN_MAX: usize = 3000;

/// A console: writes go to the guest, what it says is read in the background.
pub struct Console {
    writer: Box<dyn Write + Send>,
    heard: Arc<Heard>,
    /// How far the transcript has been matched, in bytes.
    cursor: usize,
}

#[derive(Default)]
struct Heard {
    transcript: Mutex<Transcript>,
    changed: Condvar,
    shown: AtomicBool,
}

#[derive(Default)]
struct Transcript {
    text: String,
    ended: bool,
}

impl Console {
    /// Listens to `reader`; everything said goes to the file `log` too, and while `shown` to our
    /// own standard output.
    pub fn new(
        writer: Box<dyn Write + Send>,
        reader: Box<dyn Read + Send>,
        log: &Path,
        shown: bool,
    ) -> Done<Self> {
        let log = File::create(log).context(log.display())?;
        let heard = Arc::new(Heard::default());
        heard.shown.store(shown, Ordering::Relaxed);
        let listener = Arc::clone(&heard);
        thread::spawn(move || listener.listen(reader, log));
        Ok(Self {
            writer,
            heard,
            cursor: 0,
        })
    }

    /// Types a line.
    pub fn line(&mut self, text: &str) -> Done {
        self.keys(format!("{text}\r").as_bytes())
    }

    /// Types keys.
    pub fn keys(&mut self, keys: &[u8]) -> Done {
        let typed = self.writer.write_all(keys);
        typed.and_then(|()| self.writer.flush()).context("console")
    }

    /// From now on what it says is shown on our standard output, or not.
    pub fn show(&self, shown: bool) {
        self.heard.shown.store(shown, Ordering::Relaxed);
    }

    /// Waits until one of the texts has been said, and gives its index and all that was said up to
    /// its end. What was matched before is not looked at again.
    pub fn expect_any(&mut self, texts: &[&str], within: Duration) -> Done<(usize, String)> {
        self.wait(texts, within, |fresh| {
            let ends = texts.iter().enumerate().filter_map(|(index, text)| {
                let at = fresh.find(text)?;
                Some((at + text.len(), index))
            });
            ends.min()
        })
    }

    /// Waits until all of the texts have been said, in any order; gives all that was said up to
    /// the end of the last.
    pub fn expect_all(&mut self, texts: &[&str], within: Duration) -> Done<String> {
        let said = self.wait(texts, within, |fresh| {
            let ends = texts
                .iter()
                .map(|text| Some(fresh.find(text)? + text.len()));
            let ends: Option<Vec<_>> = ends.collect();
            Some((ends?.into_iter().max()?, 0))
        });
        Ok(said?.1)
    }

    /// Waits until `found` gives a place in what is fresh, and something about it.
    fn wait<T>(
        &mut self,
        texts: &[&str],
        within: Duration,
        found: impl Fn(&str) -> Option<(usize, T)>,
    ) -> Done<(T, String)> {
        let deadline = Instant::now() + within;
        let mut transcript = self.heard.lock();
        loop {
            let fresh = &transcript.text[self.cursor..];
            if let Some((end, what)) = found(fresh) {
                let said = fresh[..end].to_owned();
                self.cursor += end;
                return Ok((what, said));
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if transcript.ended || left.is_zero() {
                let why = if transcript.ended {
                    "ended"
                } else {
                    "is silent"
                };
                return fault(format!(
                    "the console {why} and did not say {texts:?} within {within:?}; its end:\n{}",
                    tail(&transcript.text)
                ));
            }
            let waited = self.heard.changed.wait_timeout(transcript, left);
            transcript = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Waits until `text` has been said; gives all that was said up to its end.
    pub fn expect(&mut self, text: &str, within: Duration) -> Done<String> {
        Ok(self.expect_any(&[text], within)?.1)
    }

    /// All that was ever said, without the codes that move a cursor.
    pub fn transcript(&self) -> String {
        self.heard.lock().text.clone()
    }
}

impl Heard {
    fn lock(&self) -> MutexGuard<'_, Transcript> {
        // A reader that panicked leaves a text that is still a text.
        self.transcript
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn listen(&self, mut reader: Box<dyn Read + Send>, mut log: File) {
        let mut plain = Plain::default();
        let mut bytes = [0; 4096];
        loop {
            let length = match reader.read(&mut bytes) {
                Ok(0) | Err(_) => break,
                Ok(length) => length,
            };
            // The transcript in memory is what counts; the file is for people.
            let _ = log.write_all(&bytes[..length]);
            if self.shown.load(Ordering::Relaxed) {
                let mut out = std::io::stdout().lock();
                let _ = out.write_all(&bytes[..length]).and_then(|()| out.flush());
            }
            let mut transcript = self.lock();
            plain.push(&bytes[..length], &mut transcript.text);
            self.changed.notify_all();
        }
        self.lock().ended = true;
        self.changed.notify_all();
    }
}

fn tail(text: &str) -> &str {
    let start = text.len().saturating_sub(SHOWN_MAX);
    let start = (start..text.len()).find(|at| text.is_char_boundary(*at));
    &text[start.unwrap_or(text.len())..]
}

/// Takes carriage returns and control sequences (ECMA-48) out of a stream. Bytes that are not
/// ASCII become one question mark each: what we look for is ASCII.
#[derive(Debug, Default)]
struct Plain {
    state: Sequence,
}

#[derive(Debug, Default, Clone, Copy)]
enum Sequence {
    #[default]
    None,
    Escape,
    Control,
}

impl Plain {
    fn push(&mut self, bytes: &[u8], text: &mut String) {
        for byte in bytes {
            self.state = match (self.state, *byte) {
                (_, 0x1b) => Sequence::Escape,
                (Sequence::Escape, b'[') => Sequence::Control,
                (Sequence::Escape, _) | (Sequence::Control, 0x40..=0x7e) => Sequence::None,
                (Sequence::Control, _) => Sequence::Control,
                (Sequence::None, b'\n' | b'\t' | 0x20..=0x7e) => {
                    text.push(char::from(*byte));
                    Sequence::None
                }
                (Sequence::None, 0..=0x7f) => Sequence::None,
                (Sequence::None, _) => {
                    text.push('?');
                    Sequence::None
                }
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixStream;

    fn console(name: &str) -> (Console, UnixStream) {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let log = crate::lab::scratch(name).unwrap().join("log");
        let reader = Box::new(ours.try_clone().unwrap());
        let console = Console::new(Box::new(ours), reader, &log, false).unwrap();
        (console, theirs)
    }

    #[test]
    fn texts_are_found_in_order_and_once() {
        let (mut console, mut guest) = console("console-order");
        guest
            .write_all(b"one\r\n\x1b[1;31mtw\x1b[0mo\r\none")
            .unwrap();
        let within = Duration::from_secs(20);
        assert_eq!(console.expect("two", within).unwrap(), "one\ntwo");
        let any = console.expect_any(&["three", "one"], within).unwrap();
        assert_eq!(any, (1, "\none".to_owned()));
        guest.write_all(b" c b a d").unwrap();
        assert_eq!(console.expect_all(&["a", "b"], within).unwrap(), " c b a");
        drop(guest);
        let fault = console.expect("one", within).unwrap_err();
        assert!(
            fault.0.contains("ended") && fault.0.ends_with("one c b a d"),
            "{fault}"
        );
    }

    #[test]
    fn silence_is_a_fault_after_the_time() {
        let (mut console, _guest) = console("console-silent");
        let fault = console.expect("login:", Duration::ZERO).unwrap_err();
        assert!(fault.0.contains("is silent"), "{fault}");
    }

    #[test]
    fn a_sequence_cut_in_two_is_still_one() {
        let mut plain = Plain::default();
        let mut text = String::new();
        for part in [&b"a\x1b"[..], b"[3", b"2;1", b"Hb\xe2\x82\xacc\x07"] {
            plain.push(part, &mut text);
        }
        assert_eq!(text, "ab???c");
    }
}
