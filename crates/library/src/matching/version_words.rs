//! Version phrases in English, Spanish, Portuguese, French, German, Italian, Dutch and the Scandinavian
//! languages, and the commonest of Polish, Turkish, Russian, Japanese, Korean and Chinese, in the form that [`super::normalize`] produces.

use std::collections::HashMap;
use std::sync::LazyLock;

use super::version::TrackVersion;

/// Meaning of a phrase in a qualifier.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum QualifierKind {
    /// Another recording, whatever stands beside it.
    Is(TrackVersion),
    /// Another recording, unless unexplained words stand beside it.
    IsAlone(TrackVersion),
    /// A concert, unless it is the verb or the adjective.
    Live,
    /// A remix; the words beside it name the remixer.
    Remix,
    /// A mix; a remix if it has a name.
    Mix,
    /// An edit; a remix if it has a name.
    Edit,
    /// A version; another recording if unexplained words stand beside it.
    Version,
    /// A shorter cut.
    Short,
    /// A longer cut.
    Long,
    /// The same recording, whatever stands beside it.
    Same,
    /// The same recording, unless unexplained words stand beside it.
    SameAlone,
    /// The rest of the words names the recording's origin.
    From,
    /// A part's number follows.
    Part,
    /// A language.
    Language,
    /// No meaning of its own.
    Filler,
}

