//! Style, script and icon, under names that change with their content.

use std::sync::LazyLock;

use causeway_engine::base::digest::sha256;

use super::http::{self, Response};

/// A file of the pages.
struct Asset {
    /// Its name without digest.
    name: &'static str,
    extension: &'static str,
    kind: &'static str,
    bytes: &'static [u8],
}

const ASSETS: [Asset; 3] = [
    Asset {
        name: "causeway",
        extension: "css",
        kind: "text/css; charset=utf-8",
        bytes: include_bytes!("static/causeway.css"),
    },
    Asset {
        name: "live",
        extension: "js",
        kind: "text/javascript; charset=utf-8",
        bytes: include_bytes!("static/live.js"),
    },
    Asset {
        name: "icon",
        extension: "svg",
        kind: "image/svg+xml",
        bytes: include_bytes!("static/icon.svg"),
    },
];

/// Paths of the files, in the order of [`ASSETS`].
static PATHS: LazyLock<[String; 3]> = LazyLock::new(|| {
    ASSETS.each_ref().map(|asset| {
        let digest = sha256(&[asset.bytes]);
        let digest: String = digest[..6]
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        format!("/assets/{}-{digest}.{}", asset.name, asset.extension)
    })
});

/// Path of the style sheet.
pub(super) fn style() -> &'static str {
    &PATHS[0]
}

/// Path of the script that keeps pages live.
pub(super) fn script() -> &'static str {
    &PATHS[1]
}

/// Path of the icon.
pub(super) fn icon() -> &'static str {
    &PATHS[2]
}

/// The file at `path`, when there is one.
pub(super) fn get(path: &str) -> Option<Response> {
    let place = PATHS.iter().position(|known| known == path)?;
    let asset = ASSETS.get(place)?;
    Some(http::file(asset.kind, asset.bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_found_by_their_whole_name_only() {
        for path in [style(), script(), icon()] {
            assert!(get(path).is_some(), "{path}");
            assert!(get(&format!("{path}x")).is_none());
        }
        assert!(get("/assets/causeway.css").is_none());
        assert!(get("/assets/../src/main.rs").is_none());
    }
}
