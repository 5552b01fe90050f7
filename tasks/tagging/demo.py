"""The built-in corpus: sentences from a small grammar, with entities and parts of speech.

No name of a person, place or organisation occurs in two splits: a score on the test split says how
well a model reads names that it has never seen, from their context and shape.

A quarter of the sentences come in pairs around the lecture's question, which only the words *after*
a word can answer:

    He said , Teddy Roosevelt was a great President .    Teddy is a person
    He said , Teddy bears are on sale !                  Teddy is no entity

Both have the same words before, so a model that reads forwards can only guess at "Teddy".
`ambiguous` finds these words, to measure exactly that.

How the grammar is written: a template is a sentence whose words stand in `LEXICON`, which gives
their part of speech ("to/PART" where the lexicon says something else), and {slots} are filled with
words of a list or with an entity.
"""

from __future__ import annotations

import functools
import random
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from zoo.text.tags import OUTSIDE, Sentence

SIZES = {"train": 3000, "validation": 400, "test": 400}
AMBIGUOUS_SHARE = 0.25


def _words(text: str) -> list[str]:
    return text.split()


# --- names

FIRST_NAMES = _words("""
    Aaron Abigail Ada Adam Adele Adrian Agnes Aisha Alan Albert Alejandro Alexander Alfred Ali
    Alice Alison Amanda Amelia Anders Andrea Andrew Angela Angus Anita Anna Anthony Antonio Ariel
    Arthur Astrid Barbara Barry Beatrice Bella Benjamin Bernard Bertha Boris Brenda Brian Bridget
    Bruno Camilla Carla Carlos Carmen Caroline Catherine Cecilia Celeste Charles Charlotte Chloe
    Christopher Clara Clarence Claudia Clement Clifford Colin Conrad Cornelia Craig Cynthia Damian
    Daniel Daphne David Deborah Denise Dennis Derek Desmond Diana Diego Dimitri Dominic Donald
    Doris Dorothy Douglas Duncan Dylan Edgar Edith Edmund Edward Edwin Eleanor Elena Elias
    Elizabeth Elsa Elsie Emily Emma Enrique Eric Erica Ernest Esther Ethan Eugene Eva Evelyn
    Fatima Felix Fernando Fiona Flora Florence Frances Francesca Frederick Gabriel Gareth Gemma
    Geoffrey George Georgia Gerald Gertrude Gilbert Gloria Gordon Gregory Greta Guido Gustav
    Hamish Hannah Hans Harold Harriet Harvey Heidi Helen Henry Herbert Hilda Howard Hubert Hugh
    Hugo Ian Ida Igor Imogen Ines Ingrid Irene Isaac Isabel Ivan Jacob James Jana Janet Jasmine
    Jason Jeffrey Jennifer Jeremy Jerome Jessica Joan Joanna Johanna John Jonathan Jorge Joseph
    Josephine Juan Judith Julia Julian Juliet Justin Karen Karl Kate Katherine Keith Kenneth Kevin
    Klara Lars Laura Laurence Leah Lena Leo Leon Leonard Leopold Linda Lionel Louisa Lucas Lucy
    Ludwig Luis Luke Lydia Magnus Malcolm Marcel Marcus Margaret Maria Marianne Marion Marta
    Martha Martin Matilda Matthew Maurice Maya Mehmet Melissa Michael Michelle Miguel Mildred Mina
    Miriam Mohammed Monica Muriel Nancy Naomi Natalie Nathan Nathaniel Neil Nicholas Nicola Nigel
    Nina Noah Nora Norman Olga Oliver Omar Oscar Oswald Otto Pablo Pamela Patricia Paul Paula
    Pedro Peter Philip Phoebe Pierre Priscilla Quentin Rachel Rafael Ralph Raymond Rebecca
    Reginald Richard Rita Robert Roderick Rodney Roger Roland Rosa Rosalind Ross Roy Rupert Ruth
    Sally Samuel Sarah Sebastian Sergei Seth Sharon Sheila Shirley Sidney Silvia Simon Sonia
    Sophia Stefan Stella Stephen Stuart Susanna Sven Sylvester Tamara Tanya Teresa Theodore
    Theresa Thomas Timothy Tobias Trevor Ursula Valerie Vanessa Vera Veronica Victoria Vincent
    Virginia Vivian Vladimir Walter Wanda Wilfred William Winifred Xavier Yasmin Yuri Yvonne
    Zachary Zoe
""")

