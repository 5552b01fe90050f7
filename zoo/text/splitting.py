r"""Where a token begins and ends, as regular expressions of RE2.

Texts are split in two passes, which only ever add blanks:

1. `BEFORE`: what is written in one word and is two (`do|n't`, `can|not`, `10|km`), and dots that
   belong to no abbreviation: three of them, and the one that ends a text.
2. `TOKEN`: from left to right, the first of its patterns that matches is a token.

The English of both follows the Universal Dependencies, whose English Web Treebank follows the Penn
Treebank; what it leaves open was chosen on the treebank's training sentences.

RE2 cannot look ahead or back, but for `\b`, which knows the letters of ASCII alone. A pattern that
must stand behind a blank has the blank in it: a blank more does no harm. And what may be read far
ahead is either taken or has a bound, so that the time grows with the length of a text, no faster.
"""

from __future__ import annotations

from zoo.text.typography import EMOJI
from zoo.text.unicode_tables import pattern

# Large classes make an automaton that no longer fits into RE2's memory: the one of all letters
# stands in one pattern, and elsewhere these do, of Europe, the Near East and India.
_LETTERS = r"A-Za-z\x{C0}-\x{2AF}\x{370}-\x{DFF}\x{10A0}-\x{167F}\x{1E00}-\x{1FFF}"
_CAPITALS = r"A-Z\x{C0}-\x{DE}\x{100}-\x{17F}\x{386}-\x{3AB}\x{400}-\x{42F}"

# Scripts without blanks between words. Of the signs that they share with others (〆, the long vowel
# of Katakana), Unicode does not say that they belong to one.
UNSPACED = (
    r"\p{Han}\p{Hiragana}\p{Katakana}\p{Bopomofo}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}"
    r"\p{Tai_Le}\p{New_Tai_Lue}\p{Tai_Tham}\p{Tai_Viet}\p{Balinese}\p{Javanese}"
    r"\x{3006}\x{30FC}\x{FF70}"
)
# A letter (of another script: RE2 has no difference of classes, but "neither ... nor"), a mark, a
# number, _, or an apostrophe before such.
_IN_WORD = rf"(?:[^\P{{L}}{UNSPACED}]|[\pM\pN_]|'[\d_{_LETTERS}])"
# Consonants that Khmer, Burmese and Tai Tham write below others.
_BELOW = r"\x{17D2}[\x{1780}-\x{17A2}]|\x{1039}[\x{1000}-\x{102A}]|\x{1A60}[\x{1A20}-\x{1A54}]"

# don't, John's, we'll
_CLITIC = r"(?i:n't|'(?:d|ll|m|re|s|ve))\b"
# cannot, dont, gonna: words that are written without an apostrophe or blank.
AUXILIARY = (
    "ai|are?|ca|can|could|did|do|does|had|has|have|is|might|must|need|should|was|were|wo|would"
)
_TWO_WORDS = rf"\b(?i:({AUXILIARY})(not|nt)|(gon|got|wan)(na|ta))\b"
_UNIT = (
    r"(?:(?i:am|bn|cm|ft|gb|ghz|hrs?|kb|kg|km|kmh|lbs?|mb|mg|mhz|mins?|ml|mm|mph|oz|pm|secs?|tb|"
    r"yrs?)|[KMgkm])\b"
)
# the 1980's
_DECADE = r"\d+0's\b"
# https://www.w3.org/: up to a sign that rather ends the sentence
_PATH = rf"(?:\.?[!#-\-/-;=?-~{_LETTERS}])*[\d/_=&#\-{_LETTERS}]"
_ADDRESS = rf"(?i:https?://|ftp://|www\.){_PATH}"

BEFORE = (
    rf"((?:{_ADDRESS}|{_DECADE})\pM*)"
    rf"|\b(\d[\d.,:]*)({_UNIT})"
    rf"|({_CLITIC}|\.\.+|\.\s*$)"
    rf"|{_TWO_WORDS}"
)
BEFORE_BECOMES = r"\1\2\5\7 \3\4\6\8"