/// Phrases, separated by commas. If one is in two lists, the first counts.
const LEXICON: &[(QualifierKind, &str)] = &[
    (
        QualifierKind::Live,
        "live, en vivo, en directo, ao vivo, dal vivo, in diretta, en direct, en public, in concert, en \
         concierto, em concerto, em show, en concert, in concerto, im konzert, i konsert, pa konsert, \
         livekonsert, liveaufnahme, livemitschnitt, konzertmitschnitt, live opname, liveopname, canli, \
         naziwo, na zywo, koncert, concert, konzert, like a version, tiny desk, session, sessions, sesion, \
         sesiones, sessao, sessoes, sessie, sessies, livestream, raibu, raivu, konsato, raibubaziyon, \
         kontsert, na kontserte, kontsertnaia zapis, zhivoe ispolnenie, zhivaia zapis, zhivoi, zhiviom, \
         koncertowa, koncertowe, koncertowy, wersja koncertowa, konser, konser kaydi, canli performans, \
         recorded at, recorded live, recorded live \
         at, recorded in, grabado en, gravado em, enregistre a, aufgenommen in, registrato a, opgenomen in, \
         inspelad i, live stream, radio session, bbc session, peel session",
    ),
    (
        QualifierKind::Remix,
        "remix, remiks, rimitukusu, remixed, remixes, rework, reworked, reworking, refix, bootleg, flip, vip, vip mix, vip \
         remix, mashup, mash up, remezcla, remixado, remixe, re edit, reedit, reconstruction, redux, re \
         rub, rerub, re work, remixed by, dubplate, bootleg remix, reinterpretation, re imagined, \
         reimagined, reimagining, re write, rewrite, re mix, re fix, dub remix, amapiano remix, dub",
    ),
    (QualifierKind::Mix, "mix, mezcla, mistura"),
    (QualifierKind::Edit, "edit, edition edit, edicion, edited, re cut, recut, cut"),
    (
        QualifierKind::Version,
        "version, 버전, 版, 版本, versiyon, versiia, baziyon, versione, versao, versie, fassung, utgave, wersja, ver, vers, versions, rendition, take, \
         toma, tomada, prise, aufnahme, recording, inspelning",
    ),
    (
        QualifierKind::Short,
        "radio edit, radio mix, radio version, radio cut, radio, short, short edit, short version, short \
         mix, short cut, video edit, video version, video mix, single edit, 7 inch, 7in, 7 mix, 7 version, \
         7 edit, corta, curta, courte, kurz, kurze, kurzfassung, kort, korte, breve, tv edit, tv size, tv \
         version, airplay, airplay mix, clean edit, shortened, abridged, radiofassung, radioversion, \
         radioedit, version radio, version corta, fade, early fade",
    ),
    (
        QualifierKind::Long,
        "extended, extended mix, extended version, extended edit, extended play, long, long version, long \
         mix, long edit, full length, full length version, full version, 12 inch, 12in, 12 mix, 12 version, \
         maxi, maxi version, maxi single, extendida, extendido, estendida, estesa, larga, longa, longue, \
         lange, lange fassung, uncut, unedited, extendee, verlangert, forlangd, forlenget, utvidgad",
    ),
    (
        QualifierKind::Is(TrackVersion::Acoustic),
        "acoustic, akosuteituku, akustika, akusticheskaia versiia, akusticheskaia, akusticheskii, akustyczny, \
         akustyczne, akustik versiyon, acoustics, unplugged, acustico, acustica, acustic, acoustique, akustik, akustisch, \
         akustische, akustisk, akoestisch, akoestische, akustinen, akustyczna, akustycznie, stripped, \
         stripped down, stripped back, campfire, solo acoustic",
    ),
    (
        QualifierKind::Is(TrackVersion::Instrumental),
        "instrumental, insutourumentaru, insuto, instrumentalna, instrumentalny, instrumentalne, \
         instrumentalnaia versiia, enstrumantal, enstrumental, instrumentals, instrumentale, instrumentaal, strumentale, instrumentalni, \
         instrumentalversion, no vocals, without vocals, beat only, sin voz, inst",
    ),
    (
        QualifierKind::Is(TrackVersion::Karaoke),
        "karaoke, backing track, sing along, singalong, playback, off vocal, minus 1, in the style of, \
         originally performed by, made famous by, as made famous by, en el estilo de, au estilo de, no \
         estilo de, a la maniere de",
    ),
    (
        QualifierKind::Is(TrackVersion::Vocals),
        "a cappella, acappella, acapella, a capella, a capela, acapela, vocals only, vocal only, solo voz, \
         acca, studio acapella",
    ),
    (QualifierKind::IsAlone(TrackVersion::Vocals), "vocal, vocals"),
    (
        QualifierKind::Is(TrackVersion::Demo),
        "demos, demo version, demo recording, demo take, home demo, early demo, rough demo, rough mix, \
         rough cut, outtake, out take, outtakes, alternate take, alternative take, alternate, alternate \
         version, alternative version, alternate mix, alternative mix, alt version, early version, early \
         take, early mix, rehearsal, rehearsals, work in progress, unfinished, maqueta, maquete, ensayo, \
         rough version, home recording, first take, second take, version alternativa, toma alternativa, \
         versao alternativa, version alternative, prise alternative, false start, studio outtake, voice \
         memo, bedroom version, monitor mix, probeaufnahme, alternativfassung, versione alternativa, \
         alternatieve versie, alternativ version, first draft",
    ),
    (QualifierKind::IsAlone(TrackVersion::Demo), "demo, sketch, alternative, alternativa, boceto, esboco, memo"),
    (
        QualifierKind::IsAlone(TrackVersion::Interlude),
        "interlude, interludio, interlud, zwischenspiel, intermezzo, skit, intro, introduction, \
         introduccion, introducao, introduzione, einleitung, inledning, outro, prelude, preludio, vorspiel, \
         reprise, repriza, ripresa, reprisa, epilogue, epilogo, prologue, prologo, prolog, epilog, coda, \
         overture, obertura, abertura, ouverture, continued, commentary, comentario, kommentar, spoken, \
         spoken word, intermission, snippet, teaser, preview, freestyle, cypher, interview",
    ),
    (
        QualifierKind::Is(TrackVersion::Interlude),
        "skit version, intro version, interlude version, reprise version, spoken word version",
    ),
    (QualifierKind::IsAlone(TrackVersion::Speed), "reverb, chopped, screwed, phonk, hardstyle, lofi, lo fi, pitched"),
    (
        QualifierKind::Is(TrackVersion::Speed),
        "sped up, speed up, speed up version, spedup, slowed, slowed down, slowed reverb, slow version, \
         fast version, nightcore, daycore, chopped and screwed, chopnotslop, 8d, 8d audio, 432hz, 432 hz, \
         acelerado, acelerada, ralentizado, accelere, ralenti, bass boosted, super slowed, ultra slowed, \
         slow and reverb",
    ),
    (
        QualifierKind::Is(TrackVersion::Rerecorded),
        "taylors version, re recorded, rerecorded, re recording, rerecording, new recording, newly \
         recorded, regrabado, regrabada, regravado, regravacao, reenregistre, nouvel enregistrement, \
         neuaufnahme, neu aufgenommen, neueinspielung, riregistrata, heropname, nyinspelning, new version, \
         nueva version, nova versao, nouvelle version, nuova versione, neue version, nieuwe versie, ny \
         version, my version, our version, his version, her version, artists version, revisited, redone, re \
         done, remake, re make, anniversary version, legacy version, rerecorded version, re recorded \
         version",
    ),
    (
        QualifierKind::Is(TrackVersion::Mixed),
        "dj mix, mixed by, mix cut, dj mixed, continuous mix, continuous dj mix, mixed tracks, from the \
         mix, live mix, megamix, mega mix, medley, popurri, minimix, mini mix, non stop mix, nonstop mix, \
         dj tool, dj version, dj edit, mix version",
    ),
    (QualifierKind::IsAlone(TrackVersion::Mixed), "mixed"),
    (
        QualifierKind::Is(TrackVersion::Cover),
        "cover version, tribute to, tributo a, hommage a, cover by, covered by, lullaby version, lullaby \
         rendition, a tribute to, salute to, 8 bit, 8 bit version, music box, coverversion, originally by, \
         cover song",
    ),
    (
        QualifierKind::IsAlone(TrackVersion::Cover),
        "cover, versionada, tribute, tributo, parody, parodia, lullaby, ringtone, homenaje, homenagem, \
         hommage, omaggio",
    ),
    (QualifierKind::Is(TrackVersion::Named), "spotify singles, spotify single"),
    (QualifierKind::IsAlone(TrackVersion::Arranged), "piano, strings, duet, dueto, duett, ballad, balada"),
    (
        QualifierKind::Is(TrackVersion::Arranged),
        "piano version, orchestral, orchestral version, orchestra version, symphonic, symphonic version, \
         orquestal, sinfonica, sinfonico, orquestral, orchestrale, sinfonisch, orchesterversion, \
         orchesterfassung, klavierversion, klavierfassung, string version, strings version, string quartet, \
         string quartet version, choir version, choral version, jazz version, rock version, dance version, \
         reggae version, salsa version, bachata version, cumbia version, country version, pop version, \
         metal version, guitar version, version piano, version para piano, piano solo, solo piano, piano \
         vocal, version guitare, banda version, version banda, mariachi version, version mariachi, version \
         salsa, version bachata, version cumbia, norteno version, duet version, solo version, version solo, \
         ballad version, slow jam version, synth version, ambient version, electronic version, gospel \
         version, brass version, cello version, violin version, harp version, ukulele version, quarantine \
         version, christmas version, version navidena, holiday version, summer version, winter version, \
         house version, disco version, drum and bass version, dub version, a cappella version, unmixed \
         version",
    ),
    (
        QualifierKind::Language,
        "english, spanish, french, german, italian, portuguese, dutch, swedish, norwegian, danish, finnish, \
         japanese, korean, chinese, mandarin, cantonese, russian, polish, turkish, greek, hebrew, arabic, \
         hindi, tamil, telugu, malayalam, kannada, punjabi, bengali, urdu, thai, vietnamese, indonesian, \
         malay, tagalog, icelandic, catalan, basque, galician, welsh, irish, gaelic, hungarian, czech, \
         slovak, romanian, croatian, serbian, ukrainian, bulgarian, ingles, inglesa, espanol, espanola, \
         castellano, frances, francesa, aleman, alemana, italiano, italiana, portugues, portuguesa, catala, \
         anglais, anglaise, espagnol, espagnole, francais, francaise, allemand, allemande, italien, \
         italienne, portugais, englisch, englische, spanisch, spanische, franzosisch, franzosische, \
         deutsch, deutsche, italienisch, italienische, inglese, spagnolo, spagnola, francese, tedesco, \
         tedesca, portoghese, engels, engelse, spaans, spaanse, frans, franse, duits, duitse, nederlands, \
         nederlandse, engelsk, engelska, spansk, spanska, fransk, franska, tysk, tyska, svensk, svenska, \
         norsk, dansk, japones, japonesa, coreano, coreana, spanglish, bilingual, bilingue, latin, jpn, \
         kor, eng, esp, bahasa",
    ),
    (
        QualifierKind::Same,
        "remaster, remasters, remastered, remastering, remasterizado, remasterizada, remasterise, \
         remasterisee, remasterisiert, remasterizzato, remasterizzata, remasterizacao, remasterizacion, \
         remastrad, remastret, geremasterd, geremastered, re mastered, re master, remasteriza, remast, \
         digital remaster, remasterd, mastered, mastered for, album version, lp version, single version, \
         original version, original mix, main version, main mix, standard version, mono version, stereo \
         version, mono mix, stereo mix, album mix, single mix, original album version, original single \
         version, original single mix, original recording, studio version, studio recording, studio mix, \
         stereo single mix, mono single mix, explicit version, clean version, uncensored version, censored \
         version, dirty version, explicit album version, album edit, lp mix, ep version, official video, \
         official audio, official music video, official lyric video, official lyrics video, official \
         visualizer, official visualiser, official hd video, music video, lyric video, lyrics video, \
         lyrics, with lyrics, visualizer, visualiser, official, oficial, officiel, offiziell, offizielles, \
         ufficiale, officiele, officiell, offisiell, video oficial, clip officiel, videoclip, video clip, \
         videoclip oficial, audio oficial, offizielles video, offizielles musikvideo, video ufficiale, \
         audio officiel, letra, letras, con letra, paroles, testo, songtext, full song, full audio, hq \
         audio, audio only, cover art, static video, art track, performance video, dance video, bonus \
         track, bonus tracks, bonus, bonus song, hidden track, pista adicional, pista extra, faixa bonus, \
         titre bonus, bonustrack, deluxe, deluxe edition, deluxe version, super deluxe, expanded, expanded \
         edition, special edition, limited edition, anniversary edition, anniversary, collectors edition, \
         edition speciale, edicion especial, edicion de lujo, edicao especial, edicao de luxo, \
         sonderausgabe, sonderedition, jubilaumsausgabe, edizione speciale, edizione deluxe, speciale \
         editie, jubileumsutgava, edition, edicao, edizione, editie, ausgabe, utgava, reissue, reedicion, \
         reedicao, reedition, reissued, version album, version del album, version de album, version \
         original, version originale, version originel, versao original, versao do album, versao album, \
         versione originale, versione album, originalversion, originalfassung, albumversion, albumfassung, \
         singleversion, originele versie, albumversie, singleversie, albumversjon, originalversjon, mezcla \
         original, version single, version estudio, version de estudio, version studio, versao de estudio, \
         versao estudio, studioversion, studiofassung, studioversie, version sencillo, grabacion original, \
         gravacao original, original soundtrack, soundtrack, original motion picture soundtrack, motion \
         picture soundtrack, ost, banda sonora, banda sonora original, trilha sonora, bande originale, \
         bande originale du film, colonna sonora, filmmusik, soundtrack version, soundtrack edit, movie \
         version, film version, original cast recording, original broadway cast recording, original score, \
         digital single, digitally remastered, hi res, hires, high quality, dolby atmos, spatial audio, \
         atmos mix, surround mix, quadraphonic mix, 5.1 mix, full hd, free download, out now, new release, \
         premiere, exclusive, world premiere, theme song, title track, titelsong, clean, explicit, \
         uncensored, censored, dirty, explicita, explicito, explicite, lyric",
    ),
    (
        QualifierKind::SameAlone,
        "original, originale, originel, album, single, sencillo, mono, stereo, estereo, main, standard, \
         audio, video, hd, hq, uhd, 4k, 1080p, 720p, mv, pv, m v, music, digital, master, new, full, \
         studio, lp, ep, pop, uk, us, usa, japan, bpm, english subtitles, soundtrack from, classic, final, \
         feature, featured, mp3, wav, flac, 320, kbps, vinyl, cd, promo, radio rip, rip, amended, revised, \
         normal, regular, international, a side, b side, bside, aside, b sides, side a, side b, double a \
         side, clip, oficiel, track, theme",
    ),
    (
        QualifierKind::From,
        "from, music from, theme from, theme from the, song from, as featured in, featured in, as heard in, as seen on, \
         inspired by, music inspired by, de la pelicula, de la serie, del film, do filme, du film, extrait \
         de, extrait du, extrait du film, aus dem film, aus, aus der, aus dem, tratto, dal film, uit de \
         film, uit, fran filmen, fra filmen, taken from, de la banda sonora, banda sonora de, tema de, \
         opening, ending, end credits, end title, main title, as used in, original motion picture \
         soundtrack from",
    ),
    (
        QualifierKind::Part,
        "part, parts, nos, vols, parte, partie, teil, deel, del, osa, czesc, vol, volumen, band, no, opus, op, act, acto, \
         ato, acte, akt, chapter, capitulo, cap, chapitre, kapitel, capitolo, hoofdstuk, episode, episodio, \
         book, libro, livre, buch, movement, mvt, mov, satz, mouvement, movimiento, scene, escena, cena, \
         szene, bwv, kv, rv, hwv, woo, variation, var, canto, phase, fase, stage, level, version no, take \
         no, disc, day, session no, reel, verse",
    ),
    (
        QualifierKind::Filler,
        "the, a, an, of, for, by, and, at, in, on, to, with, de, la, el, le, les, los, du, des, der, die, \
         das, di, do, dos, il, en, em, e, et, y, und, och, og, vs, x, van, het, im, am, au, his, her, \
         their, this, that, s",
    ),
];