SURNAMES = _words("""
    Adamson Allenby Anderson Appleby Armitage Atkinson Babbage Baldwin Barlow Beckett Bennett
    Blackwell Blythe Bradshaw Brewster Brunel Burroughs Callahan Cameron Carmichael Chadwick
    Chandler Clarke Colborne Connolly Cooper Crawford Curtis Dalton Davenport Delaney Dickens
    Donovan Doyle Drummond Eastwood Ellison Emerson Faraday Fernandez Finch Fitzgerald Fletcher
    Forrester Galbraith Garcia Gibson Gladwin Goldberg Goodwin Gutierrez Haddad Hampson Hargreaves
    Hathaway Hawkins Hoffmann Holloway Huxley Ibrahim Iverson Jamieson Jennings Johansson Kaminski
    Kapoor Kendrick Kowalski Larsen Lindqvist Lombardi Lovelace MacDonald Malone Martinez Maxwell
    McAllister McCarthy Mendoza Mitchell Moriarty Mukherjee Nakamura Napier Nguyen Nielsen
    Nightingale O'Brien O'Connor Okafor Oppenheim Osborne Papadakis Patterson Pemberton Petrov
    Pickering Prescott Quigley Ramirez Rasmussen Reynolds Richter Robinson Romano Rosenthal
    Rutherford Sanderson Schneider Sheridan Silva Simpson Sinclair Stevenson Sullivan Swinburne
    Takahashi Thackeray Thompson Thornhill Trevelyan Tyndall Underhill Vandermeer Vaughan Wagner
    Wainwright Wallace Watanabe Whitaker Wilkinson Winslow Wojcik Yamamoto Yeats Zimmermann
""")

# Composed surnames, places and organisations: the shape of their last part is a hint, no more.
SURNAME_PARTS = (
    _words(
        "Ash Birk Brad Cald Chat Cor Dun El Fair Gar Hal Hart Hux Kirk Lang Mel Nor Pres Ren Rad "
        "Sel Stan Thorn Wal Wether Whit Wy"
    ),
    _words("bourne den erby field gate holm land low man more ridge ser ster ward well worth"),
)

PLACES = _words("""
    Accra Aleppo Algiers Amsterdam Ankara Athens Baghdad Bangkok Barcelona Beijing Belgrade Berlin
    Bogota Bolivia Bombay Bordeaux Botswana Brazil Brussels Bucharest Budapest Bulgaria Cairo
    Calcutta Cambodia Canada Caracas Chicago Colombia Copenhagen Damascus Denmark Dublin Ecuador
    Edinburgh Egypt Estonia Ethiopia Finland Florida Geneva Germany Ghana Glasgow Greece Guatemala
    Hamburg Havana Helsinki Honduras Hungary Iceland Indonesia Ireland Istanbul Italy Jakarta
    Jamaica Japan Kabul Kenya Lagos Latvia Lebanon Lima Lisbon Ljubljana Lyon Madagascar Madrid
    Malaysia Manila Melbourne Mexico Milan Moldova Mongolia Montreal Morocco Moscow Munich Nairobi
    Naples Nepal Nigeria Norway Oslo Ottawa Pakistan Palermo Panama Paraguay Paris Poland Portugal
    Prague Rome Rwanda Santiago Seattle Seoul Shanghai Singapore Slovenia Sofia Spain Stockholm
    Sweden Sydney Tanzania Tehran Tokyo Toronto Tunisia Uganda Ukraine Uruguay Venice Vienna
    Vietnam Warsaw Zambia Zurich
""")
PLACE_PARTS = (
    _words(
        "Alder Arl Barn Black Brook Clay Cran Dorn Eck Fern Gold Green Hazel Kings Lin Mill Oak "
        "Pine Raven Rock Salt Silver Spring Stone Sun Swan West Winter Wolf"
    ),
    _words("burg bury chester ford ham haven mouth port stead ton vale ville wick"),
)
PLACE_HEADS = _words("New North South Lake Mount San Port")

