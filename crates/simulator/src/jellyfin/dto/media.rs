//! Media source of an item, and its streams.

use serde_json::{Value, json};

use crate::catalogue::{CatalogueFile, ItemRecord};
use crate::jellyfin::ident::{IdNamespace, JellyfinId, digest};
use crate::timestamp::TICKS_PER_MS;

/// Languages of the audio streams of video files.
const LANGUAGES: [(&str, &str); 3] = [("eng", "English"), ("deu", "German"), ("fra", "French")];

/// The media source of a playable item, with its streams; empty for folders.
pub(crate) fn sources(record: &ItemRecord) -> Vec<Value> {
    record.file.iter().map(|file| source(record, file)).collect()
}

/// The streams of a playable item.
pub(crate) fn streams(record: &ItemRecord) -> Vec<Value> {
    record.file.as_ref().map(|file| file_streams(record, file)).unwrap_or_default()
}

/// `mov,mp4,m4a` for a container that has many names, else the container.
pub(crate) fn container(file: &CatalogueFile) -> &'static str {
    if file.container == "mp4" { "mov,mp4,m4a,3gp,3g2,mj2" } else { file.container }
}

fn source(record: &ItemRecord, file: &CatalogueFile) -> Value {
    let name = file.path.rsplit('/').next().unwrap_or(&file.path);
    let name = name.strip_suffix(&format!(".{}", file.container)).unwrap_or(name);
    json!({
        "Protocol": "File",
        "Id": JellyfinId::new(IdNamespace::Item, record.id.0).hex(),
        "Path": file.path,
        "Type": "Default",
        "Container": file.container,
        "Size": file.bytes,
        "Name": name,
        "IsRemote": false,
        "ETag": digest(&[u64::from(record.id.0), file.bytes]),
        "RunTimeTicks": ticks(record),
        "ReadAtNativeFramerate": false,
        "IgnoreDts": false,
        "IgnoreIndex": false,
        "GenPtsInput": false,
        "SupportsTranscoding": true,
        "SupportsDirectStream": true,
        "SupportsDirectPlay": true,
        "IsInfiniteStream": false,
        "UseMostCompatibleTranscodingProfile": false,
        "RequiresOpening": false,
        "RequiresClosing": false,
        "RequiresLooping": false,
        "SupportsProbing": true,
        "MediaStreams": file_streams(record, file),
        "MediaAttachments": [],
        "Formats": [],
        "Bitrate": u64::from(file.bitrate) * 1_000,
        "RequiredHttpHeaders": {},
        "TranscodingSubProtocol": "http",
        "DefaultAudioStreamIndex": i32::from(file.video.is_some()),
        "HasSegments": false,
    })
}

fn file_streams(record: &ItemRecord, file: &CatalogueFile) -> Vec<Value> {
    let mut streams = Vec::new();
    if let Some(video) = file.video {
        let mut fields = plain_stream("Video", 0, video.codec);
        fields["DisplayTitle"] = json!(format!("{}p {} SDR", video.height, video.codec.to_uppercase()));
        fields["VideoRange"] = json!("SDR");
        fields["VideoRangeType"] = json!("SDR");
        fields["Width"] = json!(video.width);
        fields["Height"] = json!(video.height);
        fields["BitRate"] = json!(u64::from(file.bitrate) * 900);
        fields["AspectRatio"] = json!("16:9");
        fields["AverageFrameRate"] = json!(23.976_025);
        fields["RealFrameRate"] = json!(23.976_025);
        fields["IsAVC"] = json!(false);
        fields["PixelFormat"] = json!("yuv420p");
        streams.push(fields);
    }
    streams.push(sound(record, file, streams.len()));
    streams
}

fn sound(record: &ItemRecord, file: &CatalogueFile, index: usize) -> Value {
    let mut fields = plain_stream("Audio", index, file.audio_codec);
    let layout = if file.audio_channels > 2 { "5.1" } else { "stereo" };
    fields["ChannelLayout"] = json!(layout);
    fields["Channels"] = json!(file.audio_channels);
    fields["SampleRate"] = json!(if file.video.is_some() { 48_000 } else { 44_100 });
    let codec = file.audio_codec.to_uppercase();
    if file.video.is_some() {
        let (code, language) = LANGUAGES[record.id.0 as usize % LANGUAGES.len()];
        fields["Language"] = json!(code);
        fields["DisplayTitle"] = json!(format!("{language} - {codec} - {layout} - Default"));
        fields["BitRate"] = json!(384_000);
    } else {
        fields["DisplayTitle"] = json!(format!("{codec} - {layout} - Default"));
        fields["BitRate"] = json!(u64::from(file.bitrate) * 1_000);
    }
    fields
}

fn plain_stream(kind: &str, index: usize, codec: &str) -> Value {
    json!({
        "Codec": codec,
        "TimeBase": "1/1000",
        "VideoRange": "Unknown",
        "VideoRangeType": "Unknown",
        "AudioSpatialFormat": "None",
        "IsInterlaced": false,
        "IsAVC": false,
        "IsDefault": true,
        "IsForced": false,
        "IsHearingImpaired": false,
        "Type": kind,
        "Index": index,
        "IsExternal": false,
        "IsTextSubtitleStream": false,
        "SupportsExternalStream": false,
        "Level": 0,
    })
}

/// Duration, in ticks of 100 ns.
pub(crate) fn ticks(record: &ItemRecord) -> Option<u64> {
    record.duration_ms.map(|ms| ms * TICKS_PER_MS)
}
