//! Words that are never typing errors of each other: common words, opposites, negations, numbers.

use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

/// Common words and first names of at least four letters. Two of them are two words, however similar.
const COMMON: &str = "\
able about above across after again against alone along always amber angel anger angle animal another answer \
apart apple april arms army arrow arrows ashes aside asleep atlas autumn awake away baby back badge bake baker ball \
band bank bare barn base bass bath battle beach bead beam bean bear beast beat beauty beaver become been beer before \
begin behind being belief believe belle bell below bend berlin best better between beyond bible bird birth bite \
bitter black blade blame blast blaze bleed blend bless blessing blight blind blink bliss block blood bloom blossom blow \
blue blues blur board boat body bold bomb bond bone book boom boost boots border bore born boss both bottle bottom \
bounce bound bowl boxer brain brake branch brand brass brave bread break breath breathe breeze brick bride bridge \
bright bring broken brook broom brother brown brush bubble build bullet burden burn burning bury butter butterfly \
button cabin cairo cake call calling calm camel camp candle candy cannon canyon captain caravan card care careless \
carry case cash casino castle catch caught cause cave celebrate center chain chair chance change channel chaos \
charge charm chase chasing cheap cheat cheer cherry chest child children china choice choir choke chosen church \
cinema circle circus city claim clash class clay clean clear clever climb climbing clock close closer cloud clown \
club coach coal coast coat code coffee coin cold collar colony color colour column come comes comet comfort coming \
common cook cool copper coral core corner cosmic cost cotton could count counting country couple courage course \
cover cowboy crack cradle crash crave crawl crazy cream creation creature creep cries crime crimson cross crow \
crowd crown cruel cruise crumble crush crying crystal cure curse curtain cycle daddy daily daisy damage dance dancer \
dancing danger dare dark darker darling dash daughter dawn daze dead deal dealer dear death decide deep deeper deer \
delight demon deny desert design desire dessert destiny devil diamond diary diner dinner dirt dirty disco distance \
dive diver divine doctor does doll dollar dolphin done donkey doom door double doubt down dozen draft dragon drain \
drama draw dream dreamer dreaming dress drift drink drive driver driving drop drown drowning drum drunk dusk dust \
eager eagle early earth ease east easy echo eden edge eight either electric element elephant eleven else embrace \
emerald emotion empire empty endless enemy energy engine english enough entire envy equal escape eternal even evening \
ever every evil exile eyes fable face fade fader fading fail failing faint fair fairy faith fall fallen falling \
false fame family fancy farewell farm fast faster fate father favor favour fear feast feather feel feeling feet \
fellow felt fever field fifty fight fighter figure film final find finder finger fire first fish five fixed flag \
flame flash flat flavor fleet flesh flick flicker flight flip float flood floor flow flower flowers fluid flute \
flyer flying fold folk follow fool foolish foot force forest forever forget forgive forgot forgotten fork form \
former fortune forty found fountain four fowl frame free freedom freeze fresh friday friend fright frog from front \
frost frozen fruit full funny fury future gallery galaxy gamble game garden gate gather gave gentle gently ghost \
giant gift girl give given giver glad glass gleam glide glitter globe gloom glory glove glow goat gold golden gone \
good goodbye gospel grace grain grand grape grass grave gravity gravy great green grey grief grill grind groove \
ground group grow grown growing guard guess guest guide guilt guilty guitar habit hail hair half hall hallo halo \
halves hammer hand handle hands hang happen happy harbor harbour hard harder harm harmony harp harvest haste hate \
hater haunt haunted have haven having hazel head heal healer healing health heap hear heard hearing heart hearth \
hearts heat heather heaven heavy heir held hell hello help here hero heroes heroine hidden hide high higher highway \
hill hills hint history hold holder holding hole holiday hollow holy home honest honey hook hope hopeful hopeless \
hoping hopping horizon horn horse hotel hour hours house hover human humane humble hundred hunger hungry hunt hunter \
hurricane hurry hurt hymn icon idea ideal idle idol immortal inside into invisible iris iron island itself ivory \
jacket jail jazz jealous jewel join joker journey joyful judge juice jump june jungle junk just justice karma keen \
keep keeper kept kick kill killer kind king kingdom kiss kitchen kite knee kneel knife knight knock knot know known \
lace ladder lady lake lamb lamp land lane language lantern large laser last late later latin latter laugh laughter \
launch lava lawn layer lazy lead leader leaf leap learn least leather leave leaves leaving left legacy legend lemon \
length less lesson letter level liar liberty lick life lift light lightning lights like likely lily limb limbo lime \
limit line linger link lion lips liquid list listen little live liver lives living load local lock london lone \
lonely loner long longer longing look looking loop loose lose loser losing loss lost loud lounge love loved lovely \
lover lovers loving lower loyal luck lucky lumber lunar lunch lung machine made madly madness magic maiden mail main \
major maker making male mama man mango mankind manner many maple marble march mark marker marry mars marsh mask mass \
master match matter maybe meadow mean meaning meant meat medal medicine meet melody melt member memory mend mental \
mercury mercy merry message metal meteor middle midnight might mighty mile miles milk mill million mind mine minor \
minute mirror misery miss missing mission mistake mister mix moan mode model modern moment monday money monkey \
monster month moon mood more morning most moth mother motion motor mountain mourning mouse mouth move mover moving \
much muddy murder music must mustard myself mystery mystic myth naked name nation native nature near need needle \
neon nerve nest never news next nice night nightmare nine noble nobody noise none noon north nose note nothing notice \
novel number numb oasis obey ocean odyssey offer often older olive omega once only onto open opera orange orbit order \
other ought ours outer outside over owner pace pack page pain paint painted painter pair palace pale palm panic \
paper parade paradise pardon paris park part parting partner party pass passage passing passion past pastor patch \
path patience patient pattern pause peace peach peak pearl pedal people pepper perfect perfume person phantom phase \
phone photo piano pick picture piece pilgrim pill pillow pilot pink pint pipe pirate pistol pity place plague plain \
plane planet plant plastic plate play player playing please pleasure plenty plot plow plunder pocket poem poet \
poetry point poison polar police polish pony poor pope poppy portrait possess post potion pound pour powder power \
praise pray prayer preach precious presence present press pretend pretty price pride priest prince princess prison \
prize problem promise prophet proud public pull pulse pump punch punk pupil pure purple purpose push queen queer \
quest question quick quiet quit quite rabbit race racer radar radio rage railway rain rainbow raise ranger rapid \
rapture rare rather raven reach reaction read ready real realm reason rebel record recovery redemption reef refuge \
regret reign relax release remain remedy remember rent repeat rescue rest restless return revenge reverse revolution \
reward rhyme rhythm ribbon rich ride rider riding rifle right ring ripple rise rising ritual rival river road roar \
robot rock rocker rocket rocky roll roller romance roof room root rope rose roses rough round route row royal ruby \
rude ruin rule ruler rumor rumour runaway runner running rush rust rustle saddle sadness safe safety said sail \
sailor saint sake salt same sand satellite satin saturday saturn savage save saved savior saw scale scar scare \
scarlet scene scent school science scream screen sea seal search season seat second secret seed seek seem seen self \
sell send senses sensual sent separate serene serious serpent servant serve service seven shade shadow shake shallow \
shame shape share shark sharp shatter sheep shell shelter shield shift shine shining ship shirt shiver shock shoe \
shoes shoot shooter shop shore short shot should shoulder shout shove show shower shrine shut sick side sight sign \
signal silence silent silk silly silver simple simply since singer singing single sink sinner sister sits skin \
skull slave sleep sleeper sleeping sleepy sleeve slice slide slight slip slow slowly small smart smash smell smile \
smiling smoke smooth snake snow soar sober social soft softly soil solar soldier sole solid solitude some somebody \
someone something sometime sometimes somewhere song soon sore sorrow sorry soul sound soup sour south space spade \
spark sparrow speak special speech speed spell spend spider spin spiral spirit splendor spoon sport spot spread \
spring square stable stage stain stair stairs stake stand standing star stare stars start state station statue stay \
steal steam steel steep step stereo stick still sting stir stolen stone stood stop store storm story straight \
strain strange stranger strangler strap stray stream street strength stretch strike string strip stripe strong \
struck stuck student study stuff stupid style submarine subtle subway such suck sudden suffer sugar suit summer \
summit sunday sunlight sunny sunrise sunset sunshine super sure surf surface surfer surrender survive survivor \
swallow swamp swan sway swear sweat sweep sweet sweeter swept swift swim swing sword symbol sympathy system table \
take taken taker taking tale talk talking tall tame tango tape target taste tattoo taught teach teacher team tear \
tears tease teen teeth telephone television tell temper temple tempt tender tension terrible terror than thank that \
theatre their them then there these they thick thief thin thing things think thinking thirst thirty this thorn those \
though thought thoughts thousand thread threat three thrill throat throne through throw thrown thunder tide tie \
tiger tight time times tiny tired titan toast today toes together token told toll tomb tomorrow tone tongue tonight \
took tool torch torn torture toss total touch tough tour toward towards tower town toys trace track trade tragedy \
trail train trap travel traveler traveller treasure treat tree trees tremble trial tribe trick tricky tried trigger \
trip triumph tropic tropical trouble truck true truly trumpet trust truth trying tuesday tulip tune tunnel turn \
turning turtle twelve twenty twice twilight twin twist twisted ugly ultra umbrella uncle under understand underwater \
unique unity universe until upon upside upward urban used useless usual vain valley vampire vanish vanity vapor \
vapour veil vein velvet venom venus verse very victim victory video view villa village vine vintage violence violent \
violet virgin virtue virus vision visit visitor visual vital vivid voice voices void volcano voodoo voyage wade wage \
wait waiter waiting wake waking walk walker walking wall wallow waltz wander wanderer want wanted wanting warm warmer \
warning warrior wash waste watch watcher watching water wave waves weak wealth weapon wear weary weather weave web \
wedding week weekend weep weeping weight weird welcome well went were west whale what wheel when where whether which \
while whip whiskey whisper whistle white whole whose wicked wide widow wife wild wilder will willing willow wind \
window wine wing wings winner winter wire wisdom wise wish wishing witch with within without witness wizard wolf \
wolves woman women wonder wonderful wood wooden word words wore work worker working world worm worn worry worse \
worship worst worth would wound wrap wreck wrist write writer writing written wrong yard year years yellow yesterday \
young your yourself youth zebra zero zombie zone \
adam adams alan alana albert alex alexa alice alicia alina allan allen amanda amelia andre andrea andreas andrew \
angela angelo anita anna anne annie anton antonia antonio arthur barbara beatrice bella benny bernard bertha betty \
billy bobby brandon brenda brian bruce bryan carl carla carlo carlos carmen carol carole caroline carolina cecil \
cecilia charles charlie charlotte chris christian christina christine claire clara clare claude claudia clyde connie \
craig cynthia daniel daniela daniele danielle danny david davis dawson debbie dennis diana diane diego dominic donald \
donna doris dorothy dylan edward edwin elaine elena eliza ellen ellie elton elvis emilia emily emma eric erica erick \
erik erika ernest esther eugene evans fiona flora florence frances francis francisco frank franky fred freddie gabriel \
gabriela gary george georgia gerald gilbert gina ginger gloria gordon graham grant gregory harold harris harry heidi \
helen helena helene henri henry herbert howard hugo isaac isabel isabella isabelle jack jackie jackson jacob james \
jamie janet janis jason jean jenna jennifer jenny jeremy jerry jesse jessica jessie jimmy joan joanna john johnny jonah \
jonas jonathan jones jordan jorge jose joseph joshua joyce juan judith judy julia julian juliana julie juliet julio \
karen karin karina karl katherine kathleen kathy katie kelly kevin larry laura lauren lauri laurie lawrence leah leon \
leona leonard leslie lewis liam linda lisa lise lois louis louisa louise lucas lucia lucie lucy luis luisa luke lydia \
lynn maggie mandy manuel marc marco marcos marcus margaret margot maria mariah marian mariana marianne marie marilyn \
marina mario marion maris mark marta martha martin martina martine marty marvin mary mathias matilda matt matthew \
maurice megan melissa michael michaela michel michele michelle mick miguel mike mila miles molly monica morgan morris \
nancy natalia natalie nathan neil nick nicola nicolas nicole nina nora norah norma norman oliver olivia oscar otis \
owen pablo paddy pamela parker patricia patrick patti paul paula paulo pedro peggy penny perry pete peter phil philip \
phillip phoebe pierre rachel ralph ramon randy raul raymond rebecca rene renee rhonda ricardo richard ricky rita \
robbie robert roberta roberto robin robyn rod rodney roger roland ronald rosa rosalie rosie ross ruth ryan sabina \
sabrina sally samantha samuel sandra sandy sara sarah scott sean serena sergio shane shannon sharon shaun shawn \
sheila shirley simon simone sofia sonia sonja sophia sophie stacey stanley stella stephan stephane stephanie stephen \
steve steven stevie stewart stuart susan susanna susanne suzanne sven sylvia tamara tania tanya teresa terry thelma \
theresa thomas timothy tina tommy tony tracey tracy travis trevor ursula valerie vanessa vera veronica victor victoria \
vince vincent virginia walter wanda warren wayne wendy werner william willie wilson wright yvonne";

