//! Where log lines go: standard error, which init (or a service manager) collects.
//!
//! At most [`LINES_MAX`] lines a second are written; the rest is counted and the count is told.
//! Nothing here sees a secret: types that hold one do not print it.

use std::io::Write;
use std::sync::Mutex;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use causeway_engine::base::time::Wall;
use log::{Level, LevelFilter, Log, Metadata, Record};

/// Lines in one second; a storm of faults must not fill a disk nor a serial line.
const LINES_MAX: u32 = 200;

static LOGGER: Logger = Logger {
    window: Mutex::new(None),
};

/// Starts logging; the level can be changed by [`set_level`] at any time.
pub(crate) fn start() {
    // A second start in one process keeps the first logger: there is only one.
    if log::set_logger(&LOGGER).is_ok() {
        set_level(LevelFilter::Info);
    }
}

/// Sets the least severe level that is written.
pub(crate) fn set_level(level: LevelFilter) {
    log::set_max_level(level);
}

/// Sets the level by the words of the configuration; another word changes nothing.
pub(crate) fn set_level_named(name: &str) {
    if let Ok(level) = name.trim().parse() {
        set_level(level);
    }
}

/// Civil time now; a clock before 1970 counts as 1970.
pub(crate) fn wall() -> Wall {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    Wall::from_millis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// Keeps what a stranger can cause as often as he likes to one line in [`SELDOM`].
#[derive(Debug, Default)]
pub(crate) struct Seldom(Mutex<(Option<Instant>, u64)>);

/// See [`Seldom`].
const SELDOM: Duration = Duration::from_secs(10);

impl Seldom {
    /// One that has let nothing through yet.
    pub(crate) const fn new() -> Self {
        Self(Mutex::new((None, 0)))
    }

    /// How often it happened since the last line, this time included, when a line is due.
    pub(crate) fn count(&self) -> Option<u64> {
        let mut state = self
            .0
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        state.1 += 1;
        let now = Instant::now();
        if state
            .0
            .is_some_and(|last| now.duration_since(last) < SELDOM)
        {
            return None;
        }
        let count = state.1;
        *state = (Some(now), 0);
        Some(count)
    }
}

struct Logger {
    window: Mutex<Option<Window>>,
}

/// One second of lines.
struct Window {
    began: Instant,
    lines: u32,
}

impl Logger {
    /// Whether a line may be written now, and how many were kept back before it.
    fn admit(&self) -> Option<u32> {
        let mut window = self
            .window
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let now = Instant::now();
        let mut missed = 0;
        let current = match &mut *window {
            Some(current) if now.duration_since(current.began) < Duration::from_secs(1) => current,
            former => {
                missed = former
                    .as_ref()
                    .map_or(0, |window| window.lines.saturating_sub(LINES_MAX));
                former.insert(Window {
                    began: now,
                    lines: 0,
                })
            }
        };
        current.lines = current.lines.saturating_add(1);
        (current.lines <= LINES_MAX).then_some(missed)
    }
}

impl Log for Logger {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        // Libraries speak up only when something is wrong.
        metadata.target().starts_with("causeway") || metadata.level() <= Level::Warn
    }

    fn log(&self, record: &Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        let Some(missed) = self.admit() else { return };
        let mut text = String::new();
        if missed > 0 {
            text = format!("{} warning {missed} lines were not logged\n", wall());
        }
        let level = match record.level() {
            Level::Error => "error",
            Level::Warn => "warning",
            Level::Info => "info",
            Level::Debug => "debug",
            Level::Trace => "trace",
        };
        // Text that came from outside cannot begin a line of its own.
        let line = record.args().to_string().replace(['\n', '\r'], " ");
        text.push_str(&format!("{} {level} {line}\n", wall()));
        // Nobody is left to tell when standard error is gone.
        let _ = std::io::stderr().write_all(text.as_bytes());
    }

    fn flush(&self) {}
}