ORGANISATION_PARTS = (
    _words(
        "Aero Agri Alti Bio Cyber Data Dyna Eco Fin Geo Hydro Info Inter Lumi Medi Nano Nexo Omni "
        "Petro Quanta Robo Sola Tele Terra Veri Vita Zeno"
    ),
    _words("corp dyne flex gen link lux mark nova plex soft tech tron vex"),
)
ORGANISATION_TAILS = _words(
    "Inc Ltd Bank Group Airlines Motors Foods Systems Energy Software Insurance Holdings "
    "Partners Pharmaceuticals Industries Records"
)
PLACE_TAILS = _words("United Rovers Times Herald Council Museum Orchestra Hospital Chamber")

# --- the ambiguous words: first names that are also ordinary words before a noun

AMBIGUOUS = {
    "Amber": "beads lamps earrings",
    "Art": "galleries lessons dealers",
    "Autumn": "leaves storms colours",
    "Bill": "payments collectors folders",
    "Carol": "singers concerts services",
    "Chase": "scenes games cars",
    "Cherry": "trees pies blossoms",
    "Cliff": "walks paths houses",
    "Crystal": "glasses vases lamps",
    "Daisy": "chains fields cutters",
    "Dawn": "raids patrols services",
    "Dolly": "mixtures shots parts",
    "Faith": "schools leaders groups",
    "Frank": "talks answers letters",
    "Ginger": "biscuits cakes drinks",
    "Grace": "periods notes days",
    "Grant": "applications payments holders",
    "Hazel": "nuts bushes trees",
    "Heath": "fires ponds walks",
    "Heather": "fields plants hills",
    "Holly": "wreaths berries bushes",
    "Hope": "chests groups stories",
    "Iris": "bulbs scanners petals",
    "Ivy": "leaves walls plants",
    "Jack": "rabbits knives plugs",
    "Jade": "bracelets bowls rings",
    "Jasper": "stones beads bowls",
    "Joy": "rides sticks divisions",
    "Lily": "ponds pads bulbs",
    "Mark": "schemes sheets books",
    "Melody": "lines makers books",
    "Olive": "trees groves oils",
    "Pansy": "beds seeds petals",
    "Pearl": "necklaces earrings divers",
    "Penny": "stamps sweets shares",
    "Poppy": "fields seeds cakes",
    "Ray": "guns lamps diagrams",
    "Robin": "nests songs eggs",
    "Rose": "gardens bushes petals",
    "Ruby": "rings necklaces slippers",
    "Rusty": "gates nails bicycles",
    "Sage": "leaves plants teas",
    "Sandy": "beaches paths hills",
    "Summer": "camps sales storms",
    "Teddy": "bears blankets toys",
    "Violet": "petals candles plants",
    "Will": "writers readings disputes",
    "Woody": "plants stems hills",
}
_ADJECTIVES_AMONG_THEM = {"Frank", "Rusty", "Sandy", "Woody"}

# --- common words

LEXICON = {
    "NOUN": """
        court customers director floor headline holiday law miles month music notice people
        prices profits rain river road sale shares strike tickets today topic town train
        trains weeks workers years
    """,
    "VERB": """
        announced arrived born bought buy changed complained cost designed drove elected fell fined
        flew founded heard hired hopes invented joined knew know leave left likes lives lost
        meet moved opened plans reported resigned rose said says sells sold stopped studied
        sued taught told travelled visit waited want wants work worked works wrote
    """,
    "ADJ": "better cheap closed cold great hot late new next open popular",
    "ADV": "again never now too very why yesterday",
    "AUX": "are be been can did is was were will",
    "DET": "a its my the this",
    "PRON": "he i it nobody she they us we who",
    "ADP": """
        about after as at before behind between by during for from in near of on since through to
    """,
    "SCONJ": "that",
    "CCONJ": "and",
    "INTJ": "oh please thanks yes",
    "PART": "'s",
    "PUNCT": '! " , . : ?',
    "SYM": "$ %",
}