/// Words of which one means the opposite of another, or another direction, colour or time.
const OPPOSITES: [&str; 62] = [
    "north south east west",
    "northern southern eastern western",
    "ever never",
    "with without",
    "within without",
    "up down",
    "on off",
    "in out",
    "into out",
    "inside outside",
    "over under",
    "above below",
    "before after",
    "first last",
    "day night",
    "days nights",
    "today tomorrow yesterday tonight",
    "morning evening afternoon midnight",
    "black white",
    "dark light",
    "hot cold",
    "love hate",
    "life death",
    "alive dead",
    "live die",
    "living dying",
    "good bad",
    "heaven hell",
    "angel devil",
    "left right",
    "right wrong",
    "old new",
    "young old",
    "open closed",
    "high low",
    "higher lower",
    "big small little",
    "more less",
    "always never sometimes",
    "everything nothing something anything",
    "everybody nobody somebody anybody",
    "everyone noone someone anyone",
    "everywhere nowhere somewhere anywhere",
    "all none",
    "yes no",
    "hello goodbye",
    "come go",
    "stop go",
    "stay go leave",
    "win lose",
    "lost found",
    "happy sad",
    "boy girl",
    "boys girls",
    "man woman",
    "men women",
    "king queen",
    "brother sister",
    "mother father",
    "summer winter spring autumn",
    "red blue green yellow black white pink purple orange golden silver brown grey gold",
    "sun moon",
];

