//! A folder on a temporary tree.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use greenroom_cache::Clock;
use greenroom_config::FolderSettings;
use greenroom_state::db::StateDb;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::folder::{Folder, FolderContext, FolderPulse};
use crate::folder_status::FolderState;
use crate::index::FolderGeneration;
use crate::marks::{MarkAction, MarkChange};

/// Max wait for anything.
const PATIENCE: Duration = Duration::from_secs(30);

/// A temporary tree with a data directory beside it.
pub(crate) struct Tree {
    directory: tempfile::TempDir,
}

/// A folder that runs.
pub(crate) struct Running {
    pub(crate) folder: Arc<Folder>,
    context: FolderContext,
}

impl Tree {
    pub(crate) fn new(files: &[&str]) -> Self {
        let tree = Self { directory: tempfile::tempdir().expect("a directory") };
        std::fs::create_dir_all(tree.root()).expect("made");
        std::fs::create_dir_all(tree.data()).expect("made");
        StateDb::open(&tree.data()).expect("the state");
        for file in files {
            tree.write(file, file);
        }
        tree
    }

    pub(crate) fn root(&self) -> PathBuf {
        self.directory.path().join("root")
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    pub(crate) fn write(&self, file: &str, text: &str) {
        let file = self.root().join(file);
        std::fs::create_dir_all(file.parent().expect("a parent")).expect("made");
        std::fs::write(file, text).expect("written");
    }

    pub(crate) fn rename(&self, from: &str, to: &str) {
        let to = self.root().join(to);
        std::fs::create_dir_all(to.parent().expect("a parent")).expect("made");
        std::fs::rename(self.root().join(from), to).expect("renamed");
    }

    pub(crate) fn settings(&self) -> FolderSettings {
        FolderSettings { enrich: false, ..FolderSettings::new("comics", self.root()) }
    }

    pub(crate) fn open(&self) -> Running {
        self.open_with(self.settings())
    }

    pub(crate) fn open_with(&self, settings: FolderSettings) -> Running {
        let running = self.prepare(settings);
        running.folder.start();
        running
    }

    pub(crate) fn prepare(&self, settings: FolderSettings) -> Running {
        let context = FolderContext {
            data_dir: self.data(),
            clock: Clock::system(),
            tasks: TaskTracker::new(),
            stop: CancellationToken::new(),
            warnings: Arc::default(),
        };
        let folder = Arc::new(Folder::new(settings, context.clone()));
        Running { folder, context }
    }
}

impl Running {
    pub(crate) async fn wait(&self, is_it: impl Fn(&FolderPulse) -> bool) -> Arc<FolderGeneration> {
        let mut pulse = self.folder.subscribe();
        let reached = tokio::time::timeout(PATIENCE, pulse.wait_for(|pulse| is_it(pulse))).await;
        reached.expect("in time").expect("the folder lives");
        self.folder.current().expect("a list")
    }

    pub(crate) async fn fresh(&self) -> Arc<FolderGeneration> {
        self.wait(|pulse| pulse.state == FolderState::Fresh && pulse.generation > 0).await
    }

    /// Waits until the list holds exactly these files.
    pub(crate) async fn holds(&self, files: &[&str]) -> Arc<FolderGeneration> {
        self.wait(|_| self.folder.current().is_some_and(|list| paths(&list) == files)).await
    }

    pub(crate) async fn stop(self) {
        self.context.stop.cancel();
        self.context.tasks.close();
        tokio::time::timeout(PATIENCE, self.context.tasks.wait()).await.expect("it ends");
    }

    pub(crate) fn mark(&self, mark: &str, paths: &[&str]) -> usize {
        let paths = paths.iter().map(|path| (*path).to_owned()).collect();
        let change = MarkChange { mark: mark.into(), action: MarkAction::Set, paths };
        self.folder.change_marks(&change).expect("marked").changed
    }

    /// Paths of the files with the mark `processed`.
    pub(crate) fn processed(&self) -> Vec<String> {
        let names = self.folder.mark_names();
        let bit = names.iter().position(|name| name == "processed").expect("there is one");
        let list = self.folder.current().expect("a list");
        let is_marked = |file: &&Arc<crate::file_entry::FileEntry>| file.marks.bits() & (1 << bit) != 0;
        list.files.iter().filter(is_marked).map(|file| file.path.to_string()).collect()
    }
}

pub(crate) fn paths(list: &FolderGeneration) -> Vec<&str> {
    list.files.iter().map(|file| &*file.path).collect()
}

pub(crate) fn remove(path: &Path) {
    std::fs::remove_file(path).expect("removed");
}