# What fills a slot: part of speech and words.
SLOTS = {
    "adjective": (
        "ADJ",
        """
        beautiful big black blue broken cheap clean clever cold dangerous dark delicious difficult
        dry empty expensive famous fast fresh friendly full funny good great green heavy huge large
        little lovely modern narrow new old perfect poor popular quiet red rich round short simple
        small soft special strange strong sudden tall useful warm white wide wonderful wooden yellow
        young
        """,
    ),
    "feeling": (
        "ADJ",
        """
        afraid angry anxious brave busy calm careful cheerful curious happy hungry late lucky
        nervous patient polite proud ready sad silent sleepy thirsty tired worried
        """,
    ),
    "adverb": (
        "ADV",
        """
        again badly briefly carefully early finally happily late later loudly often politely quickly
        quietly sadly secretly slowly soon suddenly twice
        """,
    ),
    "building": (
        "NOUN",
        """
        bridge café castle cathedral church cinema factory gallery gate hall harbour hospital hotel
        library market mill mine museum palace prison restaurant school shop stadium station theatre
        tower
        """,
    ),
    "event": (
        "NOUN",
        """
        accident ceremony concert conference debate dinner election exhibition festival flight flood
        game holiday interview journey lecture match meeting party race show storm strike surgery
        trial wedding
        """,
    ),
    "food": (
        "NOUN",
        """
        bread butter cake cheese chocolate coffee fish fruit honey juice milk pasta rice salad soup
        sugar tea water wine
        """,
    ),
    "job": (
        "NOUN",
        """
        architect baker barber captain carpenter chemist clerk coach composer dancer dentist
        director doctor driver editor engineer farmer fisherman gardener guard historian judge
        lawyer librarian manager mechanic minister musician novelist nurse painter pilot player
        plumber poet porter professor programmer reporter sailor scientist secretary singer soldier
        student surgeon tailor teacher waiter writer
        """,
    ),
    "relative": (
        "NOUN",
        "aunt boss brother cousin daughter father friend grandmother husband mother neighbour "
        "sister son uncle wife",
    ),
    "thing": (
        "NOUN",
        """
        bag ball basket bed bell bicycle boat book boot bottle bowl box brush bus camera candle car
        carpet chair clock coat cup desk door drum fence flag fork guitar hammer hat helmet house
        jacket kettle key knife ladder lamp letter lorry machine map mirror motorcycle painting
        paper pen phone photograph piano picture pillow plate pot radio ring rope scarf ship shirt
        shoe spoon suitcase table telescope tent ticket towel trumpet van violin wallet
        watch wheel window
        """,
    ),
    "title": ("NOUN", "President Senator Mayor Governor Chancellor Ambassador Minister"),
    "work": ("NOUN", "album ballad book essay film game novel opera play poem song spell story"),
    "bought": (
        "VERB",
        """
        admired borrowed bought broke cleaned collected cut described designed destroyed dropped
        found hid kept lost made measured missed needed ordered owned painted photographed recovered
        repaired sold stole used wanted watched
        """,
    ),
    "met": (
        "VERB",
        """
        admired advised called followed forgave greeted helped interviewed invited kissed liked
        married met missed phoned praised remembered saved thanked trusted visited warned welcomed
        """,
    ),
    "slept": (
        "VERB",
        """
        apologised arrived coughed cried danced disappeared hesitated laughed listened resigned sang
        shouted slept smiled sneezed snored waited wept whistled won yawned
        """,
    ),
    "day": ("PROPN", "Monday Tuesday Wednesday Thursday Friday Saturday Sunday"),
    "month": (
        "PROPN",
        "January February March April May June July August September October November December",
    ),
    "amount": ("NUM", "12 15 25 40 75 90 150 300 450 2.5 1,200"),
    "number": ("NUM", "two three four five six seven eight nine ten twelve twenty fifty"),
    "year": ("NUM", "1789 1848 1901 1923 1945 1968 1984 1999 2004 2012 2021"),
}