/// Words of scripts without spaces, found within longer words.
const WITHIN: &[(QualifierKind, &[&str])] = &[
    (
        QualifierKind::Live,
        &[
            "现场",
            "現場",
            "演唱会",
            "演唱會",
            "音乐会",
            "音樂會",
            "生演奏",
            "公演",
            "라이브",
            "콘서트",
            "실황",
            "raibu",
            "konsato",
        ],
    ),
    (
        QualifierKind::Is(TrackVersion::Instrumental),
        &["伴奏", "纯音乐", "純音樂", "器乐", "器樂", "연주곡", "반주", "인스트루멘탈", "insuto"],
    ),
    (QualifierKind::Remix, &["混音", "리믹스", "rimitukusu"]),
    (
        QualifierKind::Is(TrackVersion::Acoustic),
        &["不插电", "不插電", "弹唱", "彈唱", "弾ki語ri", "어쿠스틱", "akosuteituku"],
    ),
    (QualifierKind::Is(TrackVersion::Karaoke), &["卡拉ok", "노래방"]),
];

/// The phrases that begin with a word and their meanings, the longest first.
type Phrases = Vec<(Vec<&'static str>, QualifierKind)>;

static BY_FIRST_WORD: LazyLock<HashMap<&'static str, Phrases>> = LazyLock::new(|| {
    let mut by_first: HashMap<&'static str, Phrases> = HashMap::new();
    for (sense, phrases) in LEXICON {
        for phrase in phrases.split(", ") {
            let words: Vec<&'static str> = phrase.split(' ').collect();
            by_first.entry(words[0]).or_default().push((words, *sense));
        }
    }
    for phrases in by_first.values_mut() {
        // The sort is stable: ties keep their order.
        phrases.sort_by_key(|(words, _)| std::cmp::Reverse(words.len()));
    }
    by_first
});

