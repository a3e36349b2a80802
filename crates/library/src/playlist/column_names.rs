//! Names of columns: those that common export tools write, and their words in other languages.

use unicode_normalization::UnicodeNormalization;

use super::duration::DurationUnit;

/// Content of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ColumnKind {
    Title,
    Artist,
    AlbumArtist,
    Artists,
    Album,
    Length(DurationUnit),
    Isrc,
    Recording,
    Spotify,
    Ids,
    Path,
    /// Name of the playlist, in a table of several.
    Playlist,
}

/// Names as [`plain`] makes them, in English and as tools write them. The first of two columns with the same content
/// wins.
const TOOL_NAMES: [(ColumnKind, &[&str]); 14] = [
    (
        ColumnKind::Title,
        &[
            "title",
            "trackname",
            "tracktitle",
            "songtitle",
            "songname",
            "song",
            "name",
            "track",
            "recording",
            "recordingname",
            "mastermetadatatrackname",
        ],
    ),
    (
        ColumnKind::Artist,
        &[
            "artist",
            "artistname",
            "artistnames",
            "artistname1",
            "trackartist",
            "trackartists",
            "artistsname",
            "artistsnames",
            "creator",
            "performer",
            "artistcredit",
            "mastermetadataalbumartistname",
        ],
    ),
    (ColumnKind::Artists, &["artists"]),
    (ColumnKind::AlbumArtist, &["albumartist", "albumartists", "albumartistname", "albumartistnames"]),
    (
        ColumnKind::Album,
        &["album", "albumname", "albumtitle", "release", "releasename", "record", "mastermetadataalbumalbumname"],
    ),
    (
        ColumnKind::Length(DurationUnit::Milliseconds),
        &["durationms", "trackdurationms", "lengthms", "milliseconds", "durationmilliseconds"],
    ),
    (
        ColumnKind::Length(DurationUnit::Seconds),
        &["durations", "durationsec", "durationseconds", "lengths", "lengthseconds", "seconds", "tracklengthseconds"],
    ),
    (ColumnKind::Length(DurationUnit::Unsaid), &["duration", "length", "time", "trackduration", "tracklength"]),
    (ColumnKind::Isrc, &["isrc", "isrccode", "isrcs"]),
    (
        ColumnKind::Recording,
        &["mbid", "recordingmbid", "musicbrainzid", "musicbrainzrecordingid", "musicbrainztrackid"],
    ),
    (
        ColumnKind::Spotify,
        &["spotifyid", "spotifyuri", "trackuri", "spotifytrackid", "trackid", "spotifytrackuri", "spotifyurl"],
    ),
    (ColumnKind::Ids, &["ids", "identifier", "identifiers", "uri", "url", "link"]),
    (ColumnKind::Path, &["path", "file", "filepath", "filename", "location"]),
    (ColumnKind::Playlist, &["playlistname", "playlist", "playlisttitle"]),
];