TEMPLATES = """
    {person} was a great {title} .
    {person} and {person} invented a new {work} .
    {person} and {person} bought a {adjective} {thing} .
    {person} said that the {event} was {adjective} .
    {person} {slept} .
    {person} {slept} {adverb} .
    {person} {met} {person} in {place} .
    {person} {met} the {job} from {place} .
    {person} {bought} a {adjective} {thing} .
    {person} {bought} the {thing} in {place} on {day} .
    {person} was born in {place} in {year} .
    {person} , a {job} from {place} , {slept} {adverb} .
    {person} , who lives near {place} , works for {organisation} .
    {person} works as a {job} at {organisation} .
    {person} joined {organisation} in {month} {year} .
    {person} left {organisation} after {number} years .
    {person} 's {relative} is a {job} .
    {person} 's {relative} {bought} a {thing} .
    {person} 's {adjective} {thing} was on the floor .
    {person} is {feeling} again .
    {person} was very {feeling} yesterday .
    {person} has/AUX never been to {place} .
    {person} has/AUX sold the {building} to {organisation} .
    {person} wants to/PART buy a {thing} .
    {person} hopes to/PART work for {organisation} .
    {person} plans to/PART leave {place} next month .
    {person} likes {food} and {food} .
    {person} wrote a {work} about {place} .
    {person} flew from {place} to {place} .
    {person} taught music at {organisation} .
    {person} will meet {person} on {day} .
    {person} did not/PART know {person} .
    {title} {person} arrived in {place} on {day} .
    My {relative} {met} {person} at the {event} .
    The {job} {met} {person} and {person} .
    The {job} told {person} about the {event} .
    The {adjective} {thing} was designed by {person} .
    The {work} was written/VERB by {person} in {year} .
    We heard that {person} lives in {place} now .
    In {year} , {person} moved to {place} .
    On {day} , {person} {met} a {job} .
    Yesterday {person} {slept} during the {event} .
    " The {food} is cold , " said {person} .
    " I love/VERB this {thing} , " {person} said .
    Please call/VERB {person} before {day} .
    Who is {person} ?
    Did {person} leave the {building} ?
    Thanks for the {food} , {person} !
    Is the {building} in {place} open/ADJ on {day} ?
    Why did {organisation} close/VERB its {building} in {place} ?
    {organisation} reported profits of $ {amount} million/NUM .
    {organisation} hired {number} workers in {month} .
    {organisation} announced a strike in {place} .
    {organisation} , based/VERB in {place} , sells {food} and {food} .
    {organisation} opened a {adjective} {building} in {place} .
    {organisation} was founded by {person} in {year} .
    {organisation} sued {organisation} in {month} .
    {organisation} will replace/VERB its director in {month} .
    {organisation} said profits fell by {amount} % .
    Shares of {organisation} rose {amount} % on {day} .
    The shares of {organisation} fell again .
    The director of {organisation} , {person} , resigned on {day} .
    A court fined {organisation} $ {amount} million/NUM .
    Workers at {organisation} want better pay/NOUN .
    Customers of {organisation} complained about the prices .
    She has/AUX worked for {organisation} since {year} .
    He studied law at {organisation} .
    They moved to {place} in {month} .
    We travelled from {place} to {place} by train .
    The river near {place} is {adjective} .
    The {job} lives in {place} .
    The {event} in {place} was {adjective} .
    The {adjective} {building} of {place} was closed in {year} .
    The people of {place} elected a new {title} .
    Rain is expected/VERB in {place} and {place} on {day} .
    Trains to {place} were late on {day} .
    The road between {place} and {place} is closed/ADJ .
    It is {amount} miles from {place} to {place} .
    He drove through {place} and {place} .
    My {relative} lives in a {adjective} town near {place} .
    The {job} {bought} a {adjective} {thing} .
    The {job} {slept} {adverb} .
    My {relative} is a {adjective} {job} .
    There/PRON is a {thing} behind the {thing} .
    The {food} was cold and the {food} was too hot .
    She {bought} {number} tickets for the {event} .
    They {slept} during the {event} .
    We waited {number} weeks for the {thing} .
    Nobody knew why/ADV the {job} was {feeling} .
    I can not/PART open the {thing} .
    The {adjective} {building} opened in {month} {year} .
    The {event} started/VERB at {number} and stopped at {number} .
    {quote} The {food} is {adjective} .
    {quote} The {building} is closed/ADJ today !
    {quote} {person} {slept} .
"""

