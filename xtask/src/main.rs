//! `cargo xtask COMMAND`: set-up, build, image, run, test, bench.
//!
//! This file only reads the arguments.

use std::path::Path;
use std::process::ExitCode;

use xtask::tools::{Done, fault};
use xtask::{bench, binary, gate, image, run, setup};

const HELP: &str = "\
cargo xtask COMMAND: everything around the product

  setup [--check]   install what is missing on this Debian host; --check only looks
  build             build the static release binary and check its size
  image [--binary FILE]
                    build, then make the disk image target/image/causeway.img;
                    --binary takes a program made elsewhere instead of building
  run [--peers N] [--bios | --uefi] [--keep] [--kvm]
                    boot the image in QEMU: at a terminal with the serial console on it and pages
                    and SIP on loopback; without one, two appliances form a cluster and carry a
                    call. --bios and --uefi start from the disk, --keep goes on with the disks of
                    the last run, --kvm is for hosts whose KVM is known to work
  test [--quick]    everything that must hold, in order; --quick boots no machines
  ci                the same as test
  bench [sip] [--bench FILE]
                    figures of this build; with sip, beside Kamailio by the benchmark program
                    FILE (../shared/bench/sip/sip_bench.py)
  help              print this

Exit status: 0 done, 1 not done, 2 wrong arguments.
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match words[..] {
        ["setup"] => setup::setup(false),
        ["setup", "--check"] => setup::setup(true),
        ["build"] => build(),
        ["image"] => build().and_then(|()| make_image(&binary::path())),
        ["image", "--binary", file] => make_image(Path::new(file)),
        ["run", ref rest @ ..] => run::Options::read(rest).and_then(|options| run::run(&options)),
        ["test" | "ci"] => test(false),
        ["test" | "ci", "--quick"] => test(true),
        ["bench"] => bench::run(false, None),
        ["bench", "sip"] => bench::run(true, None),
        ["bench", "sip", "--bench", file] => bench::run(true, Some(Path::new(file))),
        ["help" | "--help" | "-h"] => {
            print!("{HELP}");
            Ok(())
        }
        _ => {
            eprint!("{HELP}");
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            eprintln!("xtask: {reason}");
            ExitCode::FAILURE
        }
    }
}

fn test(quick: bool) -> Done {
    if gate::run(quick)? {
        Ok(())
    } else {
        fault("the gate is shut")
    }
}

fn build() -> Done {
    let size = binary::build()?;
    println!("{}: static, {size} bytes", binary::path().display());
    Ok(())
}

fn make_image(binary: &Path) -> Done {
    let files = image::make(binary)?;
    print!("{}", xtask::tools::read_text(&files.manifest)?);
    println!("{}", files.image.display());
    Ok(())
}
