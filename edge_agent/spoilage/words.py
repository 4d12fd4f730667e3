"""Words of sources, by which two citations are found to mean the same."""

import re

_WORD = re.compile(r"[a-z]+")
_PLAIN = (
    "abstract acta after and appl article as at books by chapter class com data default edition effect et facts fig "
    "figure file fit fitted fiche food foods for from general group handbook hortic horticulture hortscience in int "
    "issue its journal limit memory meat microbiol model models net not number of on open org own page pages paper "
    "paragraph postharvest pp press preservation produce product products quality range read recalled reproduced "
    "research review rule safety sci science shelf life source storage study studies table technology text tech the "
    "app avocado banana basil beef broccoli bushberries cauliflower cfu cheese chicken cold combined control "
    "crisphead csv culinary day degradation edu egg env eng fish fresh fruit herbs initial lettuce meats milk "
    "mushroom mushrooms "
    "observation openaccess output parsley pork poultry prediction raspberry rrs salmon seafood services shrimp "
    "smoked spinach spoilage strawberry symposium temperature tomato uid unflavoured validation vegetable water "
    "their thesis this trial trials university use value values verified vol with world www"
)
_OF_SOURCE = frozenset(_PLAIN.split())
# One source under several names: whoever cites one of the words cites all of that house's numbers.
_HOUSES = (
    ("hb66", re.compile(r"\bhb ?66\b|handbook (no\.? ?)?66\b|produce degradation|nevegetable")),
    ("fssp", re.compile(r"\b(fssp|sssp|dalgaard|mejlholm|j(oe|ø)rgensen|dtu)\b")),
    ("ucdavis", re.compile(r"\buc ?davis\b|university of california|produce facts")),
    ("fao348", re.compile(r"\bhuss\b|\b(paper|fao) 348\b")),
    ("ahr", re.compile(r"\bahr\b|applied horticultur|postharvest\.net")),
    ("wa", re.compile(r"\bwa agriculture|agric\.wa\.gov|western australia")),
    ("cornell", re.compile(r"\bcornell\b|\bfsl\b|\bvsl\b")),
    ("ashrae", re.compile(r"\bashrae\b")),
)


def source_words(text: str) -> frozenset[str]:
    """Authors, institutions and sites: what two citations of one source have in common.

    >>> sorted(source_words("FSSP help page (fssp.food.dtu.dk), Dalgaard 2000"))
    ['dalgaard', 'dtu', 'fssp']
    >>> source_words("USDA Agriculture Handbook 66") & source_words("HB66")
    frozenset({'hb66'})
    """
    small = text.lower()
    found = (word for word in _WORD.findall(small) if word not in _OF_SOURCE and len(word) > 2 and word != "help")
    return frozenset((*found, *(house for house, cited in _HOUSES if cited.search(small))))