/// Words of other languages, as they are written there; [`plain`] is applied to them. A column with one of these names
/// is recognised only if no name of [`TOOL_NAMES`] fits.
const FOREIGN_NAMES: [(ColumnKind, &[&str]); 6] = [
    (
        ColumnKind::Title,
        &[
            "Titel",
            "Songtitel",
            "Liedtitel",
            "Lied",
            "Stück",
            "Titre",
            "Titre de la piste",
            "Morceau",
            "Chanson",
            "Título",
            "Título de la canción",
            "Canción",
            "Pista",
            "Nombre",
            "Nombre de la canción",
            "Nombre de la pista",
            "Titolo",
            "Brano",
            "Canzone",
            "Nome",
            "Nome da música",
            "Música",
            "Faixa",
            "Tytuł",
            "Utwór",
            "Nazwa utworu",
            "Låt",
            "Låttitel",
            "Tittel",
            "Sang",
            "Kappale",
            "Kappaleen nimi",
            "Nimi",
            "Název",
            "Skladba",
            "Název skladby",
            "Názov",
            "Cím",
            "Dal címe",
            "Titlu",
            "Piesă",
            "Başlık",
            "Şarkı",
            "Şarkı adı",
            "Parça",
            "Τίτλος",
            "Τραγούδι",
            "Название",
            "Название трека",
            "Трек",
            "Песня",
            "Композиция",
            "Назва",
            "Пісня",
            "タイトル",
            "曲名",
            "曲",
            "トラック名",
            "楽曲名",
            "제목",
            "곡명",
            "노래",
            "곡",
            "标题",
            "歌名",
            "歌曲",
            "曲目",
            "歌曲名",
            "標題",
            "歌曲名稱",
            "歌曲名称",
            "عنوان",
            "כותרת",
        ],
    ),
    (
        ColumnKind::Artist,
        &[
            "Interpret",
            "Interpreten",
            "Künstler",
            "Künstlername",
            "Artiste",
            "Artistes",
            "Interprète",
            "Nom de l'artiste",
            "Artista",
            "Artistas",
            "Intérprete",
            "Nombre del artista",
            "Nome artista",
            "Artisti",
            "Interprete",
            "Nome do artista",
            "Artiest",
            "Artiesten",
            "Uitvoerende",
            "Wykonawca",
            "Artysta",
            "Artister",
            "Kunstner",
            "Esittäjä",
            "Artisti",
            "Umělec",
            "Interpreti",
            "Umelec",
            "Előadó",
            "Artist adı",
            "Sanatçı",
            "Καλλιτέχνης",
            "Исполнитель",
            "Артист",
            "Виконавець",
            "アーティスト",
            "アーティスト名",
            "歌手",
            "아티스트",
            "가수",
            "艺术家",
            "艺人",
            "演唱者",
            "藝人",
            "演出者",
            "歌手名",
            "فنان",
            "אמן",
        ],
    ),
    (
        ColumnKind::AlbumArtist,
        &[
            "Albumkünstler",
            "Albuminterpret",
            "Artiste de l'album",
            "Artista del álbum",
            "Artista dell'album",
            "アルバムアーティスト",
            "专辑艺术家",
        ],
    ),
    (
        ColumnKind::Album,
        &[
            "Albumtitel",
            "Albumname",
            "Nom de l'album",
            "Álbum",
            "Nombre del álbum",
            "Nome album",
            "Nome do álbum",
            "Albumi",
            "Albüm",
            "Albüm adı",
            "Άλμπουμ",
            "Альбом",
            "Название альбома",
            "アルバム",
            "アルバム名",
            "앨범",
            "앨범명",
            "专辑",
            "专辑名",
            "專輯",
            "專輯名稱",
            "ألبوم",
            "אלבום",
        ],
    ),
    (
        ColumnKind::Length(DurationUnit::Unsaid),
        &[
            "Dauer",
            "Länge",
            "Zeit",
            "Spieldauer",
            "Durée",
            "Duración",
            "Tiempo",
            "Durata",
            "Duração",
            "Tempo",
            "Duur",
            "Lengte",
            "Tijd",
            "Czas",
            "Czas trwania",
            "Längd",
            "Tid",
            "Varighed",
            "Varighet",
            "Kesto",
            "Délka",
            "Trvání",
            "Dĺžka",
            "Hossz",
            "Időtartam",
            "Süre",
            "Διάρκεια",
            "Длительность",
            "Продолжительность",
            "Время",
            "Тривалість",
            "長さ",
            "時間",
            "再生時間",
            "길이",
            "재생 시간",
            "时长",
            "時長",
        ],
    ),
    (
        ColumnKind::Path,
        &[
            "Datei",
            "Dateipfad",
            "Dateiname",
            "Speicherort",
            "Ort",
            "Pfad",
            "Fichier",
            "Chemin",
            "Emplacement",
            "Archivo",
            "Ruta",
            "Ubicación",
            "Percorso",
            "Posizione",
            "Arquivo",
            "Caminho",
            "Bestand",
            "Locatie",
            "Plik",
            "Ścieżka",
            "Файл",
            "Путь",
            "ファイル",
            "場所",
            "파일",
            "文件",
            "路径",
        ],
    ),
];

/// A heading in lower case, letters and digits only, without diacritics.
fn plain(heading: &str) -> String {
    heading.nfkd().filter(|letter| letter.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// Names of a title that are also names of a track's number.
const WEAK_TITLES: [&str; 4] = ["track", "pista", "faixa", "трек"];

/// Whether a column of this name holds titles only if no other column does.
pub(super) fn is_weak_title(heading: &str) -> bool {
    WEAK_TITLES.contains(&plain(heading).as_str())
}

/// Content of a column with this name.
pub(super) fn kind_of(heading: &str) -> Option<ColumnKind> {
    let wanted = plain(heading);
    if wanted.is_empty() {
        return None;
    }
    let tool = TOOL_NAMES.iter().find(|(_, names)| names.contains(&wanted.as_str()));
    let foreign = || FOREIGN_NAMES.iter().find(|(_, names)| names.iter().any(|name| plain(name) == wanted));
    tool.or_else(foreign).map(|(kind, _)| *kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headings_are_known_in_any_case_with_or_without_diacritics() {
        for (heading, wanted) in [
            ("Artist Name(s)", Some(ColumnKind::Artist)),
            ("KÜNSTLER", Some(ColumnKind::Artist)),
            ("Ku\u{308}nstler", Some(ColumnKind::Artist)),
            ("Kunstler", Some(ColumnKind::Artist)),
            ("título", Some(ColumnKind::Title)),
            ("Исполнитель", Some(ColumnKind::Artist)),
            ("アルバム", Some(ColumnKind::Album)),
            ("Durée", Some(ColumnKind::Length(DurationUnit::Unsaid))),
            ("Duration (ms)", Some(ColumnKind::Length(DurationUnit::Milliseconds))),
            ("Popularity", None),
            ("#", None),
        ] {
            assert_eq!(kind_of(heading), wanted, "{heading}");
        }
    }
}
