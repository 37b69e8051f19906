//! The privileged role (SPEC AP2): does for the gateway what only root may do, and nothing else.

use std::process::ExitCode;

/// Serves the gateway until its end is closed.
///
/// Arguments: `--fd N` (conversation with the gateway), `--init-fd N` (with `init`, optional),
/// `--lan1 NAME` and `--lan2 NAME` (kernel interfaces, by the hardware profile).
pub(crate) fn run(arguments: &[String]) -> ExitCode {
    let _ = arguments;
    ExitCode::FAILURE
}
