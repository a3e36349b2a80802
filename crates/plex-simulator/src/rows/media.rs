//! The files of an item: media, parts, streams.

use crate::node::Node;
use greenroom_simulator_backend::catalogue::{CatalogueFile, ItemRecord, VideoStream};

/// Level of detail of the media.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MediaDetail {
    /// Lists: media and parts.
    Parts,
    /// One item: streams as well.
    Streams,
}

/// The media of a record, if it is a file.
pub(crate) fn node(record: &ItemRecord, depth: MediaDetail) -> Option<Node> {
    let file = record.file.as_ref()?;
    let id = record.id.0;
    let mut media = Node::new("Media")
        .set("id", id)
        .maybe("duration", record.duration_ms)
        .set("bitrate", file.bitrate)
        .maybe("width", file.video.map(|video| video.width))
        .maybe("height", file.video.map(|video| video.height))
        .maybe("aspectRatio", file.video.map(|_| 1.78))
        .set("audioChannels", u32::from(file.audio_channels))
        .set("audioCodec", file.audio_codec)
        .maybe("videoCodec", file.video.map(|video| video.codec))
        .maybe("videoResolution", file.video.map(resolution))
        .set("container", file.container)
        .maybe("videoFrameRate", file.video.map(|_| "24p"))
        .maybe("videoProfile", file.video.map(profile));
    if file.video.is_some() {
        media = media.set("audioProfile", "lc").set("hasVoiceActivity", false);
    }
    if file.container == "mp4" {
        media = media.set("has64bitOffsets", false).set("optimizedForStreaming", 1);
    }
    Some(media.with(part(record, file, depth)))
}

/// Name of a video resolution.
pub(crate) fn resolution(video: VideoStream) -> &'static str {
    match video.height {
        2_160.. => "4k",
        1_080.. => "1080",
        720.. => "720",
        _ => "sd",
    }
}

fn profile(video: VideoStream) -> &'static str {
    if video.codec == "hevc" { "main 10" } else { "high" }
}

fn part(record: &ItemRecord, file: &CatalogueFile, depth: MediaDetail) -> Node {
    let id = record.id.0;
    let mut part = Node::new("Part")
        .set("id", id)
        .set("key", format!("/library/parts/{id}/{}/file.{}", record.added_at, file.container))
        .maybe("duration", record.duration_ms)
        .set("file", &file.path)
        .set("size", file.bytes)
        .set("container", file.container)
        .maybe("audioProfile", file.video.map(|_| "lc"))
        .maybe("videoProfile", file.video.map(profile));
    if file.video.is_none() {
        part = part.set("hasThumbnail", "1");
    }
    if file.container == "mp4" {
        part = part.set("has64bitOffsets", false).set("optimizedForStreaming", true);
    }
    match depth {
        MediaDetail::Parts => part,
        MediaDetail::Streams => part.with_all(streams(id, file)),
    }
}

fn streams(id: u32, file: &CatalogueFile) -> Vec<Node> {
    let mut streams = Vec::new();
    if let Some(video) = file.video {
        let name = format!("{} ({})", resolution(video), video.codec.to_uppercase());
        streams.push(
            Node::new("Stream")
                .set("id", id * 4)
                .set("streamType", 1)
                .set("default", true)
                .set("codec", video.codec)
                .set("index", 0)
                .set("bitrate", file.bitrate)
                .set("bitDepth", 8)
                .set("frameRate", 23.976)
                .set("height", video.height)
                .set("width", video.width)
                .set("profile", profile(video))
                .set("displayTitle", &name)
                .set("extendedDisplayTitle", name.clone()),
        );
    }
    let layout = if file.audio_channels > 2 { "5.1" } else { "stereo" };
    let name = format!("English ({} {layout})", file.audio_codec.to_uppercase());
    streams.push(
        Node::new("Stream")
            .set("id", id * 4 + 1)
            .set("streamType", 2)
            .set("selected", true)
            .set("default", true)
            .set("codec", file.audio_codec)
            .set("index", u32::from(file.video.is_some()))
            .set("channels", u32::from(file.audio_channels))
            .set("bitrate", if file.video.is_some() { 192 } else { file.bitrate })
            .set("language", "English")
            .set("languageTag", "en")
            .set("languageCode", "eng")
            .set("audioChannelLayout", layout)
            .set("samplingRate", 48_000)
            .set("displayTitle", &name)
            .set("extendedDisplayTitle", name.clone()),
    );
    streams
}