/// The meaning of the longest phrase at the start of these words, and its number of words.
pub(super) fn match_phrase(words: &[&str]) -> Option<(QualifierKind, usize)> {
    let first = words.first()?;
    let Some(phrases) = BY_FIRST_WORD.get(first) else {
        if first.is_ascii() {
            return None;
        }
        let is_within = |(_, found): &&(QualifierKind, &[&str])| found.iter().any(|found| first.contains(found));
        let has_kept = first.chars().any(super::normalize::is_kept);
        return WITHIN.iter().filter(|_| has_kept).find(is_within).map(|(sense, _)| (*sense, 1));
    };
    phrases
        .iter()
        .find(|(phrase, _)| words.len() >= phrase.len() && words[..phrase.len()] == phrase[..])
        .map(|(phrase, sense)| (*sense, phrase.len()))
}

/// Whether a number after this word is a part's number.
pub(super) fn is_part_word(word: &str) -> bool {
    match_phrase(&[word]).is_some_and(|(sense, _)| sense == QualifierKind::Part)
}

#[cfg(test)]
mod tests {
    use super::super::normalize::normalize;
    use super::{LEXICON, QualifierKind, match_phrase};

    #[test]
    fn every_phrase_is_written_as_texts_are_folded() {
        for phrase in LEXICON.iter().flat_map(|(_, phrases)| phrases.split(", ")) {
            let folded: Vec<String> = normalize(phrase).into_iter().map(|word| word.text).collect();
            assert_eq!(folded.join(" "), phrase);
        }
    }

    #[test]
    fn the_longest_phrase_wins() {
        assert_eq!(match_phrase(&["radio", "edit"]), Some((QualifierKind::Short, 2)));
        assert_eq!(match_phrase(&["en", "vivo", "desde"]), Some((QualifierKind::Live, 2)));
        assert_eq!(match_phrase(&["sandstorm"]), None);
    }
}
