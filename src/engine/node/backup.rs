//! Backups of this system, and what becomes of one that is brought back (SPEC UP4).

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::base::time::Wall;
use crate::config::backup::{Backup, Contents, Origin};

use super::Node;

/// What becomes of a backup that is brought back.
pub(super) enum Restoring {
    /// What it would change.
    Shown(String),
    /// It is saved as one change.
    Save {
        /// Items and values as text.
        changes: Vec<(String, String)>,
        /// Where they come from.
        note: String,
    },
}

impl Node {
    /// Everything that is set here.
    pub(super) fn backup(&self, wall: Wall) -> Backup {
        let origin = Origin {
            software: self.version.into(),
            peer: self.id,
            name: self.configuration.tree().text("SystemUnit Name").into(),
            time: wall,
        };
        Backup::of(&self.configuration, origin)
    }

    /// Reads a backup that is to be restored, or shown.
    ///
    /// # Errors
    ///
    /// Why it cannot be.
    pub(super) fn read_backup(
        &self,
        contents: &Contents,
        shared: bool,
        preview: bool,
    ) -> Result<Restoring, String> {
        let backup = Backup::decode(contents, self.version)?;
        if preview {
            return Ok(Restoring::Shown(
                backup.preview(&self.configuration, shared),
            ));
        }
        let changes = backup.changes(&self.configuration, shared);
        if changes.is_empty() {
            return Err("nothing to do: everything is as in the backup".into());
        }
        let Origin {
            name, peer, time, ..
        } = &backup.origin;
        let note = format!("Restored from the backup of {name} ({peer}) of {time}");
        Ok(Restoring::Save { changes, note })
    }
}