_ABBREVIATION = (
    r"(?:Adm|Aug|Ave|Blvd|Bros|Capt|Co|Col|Corp|Dec|Dr|Feb|Fri|Ft|Gen|Gov|Hon|Inc|Jan|Jr|Jul|Jun|Lt|"
    r"Ltd|Maj|Mar|Messrs|Mon|Mr|Mrs|Ms|Mt|Nov|Oct|Ph\.D|Ph|Prof|Rd|Reps?|Rev|Sat|Sens?|Sept?|Sgt|Sr|St|Sun|"
    r"Thurs?|Tues?|Wed|"
    r"Ala|Ariz|Calif|Colo|Conn|Fla|Ga|La|Mich|Minn|Okla|Tenn|Tex|Va|Wis|"
    r"(?i:al|approx|arrv|attn|ca|cf|dept|eg|etc|fig|ie|vol|vs))\."
)
_PREFIX = (
    r"(?i:agro|ante|anti|arch|bi|bio|co|counter|cross|cyber|e|eco|ex|extra|inter|intra|macro|mega|"
    r"mid|mini|mono|multi|neo|non|over|para|peri|post|pre|pro|pseudo|psycho|quasi|re|semi|socio|"
    r"sub|super|tri|ultra|un|uni)-"
)

_HOST = rf"[\w\-{_LETTERS}]"
_FILE = r"(?i:docx?|exe|gif|html?|jpe?g|mp3|pdf|php|png|pptx?|py|txt|url|xlsx?|zip)"
_DOMAIN = (
    r"(?:(?i:com|edu|gov|mil|net|org)|(?:ac|co|org)\.uk|com\.au|au|ca|cn|de|eu|fr|jp|nl|ru|tv|uk|"
    rf"{_FILE})\b"
)

_TONES = r"[\x{1F3FB}-\x{1F3FF}]"
_ONE_EMOJI = rf"[{pattern(EMOJI)}]{_TONES}?"

_PATTERNS = (
    # --- addresses, names of files
    _ADDRESS,
    rf"(?:mailto:)?[\w.%+\-]{{1,64}}@{_HOST}+(?:\.{_HOST}+)*",
    rf"(?:{_HOST}{{1,63}}\.){{1,3}}{_DOMAIN}(?:[/?#:]{_PATH})?",
    # --- emoticons: :-) ;) :P ^_^ <3, and what must stand behind a blank
    r"(?:^|\s)[:;=]['^\-]?(?:[()\[\]|*/\\]+|[3DOPop]\b)",
    r"[:;]-?\)+|[:;]-?\((?:\s|$)|\^[_.\-o]*\^|<3\b",
    # --- telephones, dates, decades, +44, .5, .doc, times, 1,000.5, 9/11, v1.2
    r"(?:\d{1,4}-){0,2}\d{3}-\d{4}\b|\d{3}/\d{3}-\d{4}\b|\d{5}-\d{4}\b|\d{1,2}-\d{1,2}-\d{2,4}\b",
    _DECADE,
    rf"(?:^|\s)(?:[+.]\d+|\.{_FILE}\b)",
    rf"[\w{_LETTERS}]*\p{{Nd}}(?:[.,:/]\p{{Nd}}+)+[\w{_LETTERS}]*",
    # --- n't 's and 'em 'tis '90s, rock 'n' roll
    _CLITIC,
    r"'(?:(?i:em|til|tis|twas)|\d\ds?)\b|'[nN]'",
    # --- U.S. p.m. J., but not "I."; Mr. etc.; No. 5, which the last blank of splitting divides
    rf"(?:[{_LETTERS}]\.)+[{_LETTERS}](?:\s|$)|(?:[{_LETTERS}]\.){{2,}}",
    rf"[{_CAPITALS.replace('A-Z', 'A-HJ-Z')}]\.",
    _ABBREVIATION,
    r"(?i:nos?)\.\s?\d+",
    # --- R&D, w/o, US$
    r"[A-Za-z]{1,2}&[A-Za-z]{1,2}\b|[A-Za-z]/[A-Za-z]\b|US\$",
    # --- words, @user, #tag, e-mail, non-Arab; other words with hyphens are several
    "''|'",
    rf"(?:[@#][_{_LETTERS}]|{_PREFIX})?{_IN_WORD}+",
    # --- emoji: flags, and several that are joined to one
    r"[\x{1F1E6}-\x{1F1FF}]{2}",
    rf"{_ONE_EMOJI}(?:\x{{200D}}{_ONE_EMOJI})*",
    # --- arrows, and the same sign again and again
    r"-+>|=+>|<-+>?|<=+>?",
    r"\.{2,}|[.!?]{2,}|-{2,}|={2,}|\*{2,}|<{2,}|>{2,}|\+{2,}|~{2,}",
    # --- any other sign, and a character of a script without blanks
    r"\S",
)
# No mark is parted from what it stands on.
TOKEN = rf"(?:{'|'.join(_PATTERNS)})(?:{_BELOW}|[\pM\x{{FF9E}}\x{{FF9F}}])*"
TOKEN_BECOMES = r"\0 "