# What may stand before an ambiguous word: the same for the person and for the thing.
QUOTES = """
    He said ,
    She said ,
    Then/ADV he wrote :
    Then/ADV she added/VERB ,
    My {relative} said ,
    The {job} said ,
    The {job} wrote :
    The headline was :
    Today/NOUN 's topic :
    The notice says :
    They told us :
    I read/VERB on {day} :
    {person} said ,
    {person} wrote :
    We heard in {place} ,
    Yes ,
    Oh ,
    "
"""
AS_PERSON = """
    {ambiguous} {surname} was a great {title} .
    {ambiguous} {surname} {slept} .
    {ambiguous} {surname} {met} {person} .
    {ambiguous} {surname} is on holiday !
    {ambiguous} {surname} lives in {place} .
    {ambiguous} {surname} {bought} a {thing} .
    {ambiguous} and {person} {slept} .
    {ambiguous} is on the train !
    {ambiguous} is very {feeling} .
    {ambiguous} {slept} {adverb} .
    {ambiguous} was a great {title} .
    {ambiguous} {bought} a {adjective} {thing} .
    {ambiguous} has/AUX lost the {thing} .
    {ambiguous} will visit {place} in {month} .
"""
AS_THING = """
    {ambiguous} {things} are on sale !
    {ambiguous} {things} were in the {building} .
    {ambiguous} {things} cost $ {amount} in {place} .
    {ambiguous} {things} are very {adjective} .
    {ambiguous} {things} and a {adjective} {thing} .
    {ambiguous} {things} will be cheap in {month} .
    {ambiguous} {things} have/AUX arrived from {place} .
    {ambiguous} {things} changed my life/NOUN .
    {ambiguous} {things} for {person} .
    {ambiguous} {things} are popular in {place} .
    {ambiguous} {things} , {food} and {food} .
    {ambiguous} {things} from {organisation} .
"""

# The lecture's own sentences, as the test split has them.
LECTURE = (
    (
        "He/PRON said/VERB ,/PUNCT Teddy/PROPN/B-PER Roosevelt/PROPN/I-PER was/AUX a/DET great/ADJ "
        "President/NOUN ./PUNCT"
    ),
    "He/PRON said/VERB ,/PUNCT Teddy/NOUN bears/NOUN are/AUX on/ADP sale/NOUN !/PUNCT",
    (
        "Harry/PROPN/B-PER Potter/PROPN/I-PER and/CCONJ Hermione/PROPN/B-PER Granger/PROPN/I-PER "
        "invented/VERB a/DET new/ADJ spell/NOUN ./PUNCT"
    ),
)


_LEXICON = {word: upos for upos, words in LEXICON.items() for word in _words(words)}


class Word(NamedTuple):
    """A token with its universal part of speech and its entity tag."""

    token: str
    upos: str
    entity: str = OUTSIDE


def ner(seed: int = 0) -> dict[str, list[Sentence]]:
    """The splits train, validation and test with entities PER, LOC and ORG, in BIO."""
    return _project(seed, lambda word: word.entity)


def pos(seed: int = 0) -> dict[str, list[Sentence]]:
    """The same sentences, with universal parts of speech."""
    return _project(seed, lambda word: word.upos)


