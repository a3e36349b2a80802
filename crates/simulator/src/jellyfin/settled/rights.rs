//! What a user may do and how the user likes things, as the server writes it.

use serde_json::{Value, json};

use crate::catalogue::Section;
use crate::jellyfin::ident::{Ident, Space};
use crate::users::User;

/// The rights of a user.
pub(crate) fn policy(user: &User) -> Value {
    let everything = Section::EVERY.iter().all(|section| user.sees(*section));
    let folders: Vec<String> = user
        .sections
        .iter()
        .filter(|_| !everything)
        .map(|section| Ident::new(Space::Library, section.number()).hex())
        .collect();
    let mut policy = json!({
        "IsAdministrator": user.admin,
        "IsHidden": user.admin,
        "EnableCollectionManagement": user.admin,
        "EnableSubtitleManagement": user.admin,
        "EnableLyricManagement": user.admin,
        "IsDisabled": false,
        "BlockedTags": [],
        "AllowedTags": [],
        "EnableUserPreferenceAccess": true,
        "AccessSchedules": [],
        "BlockUnratedItems": [],
        "EnableRemoteControlOfOtherUsers": user.admin,
        "EnableSharedDeviceControl": true,
        "EnableRemoteAccess": true,
        "EnableLiveTvManagement": user.admin,
        "EnableLiveTvAccess": true,
        "EnableContentDeletion": user.admin,
        "EnableContentDeletionFromFolders": [],
        "EnabledDevices": [],
        "EnableAllDevices": true,
        "EnabledChannels": [],
        "EnableAllChannels": true,
    });
    policy["EnabledFolders"] = json!(folders);
    policy["EnableAllFolders"] = json!(everything);
    add(&mut policy, playback());
    add(&mut policy, account());
    policy
}

fn playback() -> Value {
    json!({
        "EnableMediaPlayback": true,
        "EnableAudioPlaybackTranscoding": true,
        "EnableVideoPlaybackTranscoding": true,
        "EnablePlaybackRemuxing": true,
        "ForceRemoteSourceTranscoding": false,
        "EnableContentDownloading": true,
        "EnableSyncTranscoding": true,
        "EnableMediaConversion": true,
        "RemoteClientBitrateLimit": 0,
        "SyncPlayAccess": "CreateAndJoinGroups",
    })
}

fn account() -> Value {
    json!({
        "InvalidLoginAttemptCount": 0,
        "LoginAttemptsBeforeLockout": -1,
        "MaxActiveSessions": 0,
        "EnablePublicSharing": true,
        "BlockedMediaFolders": [],
        "BlockedChannels": [],
        "AuthenticationProviderId": "Jellyfin.Server.Implementations.Users.DefaultAuthenticationProvider",
        "PasswordResetProviderId": "Jellyfin.Server.Implementations.Users.DefaultPasswordResetProvider",
    })
}

/// How a user who never changed anything likes things.
pub(crate) fn configuration() -> Value {
    json!({
        "PlayDefaultAudioTrack": true,
        "SubtitleLanguagePreference": "",
        "DisplayMissingEpisodes": false,
        "GroupedFolders": [],
        "SubtitleMode": "Default",
        "DisplayCollectionsView": false,
        "EnableLocalPassword": false,
        "OrderedViews": [],
        "LatestItemsExcludes": [],
        "MyMediaExcludes": [],
        "HidePlayedInLatest": true,
        "RememberAudioSelections": true,
        "RememberSubtitleSelections": true,
        "EnableNextEpisodeAutoPlay": true,
        "CastReceiverId": "F007D354",
    })
}

fn add(to: &mut Value, more: Value) {
    if let (Value::Object(to), Value::Object(more)) = (to, more) {
        to.extend(more);
    }
}