/// Words that negate.
const NEGATIONS: [&str; 33] = [
    "no", "not", "never", "without", "dont", "cant", "wont", "aint", "isnt", "doesnt", "didnt", "couldnt", "wouldnt",
    "shouldnt", "arent", "wasnt", "werent", "havent", "hasnt", "hadnt", "nothing", "nobody", "none", "nowhere", "nor",
    "neither", "non", "nao", "nicht", "kein", "keine", "pas", "un",
];

/// Numbers in words, and places in an order.
const NUMBERS: [&str; 38] = [
    "zero",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
    "twenty",
    "thirty",
    "forty",
    "fifty",
    "sixty",
    "seventy",
    "eighty",
    "ninety",
    "hundred",
    "thousand",
    "million",
    "billion",
    "first",
    "second",
    "third",
    "fourth",
    "fifth",
    "sixth",
    "seventh",
    "eighth",
    "ninth",
    "tenth",
    "eleventh",
    "twelfth",
    "once",
    "twice",
    "double",
    "triple",
    "single",
    "half",
];

/// The vocabulary of this module, by word.
struct OwnWords {
    common: HashSet<&'static str>,
    opposites: HashMap<&'static str, Vec<usize>>,
}

static OWN_WORDS: LazyLock<OwnWords> = LazyLock::new(|| {
    let mut opposites: HashMap<&'static str, Vec<usize>> = HashMap::new();
    for (group, words) in OPPOSITES.iter().enumerate() {
        words.split(' ').for_each(|word| opposites.entry(word).or_default().push(group));
    }
    OwnWords { common: COMMON.split(' ').collect(), opposites }
});

/// Whether it is a common word, whose spelling is certainly intended.
pub(super) fn is_common(word: &str) -> bool {
    OWN_WORDS.common.contains(word) || OWN_WORDS.opposites.contains_key(word)
}

/// Whether two different words are opposites of each other.
pub(super) fn are_opposites(one: &str, other: &str) -> bool {
    let groups = |word: &str| OWN_WORDS.opposites.get(word).map_or(&[][..], Vec::as_slice);
    groups(one).iter().any(|group| groups(other).contains(group))
}

/// Whether a word negates what stands beside it.
pub(super) fn is_negation(word: &str) -> bool {
    NEGATIONS.contains(&word)
}

/// Whether a word of letters is a number or a place in an order.
pub(super) fn is_number_word(word: &str) -> bool {
    NUMBERS.contains(&word)
}