def ambiguous(sentences: Iterable[Sentence]) -> list[tuple[Sentence, int]]:
    """The sentences with a word such as "Teddy", and where it stands.

    As often a person as not, with the same words before it: whoever reads only forwards is right
    half the time.

    Example:
        >>> sentence, index = ambiguous(ner()["test"])[0]
        >>> sentence.tokens[index], sentence.tags[index]
        ('Grace', 'B-PER')
    """
    return [
        (sentence, index)
        for sentence in sentences
        for index, token in enumerate(sentence.tokens)
        if token in AMBIGUOUS
    ]


def names(split: str) -> dict[str, list[str]]:
    """The names of one split: `"first"`, `"surname"`, `"place"`, `"organisation"`.

    No two splits, and no two kinds, share a name.
    """
    return {kind: _part(split, all_names) for kind, all_names in _all_names().items()}


def _project(seed: int, tag_of: Callable[[Word], str]) -> dict[str, list[Sentence]]:
    return {
        split: [
            Sentence(tuple(word.token for word in words), tuple(map(tag_of, words)))
            for words in sentences
        ]
        for split, sentences in _compose_corpus(seed).items()
    }


@functools.cache
def _all_names() -> dict[str, list[str]]:
    def composed(parts: tuple[Sequence[str], Sequence[str]]) -> list[str]:
        return [head + tail for head in parts[0] for tail in parts[1]]

    taken = {*AMBIGUOUS, *_words("Harry Potter Hermione Granger Roosevelt")}
    kinds = {
        "first": FIRST_NAMES,
        "surname": SURNAMES + composed(SURNAME_PARTS),
        "place": PLACES + composed(PLACE_PARTS),
        "organisation": composed(ORGANISATION_PARTS),
    }
    for kind, all_names in kinds.items():
        kinds[kind] = [name for name in dict.fromkeys(all_names) if name not in taken]
        taken.update(all_names)
    return kinds


def _part(split: str, all_names: Sequence[str]) -> list[str]:
    """Of six names, four are for training, one for validation, one for the test."""
    test, validation = list(all_names[0::6]), list(all_names[1::6])
    if split == "train":
        return [name for name in all_names if name not in {*test, *validation}]
    return {"validation": validation, "test": test}[split]


@functools.cache
def _compose_corpus(seed: int) -> dict[str, list[list[Word]]]:
    seen: set[tuple[str, ...]] = set()
    corpus = {}
    for split, size in SIZES.items():
        rng = random.Random(f"{seed} {split}")
        composer = _Composer(split, rng)
        lecture = [_parse(text) for text in LECTURE] if split == "test" else []
        sentences = lecture + composer.pairs(round(size * AMBIGUOUS_SHARE / 2), seen)
        while len(sentences) < size:
            words = composer.sentence(composer.choose(TEMPLATES))
            if _is_new([words], seen):
                sentences.append(words)
        rng.shuffle(sentences)
        corpus[split] = sentences
    return corpus


def _parse(text: str) -> list[Word]:
    return [Word(*part.split("/")) for part in text.split()]


def _is_new(sentences: Sequence[list[Word]], seen: set[tuple[str, ...]]) -> bool:
    keys = {tuple(word.token for word in words) for words in sentences}
    if keys & seen:
        return False
    seen.update(keys)
    return True


