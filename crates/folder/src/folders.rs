//! All folders of the process.

use std::sync::Arc;

use greenroom_config::FolderSettings;

use crate::folder::{Folder, FolderContext};

/// All folders of the process.
#[derive(Debug, Default)]
pub struct Folders {
    folders: Vec<Arc<Folder>>,
}

impl Folders {
    /// Opens the folders; [`Self::start`] starts them.
    pub fn open(settings: &[FolderSettings], context: &FolderContext) -> Self {
        let open = |settings: &FolderSettings| Arc::new(Folder::new(settings.clone(), context.clone()));
        Self { folders: settings.iter().map(open).collect() }
    }

    /// Starts all folders.
    pub fn start(&self) {
        self.folders.iter().for_each(Folder::start);
    }

    /// All folders, in order of their names.
    pub fn all(&self) -> &[Arc<Folder>] {
        &self.folders
    }

    /// The folder with this name.
    pub fn find(&self, name: &str) -> Option<&Arc<Folder>> {
        self.folders.iter().find(|folder| folder.settings.name == name)
    }

    /// The folder that answers the paths of the comic app.
    pub fn compat(&self) -> Option<&Arc<Folder>> {
        self.folders.iter().find(|folder| folder.settings.compat)
    }
}
