//! The gateway: one closed loop that owns the node.

use std::process::ExitCode;

use crate::arguments::RunOptions;

/// Runs the gateway until it is told to stop.
pub(crate) fn run(_options: RunOptions) -> ExitCode {
    crate::logging::start();
    ExitCode::SUCCESS
}
