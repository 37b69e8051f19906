//! Everything around the product: set-up, build, image, run, test, bench.

fn main() {}