class _Composer:
    """Fills templates with the names of one split."""

    def __init__(self, split: str, rng: random.Random):
        self.names = names(split)
        self.rng = rng

    def choose(self, text: str) -> str:
        return self.rng.choice([line.strip() for line in text.strip().splitlines()])

    def pairs(self, count: int, seen: set[tuple[str, ...]]) -> list[list[Word]]:
        """`count` times two sentences with the same words up to an ambiguous one."""
        sentences: list[list[Word]] = []
        while len(sentences) < 2 * count:
            # Teddy, the lecture's example, comes more often than its companions.
            word = "Teddy" if self.rng.random() < 0.15 else self.rng.choice(list(AMBIGUOUS))
            # One in six starts with the word itself.
            before = self.fill(self.choose(QUOTES)) if self.rng.random() < 5 / 6 else []
            pair = [
                _finish(before + self.fill(self.choose(AS_PERSON), Word(word, "PROPN", "B-PER"))),
                _finish(before + self.fill(self.choose(AS_THING), _as_modifier(word))),
            ]
            if _is_new(pair, seen):
                sentences += pair
        return sentences

    def sentence(self, template: str) -> list[Word]:
        return _finish(self.fill(template))

    def fill(self, template: str, ambiguous_word: Word | None = None) -> list[Word]:
        words: list[Word] = []
        for part in template.split():
            if part == "{ambiguous}" and ambiguous_word is not None:
                words.append(ambiguous_word)
            elif part == "{things}":
                words.append(Word(self.rng.choice(_words(AMBIGUOUS[words[-1].token])), "NOUN"))
            elif part == "{surname}":
                words.append(Word(self.name("surname"), "PROPN", "I-PER"))
            elif part.startswith("{"):
                words += self.slot(part[1:-1])
            else:
                token, _, upos = part.partition("/")
                words.append(Word(token, upos or _upos(token)))
        return words

    def slot(self, slot: str) -> list[Word]:
        if slot == "person":
            return _entity("PER", self.person())
        if slot == "place":
            return _entity("LOC", self.place())
        if slot == "organisation":
            return _entity("ORG", self.organisation())
        if slot == "quote":
            return self.fill(self.choose(QUOTES))
        upos, words = SLOTS[slot]
        return [Word(self.rng.choice(_words(words)), upos)]

    def name(self, kind: str) -> str:
        return self.rng.choice(self.names[kind])

    def person(self) -> str:
        first, surname = self.name("first"), self.name("surname")
        initial = f"{self.rng.choice('ABCDEFGHJKLMNPRSTW')}."
        forms = {
            f"{first} {surname}": 60,
            first: 18,
            surname: 10,
            f"{initial} {surname}": 6,
            f"{first} {initial} {surname}": 6,
        }
        return self.weighted(forms)

    def place(self) -> str:
        place = self.name("place")
        return self.weighted({place: 85, f"{self.rng.choice(PLACE_HEADS)} {place}": 15})

    def organisation(self) -> str:
        stem, place = self.name("organisation"), self.name("place")
        partner = self.rng.choice(["Sons", "Company", self.name("surname")])
        forms = {
            stem: 25,
            f"{stem} {self.rng.choice(ORGANISATION_TAILS)}": 40,
            f"{self.name('surname')} & {partner}": 10,
            f"{place} {self.rng.choice(PLACE_TAILS)}": 15,
            f"{self.rng.choice(['University', 'Bank', 'Museum'])} of {place}": 10,
        }
        return self.weighted(forms)

    def weighted(self, forms: dict[str, int]) -> str:
        return self.rng.choices(list(forms), list(forms.values()))[0]


def _entity(entity_type: str, name: str) -> list[Word]:
    upos = {"of": "ADP", "&": "CCONJ"}
    return [
        Word(token, upos.get(token, "PROPN"), f"{'I' if index else 'B'}-{entity_type}")
        for index, token in enumerate(name.split())
    ]


def _as_modifier(word: str) -> Word:
    return Word(word, "ADJ" if word in _ADJECTIVES_AMONG_THEM else "NOUN")


def _upos(token: str) -> str:
    """The part of speech of a word of a template; at the start it may be capitalised."""
    return _LEXICON[token] if token in _LEXICON else _LEXICON[token.lower()]


def _finish(words: list[Word]) -> list[Word]:
    """A capital at the start, and "an" where it belongs."""
    for index, word in enumerate(words[:-1]):
        if word.token.lower() == "a" and words[index + 1].token[0].lower() in "aeio":
            words[index] = word._replace(token=f"{word.token}n")
    first = words[0]
    return [first._replace(token=first.token[0].upper() + first.token[1:]), *words[1:]]
